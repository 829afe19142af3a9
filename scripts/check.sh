#!/usr/bin/env bash
# The gate before each commit: format, leftovers, threads, and all of scripts/test.sh (gcc and clang with -Werror, tests plain and
# with sanitizers, fuzzing, layers). Exit status 1 if anything is wrong.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${BUILD_DIR:-build-test}
jobs=${JOBS:-$(nproc)}
wrong=0

complain() {
    echo "check: $*"
    wrong=1
}

mapfile -t sources < <(find core ingest decoders summary enrich sinks cli tests bench -name '*.[ch]' 2>/dev/null | sort)

scripts/setup.sh || exit 1
clang-format --dry-run -Werror "${sources[@]}" || complain "clang-format -i mends this"

leftovers='\b(TO''DO|FIX''ME|XX''X|HA''CK)\b'
if grep -nE "$leftovers" "${sources[@]}" scripts/*.sh; then
    complain "unfinished work"
fi
for file in "${sources[@]}"; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 700 ] || complain "$file has $lines lines; is there a second idea in it?"
done

# Threads: the tests of cli/, which start them.
mkdir -p "$build"
names=$(printf '%s\n' tests/cli/test_*.c | sed 's|.*/||; s|\.c$||' | paste -sd '|')
if cmake -S . -B "$build/threads" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang \
    -DCMAKE_C_FLAGS=-fsanitize=thread >"$build/threads.log" 2>&1 &&
    ninja -C "$build/threads" -j "$jobs" >>"$build/threads.log" 2>&1; then
    ctest --test-dir "$build/threads" -j "$jobs" --output-on-failure -R "^($names)\$" || complain "thread sanitizer"
else
    tail -n 60 "$build/threads.log"
    complain "build with the thread sanitizer"
fi

scripts/test.sh || wrong=1
exit "$wrong"
