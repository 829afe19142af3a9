#!/bin/sh
# Speed and memory of `tellscope replay`, next to the bare parse-and-flow bound measured in the same minutes.
#
# usage: bench/run.sh [--program PATH] [--runs N] [--packets N] [--gateways N] [--flows N] [--cpu N] [--cache DIR] [--only speed|memory]
#
# speed:  the mix capture (made once), `bound` and `replay -o` in turns, pinned to one CPU. The ratio of the medians of CPU time is
#         the figure to judge by: single times say little on a shared machine.
# memory: a capture in which all flows are alive at once; peak memory over that of an empty run, for each flow.
# The bound and its capture come from TELLSCOPE_SHARED (default: ../shared beside the source); without it only the memory run is made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$here/../build/tellscope runs=7 packets=1000000 gateways=100000 flows=1000000 cpu=1 only=
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tellscope-bench
shared=${TELLSCOPE_SHARED:-$here/../../shared}
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$2 ;;
    --runs) runs=$2 ;;
    --packets) packets=$2 ;;
    --gateways) gateways=$2 ;;
    --flows) flows=$2 ;;
    --cpu) cpu=$2 ;;
    --cache) cache=$2 ;;
    --only) only=$2 ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
[ -x "$program" ] || { echo "bench: no program at $program (--program PATH)" >&2; exit 2; }
mkdir -p "$cache"
[ "$(nproc)" -gt "$cpu" ] || cpu=0

# Builds $2 from $1 where it is missing or older.
build() {
    [ "$2" -nt "$1" ] && return
    march=x86-64-v2
    grep -q avx2 /proc/cpuinfo && march=x86-64-v3
    [ "$(uname -m)" = x86_64 ] && march=-march=$march || march=
    gcc -O3 -w $march "$1" -o "$2.new" -lpthread
    mv "$2.new" "$2"
}

if [ "$only" != memory ]; then
    if [ -f "$shared/tools/perf/bound.c" ]; then
        build "$shared/tools/perf/bound.c" "$cache/bound"
        build "$shared/tools/perf/gencap.c" "$cache/gencap"
        mix=$cache/mix-$packets.pcap
        if [ ! -f "$mix" ]; then
            TEMPLATES=$shared/tools/perf/tls-templates.bin "$cache/gencap" "$mix.new" mix "$packets" 1
            mv "$mix.new" "$mix"
        fi
        python3 "$here/measure.py" speed --program "$program" --bound "$cache/bound" --capture "$mix" --runs "$runs" --cpu "$cpu"
    else
        echo "bench: no yardstick at $shared/tools/perf: no speed run" >&2
    fi
fi
if [ "$only" != speed ]; then
    build "$here/gen.c" "$cache/gen"
    fleet=$cache/fleet-$gateways-$flows.pcap
    if [ ! -f "$fleet" ]; then
        "$cache/gen" "$fleet.new" "$gateways" "$flows" 1
        mv "$fleet.new" "$fleet"
    fi
    python3 "$here/measure.py" memory --program "$program" --capture "$fleet" --flows "$flows" --cpu "$cpu"
fi
