#!/usr/bin/env bash
# Who may include whom, and where foreign libraries are named. Prints each breach as FILE:LINE: text; exit status 1 if there is one.
#
#   tests/layers.sh [FOLDER]   the tree to look at (default: this one)
set -uo pipefail
cd "${1:-$(dirname "$0")/..}" || exit 2
breaches=0

breach() {
    echo "$1"
    breaches=$((breaches + 1))
}

# folder: folders it may include from
rules='core: core
ingest: ingest core
decoders: decoders core
summary: summary core
enrich: enrich summary core
sinks: sinks summary core
cli: cli sinks enrich summary decoders ingest core'

while IFS=: read -r folder allowed; do
    [ -d "$folder" ] || continue
    pattern="^[[:space:]]*#[[:space:]]*include[[:space:]]*\"(${allowed# })/"
    pattern=${pattern// /|}
    while IFS= read -r line; do
        breach "$line"
    done < <(grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$folder" |
        grep -vE "^[^:]*:[0-9]*:${pattern#^}")
done <<<"$rules"

# header: most files (outside tests and bench) that may name it
foreign='yaml.h: 1
cyaml/: 1
xxhash.h: 1
zstd.h: 2
zlib.h: 1
pcap: 2
jansson.h: 2
openssl/: 6
hiredis: 1
maxminddb: 1
ares: 1
microhttpd: 1
rte_: 8'
while IFS=': ' read -r header most; do
    mapfile -t files < <(grep -rlE --include='*.[ch]' "#[[:space:]]*include[[:space:]]*<$header" \
        core ingest decoders summary enrich sinks cli 2>/dev/null)
    if [ "${#files[@]}" -gt "$most" ]; then
        breach "<$header is named in ${#files[@]} files, $most at most: ${files[*]}"
    fi
    for file in "${files[@]}"; do
        case "$header:$file" in
        rte_:ingest/dpdk_*) ;;
        rte_:*) breach "$file: DPDK belongs into ingest/dpdk_*" ;;
        esac
    done
done <<<"$foreign"

[ "$breaches" -eq 0 ] && echo "layers: no breach"
[ "$breaches" -eq 0 ]
