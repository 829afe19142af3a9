#!/usr/bin/env bash
# readme.sh SOURCE PROGRAM: what README says to do with one's own capture works as it stands there, with what setup.sh --build-only installs.
set -euo pipefail
source=$(realpath "$1")
program=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The lines of code between the two headings, without their comments.
commands=$(sed -n '/^## Your own capture/,/^## Live/p' "$source/README.md" | sed -n '/^```$/,/^```$/p' | sed '/^```/d; s/[[:space:]]*#.*//')
[ "$(grep -c . <<<"$commands")" -ge 6 ] || { echo "README has few commands left:"; echo "$commands"; exit 1; }

packages=$(sed -n '/^build_packages=(/,/)/p' "$source/scripts/setup.sh")
for tool in $(grep -oE '(^|[|] *)[a-z]+ ' <<<"$commands" | tr -d '| ' | sort -u); do
    [ "$tool" != zstdcat ] || tool=zstd
    grep -qwF "$tool" <<<"$packages" || { echo "README uses $tool, which setup.sh --build-only does not install"; exit 1; }
done

mkdir "$work/build"
ln -s "$program" "$work/build/tellscope"
ln -s "$source/configs" "$work/configs"
cp "$source/samples/fleet.pcap" "$work/capture.pcap"
cp "$source/configs/any-client.yaml" "$work/my.yaml"
cd "$work"
while read -r line; do
    case $line in
    "" | *doctor*) continue ;; # which says what this machine lacks
    esac
    bash -euo pipefail -c "$line" >out.txt 2>err.txt || { echo "README: $line"; cat err.txt; exit 1; }
    [ -s out.txt ] || { echo "README: $line: prints nothing"; exit 1; }
    [ ! -s err.txt ] || { echo "README: $line: complains"; cat err.txt; exit 1; }
    echo "$line: $(wc -l <out.txt) lines"
done <<<"$commands"
