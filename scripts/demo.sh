#!/usr/bin/env bash
# From a fresh clone to a first result: builds tellscope in build/ and reads the sample capture with it.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n$ %s\n' "$*"; "$@"; }

scripts/setup.sh --build-only
echo "building build/tellscope"
mkdir -p build
log=build/demo.log
if ! { cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTELLSCOPE_TESTS=OFF && ninja -C build tellscope; } >"$log" 2>&1; then
    cat "$log"
    echo "demo: the build failed" >&2
    exit 1
fi
[ -f samples/fleet.pcap ] || python3 scripts/make-sample.py samples/fleet.pcap

out=build/demo
mkdir -p "$out"
step build/tellscope replay -o "$out" samples/fleet.pcap
step build/tellscope show "$out"
printf '\nThe segments are in %s; zstdcat %s/*.zst | jq . shows their rows.\n' "$out" "$out"
