#!/bin/sh
# A live run at full speed for a long time: net_pcap's infinite_rx over a generated fleet, one worker, windows of a second.
#
# usage: bench/soak.sh [--program PATH] [--minutes N] [--cpu N] [--every SECONDS] [--gateways N] [--flows N]
#
# Prints every so often: resident memory, free packet buffers, packets received, what segments tell of, what is not written yet. Exit
# status 1 where memory or the buffers in use grow after the first minute or two, the ledger does not balance, or a window was lost.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$here/../build/tellscope minutes=30 cpu=1 every=15 gateways=500 flows=4000
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$2 ;;
    --minutes) minutes=$2 ;;
    --cpu) cpu=$2 ;;
    --every) every=$2 ;;
    --gateways) gateways=$2 ;;
    --flows) flows=$2 ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
[ -x "$program" ] || { echo "soak: no program at $program (--program PATH)" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/tellscope-soak-XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
${CC:-gcc} -O2 -o "$work/gen" "$here/gen.c"
"$work/gen" "$work/fleet.pcap" "$gateways" "$flows" 1 >&2
python3 "$here/soak.py" --program "$program" --capture "$work/fleet.pcap" --folder "$work/out" --minutes "$minutes" --every "$every" --cpu "$cpu"
