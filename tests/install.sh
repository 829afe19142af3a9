#!/usr/bin/env bash
# install.sh BUILD_DIR: `cmake --install` puts everything where the Filesystem Hierarchy Standard wants it, under DESTDIR, and what was installed runs.
set -euo pipefail
build=$1
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest cmake --install "$build" >/dev/null
at=$dest$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt") # /usr/local, where nobody said otherwise
for f in bin/tellscope etc/tellscope/tellscope.yaml etc/tellscope/any-client.yaml etc/tellscope/clients.yaml share/doc/tellscope/README.md \
    share/doc/tellscope/LICENSE share/doc/tellscope/manual.md share/doc/tellscope/summary.schema.json; do
    [ -f "$at/$f" ] || { echo "not installed: $f"; find "$dest" -type f; exit 1; }
done
"$at/bin/tellscope" --version
for f in "$at"/etc/tellscope/*.yaml; do
    [ "${f##*/}" = clients.yaml ] || "$at/bin/tellscope" config check "$f" # that one is read by tests of its own
done
