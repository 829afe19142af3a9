#!/usr/bin/env bash
# install.sh BUILD_DIR: `cmake --install` puts everything where the Filesystem Hierarchy Standard wants it, under DESTDIR, and what was installed runs.
set -euo pipefail
build=$1
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest cmake --install "$build" >/dev/null
at=$dest$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt") # /usr/local, where nobody said otherwise
prefix=${at#"$dest"}
etc=/etc # of /usr
[ "$prefix" = /usr ] || etc=$prefix/etc
for f in bin/tellscope \
    lib/systemd/system/tellscope-live.service lib/sysusers.d/tellscope.conf share/doc/tellscope/README.md \
    share/doc/tellscope/LICENSE share/doc/tellscope/manual.md share/doc/tellscope/summary.schema.json; do
    [ -f "$at/$f" ] || { echo "not installed: $f"; find "$dest" -type f; exit 1; }
done
for f in tellscope.yaml any-client.yaml clients.yaml live.yaml; do
    [ -f "$dest$etc/tellscope/$f" ] || { echo "not installed: $etc/tellscope/$f"; exit 1; }
done
outside=$(find "$dest" -type f ! -path "$at/*" ! -path "$dest$etc/*")
[ -z "$outside" ] || { echo "outside of the prefix: $outside"; exit 1; }
start="ExecStart=$prefix/bin/tellscope live -c $etc/tellscope/live.yaml -o /var/lib/tellscope"
grep -qxF "$start" "$at/lib/systemd/system/tellscope-live.service" || { echo "the unit lacks $start"; exit 1; }
if [ -f "$build/tellscope-dpdk.so" ]; then
    find "$at"/lib* -path '*/tellscope/tellscope-dpdk.so' | grep -q . || { echo "not installed: tellscope-dpdk.so"; exit 1; }
fi
"$at/bin/tellscope" --version
if command -v help2man >/dev/null; then # the pages tell every option
    for command in "" $("$at/bin/tellscope" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
        [ "$command" != help ] || continue
        page=$at/share/man/man1/tellscope${command:+-$command}.1
        [ -f "$page" ] || { echo "not installed: $page"; exit 1; }
        for option in $("$at/bin/tellscope" $command --help | grep -o -- '--[a-z][a-z-]*' | sort -u); do
            sed 's/\\-/-/g' "$page" | grep -qF -- "$option" || { echo "$page lacks $option"; exit 1; }
        done
    done
fi
for f in "$dest$etc"/tellscope/*.yaml; do
    "$at/bin/tellscope" config check "$f"
done
