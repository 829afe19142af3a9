#!/bin/sh
# Speed and memory of `tellscope replay`, next to the bare parse-and-flow bound measured in the same minutes.
#
# usage: bench/run.sh [--program PATH] [--runs N] [--packets N] [--gateways N] [--flows N] [--cpu N] [--cache DIR] [--only speed|fleet|memory]
#
# speed:  the mix capture (made once), `bound` and `replay -o` in turns, pinned to one CPU. The ratio of the medians of CPU time is
#         the figure to judge by: single times say little on a shared machine.
# fleet:  the mix of many gateways (default 100,000: 3.6 million packets, 0.9 million flows): peak memory.
# memory: a capture in which all flows are alive at once; peak memory over that of an empty run, for each flow.
# The bound and the mix come from TELLSCOPE_SHARED (default: ../shared beside the source); without it only the memory run is made.
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

mix() { # FILE PACKETS GATEWAYS
    [ -f "$1" ] && return
    sed "s/^#define NGW .*/#define NGW $3/" "$shared/tools/perf/gencap.c" >"$cache/gencap-$3.c.new"
    cmp -s "$cache/gencap-$3.c.new" "$cache/gencap-$3.c" || mv "$cache/gencap-$3.c.new" "$cache/gencap-$3.c"
    build "$cache/gencap-$3.c" "$cache/gencap-$3"
    TEMPLATES=$shared/tools/perf/tls-templates.bin "$cache/gencap-$3" "$1.new" mix "$2" 1
    mv "$1.new" "$1"
}

yardstick=yes
if [ ! -f "$shared/tools/perf/bound.c" ]; then
    echo "bench: no yardstick at $shared/tools/perf: only the memory run" >&2
    yardstick=
fi
if [ -n "$yardstick" ] && [ "${only:-speed}" = speed ]; then
    build "$shared/tools/perf/bound.c" "$cache/bound"
    mix "$cache/mix-$packets.pcap" "$packets" 5000
    python3 "$here/measure.py" speed --program "$program" --bound "$cache/bound" --capture "$cache/mix-$packets.pcap" --runs "$runs" --cpu "$cpu"
fi
if [ -n "$yardstick" ] && [ "${only:-fleet}" = fleet ]; then
    mix "$cache/mix-fleet-$gateways.pcap" 3640000 "$gateways"
    python3 "$here/measure.py" fleet --program "$program" --capture "$cache/mix-fleet-$gateways.pcap" --cpu "$cpu"
fi
if [ "${only:-memory}" = memory ]; then
    build "$here/gen.c" "$cache/gen"
    fleet=$cache/fleet-$gateways-$flows.pcap
    if [ ! -f "$fleet" ]; then
        "$cache/gen" "$fleet.new" "$gateways" "$flows" 1
        mv "$fleet.new" "$fleet"
    fi
    python3 "$here/measure.py" memory --program "$program" --capture "$fleet" --flows "$flows" --cpu "$cpu"
fi
