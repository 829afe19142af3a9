#!/usr/bin/env bash
# All tests. The last line counts them: "N passed, N failed, N skipped". Exit status 1 if one failed.
#
#   BUILD_DIR=DIR      where to build (default build-test)
#   FUZZ_SECONDS=30    for each fuzz target; 0: none
#   JOBS=2             at a time (default: all processors)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build=${BUILD_DIR:-build-test}
fuzz_seconds=${FUZZ_SECONDS:-30}
jobs=${JOBS:-$(nproc)}
passed=0 failed=0 skipped=0

say() { printf '\n== %s\n' "$*"; }

# One thing that is no ctest test: counted as passed or failed.
check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

# Builds $1 with the cmake options that follow; only the targets in $targets, if there are any. Fails loudly; counts only a failure.
targets=()
build() {
    local dir=$1
    shift
    if cmake -S . -B "$dir" -G Ninja "$@" >"$dir.log" 2>&1 && ninja -C "$dir" -j "$jobs" "${targets[@]}" >>"$dir.log" 2>&1; then
        return 0
    fi
    tail -n 60 "$dir.log"
    failed=$((failed + 1))
    echo "FAILED: build of $dir"
    return 1
}

# Runs the tests of build folder $1 (what follows goes to ctest) and adds their numbers, as ctest wrote them into its report.
run_ctest() {
    local dir=$1 report total bad skip none
    shift
    report=$(realpath "$dir")/ctest.xml
    rm -f "$report"
    ctest --test-dir "$dir" -j "$jobs" --timeout 600 --output-on-failure --output-junit "$report" "$@"
    count() { grep -om1 "^[[:space:]]*$1=\"[0-9]*\"" "$report" | tr -dc 0-9; }
    total=$(count tests) bad=$(count failures) skip=$(count skipped) none=$(count disabled)
    if [ -z "$total" ] || [ "$total" -eq 0 ]; then
        failed=$((failed + 1))
        echo "FAILED: $dir has no test report"
        return
    fi
    passed=$((passed + total - bad - skip - none))
    failed=$((failed + bad))
    skipped=$((skipped + skip + none))
}

# One fuzz target for a while, beginning with its corpus; what it finds stays in $build/fuzz.
fuzz() {
    local target=$1 name=$2 work=$build/fuzz/$2
    mkdir -p "$work/found" "$work/crash"
    local corpus=("$work/found")
    [ -d "tests/fuzz/corpus/$name" ] && corpus+=("tests/fuzz/corpus/$name")
    "$target" -max_total_time="$fuzz_seconds" -rss_limit_mb=2048 -timeout=20 -max_len=65536 \
        -artifact_prefix="$work/crash/" "${corpus[@]}" >"$work/log" 2>&1
    echo $? >"$work/status"
}

run_fuzz() {
    local target name running=0 targets=()
    build "$build/fuzz-build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DTELLSCOPE_FUZZ=ON || return
    for target in "$build"/fuzz-build/tests/fuzz_*; do
        [ -f "$target" ] && [ -x "$target" ] && targets+=("$target")
    done
    for target in "${targets[@]}"; do
        name=$(basename "$target")
        rm -rf "${build:?}/fuzz/${name#fuzz_}"
        if [ "$running" -ge "$jobs" ]; then
            wait -n
            running=$((running - 1))
        fi
        fuzz "$target" "${name#fuzz_}" &
        running=$((running + 1))
    done
    wait
    for target in "${targets[@]}"; do
        name=$(basename "$target")
        local work=$build/fuzz/${name#fuzz_} runs
        runs=$(grep -o '^Done [0-9]* runs' "$work/log" | tr -dc 0-9)
        echo "$name: ${runs:-no} runs in ${fuzz_seconds} s"
        if [ "$(cat "$work/status" 2>/dev/null)" = 0 ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            tail -n 40 "$work/log"
            echo "FAILED: $name; its input is in $work/crash"
        fi
    done
}

mkdir -p "$build"
say "packages"
check "setup" scripts/setup.sh

say "folders include only what they may"
check "layers" tests/layers.sh

say "the sample capture is what its script writes"
same_sample() {
    python3 scripts/make-sample.py "$build/fleet.pcap" && cmp "$build/fleet.pcap" samples/fleet.pcap
}
check "sample" same_sample

say "gcc, release"
build "$build/release" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc && run_ctest "$build/release"

say "clang, address and undefined behaviour sanitizers"
build "$build/sanitize" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DTELLSCOPE_SANITIZE=ON &&
    run_ctest "$build/sanitize"

say "clang, thread sanitizer: the threads of live and replay"
targets=(tellscope test_live_threads)
build "$build/threads" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DTELLSCOPE_TSAN=ON -DTELLSCOPE_DPDK=OFF &&
    run_ctest "$build/threads" -R '^(test_live_threads|law_jobs)$'
targets=()

if [ "$fuzz_seconds" -gt 0 ]; then
    say "fuzz targets"
    run_fuzz
fi

say "result"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
