#!/usr/bin/env bash
# unit.sh UNIT PROGRAM: systemd takes the unit as it is, finds it 3.0 or better, and every permission that is open is explained in it.
set -euo pipefail
unit=$1 program=$2
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze (Debian: systemd)"; exit 77; }
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
export SYSTEMD_COLORS=0 SYSTEMD_EMOJI=0 LC_ALL=C.UTF-8

# The program need not be installed yet.
copy=$at/${unit##*/}
sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "$unit" >"$copy"
said=$(systemd-analyze --no-pager --man=no verify "$copy" 2>&1) || { echo "$said"; exit 1; }
if grep -F "${unit##*/}" <<<"$said"; then # an unknown key is only a warning
    exit 1
fi

table=$(systemd-analyze --no-pager security --offline=true --threshold=30 "$unit") || { echo "$table"; exit 1; }
score=$(sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p' <<<"$table")
echo "exposure $score"
awk -v score="$score" 'BEGIN { exit !(score != "" && score <= 3.0) }'

# What the table calls open has its word in a comment. Those that every service of this kind has are left out.
wrong=0
while read -r name; do
    case $name in
    RootDirectory=* | DeviceAllow=) continue ;;
    'SystemCallFilter=~@resources') name="bound to NUMA nodes" ;;
    'SystemCallFilter=~@privileged') name=capset ;;
    'CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)') name=CAP_NET_RAW ;;
    'RestrictAddressFamilies=~AF_(INET|INET6)') name=AF_INET ;;
    AmbientCapabilities=) name=CAP_NET_ADMIN ;;
    *~*) name=${name##*~} ;;
    *) name=${name%=} ;;
    esac
    if ! grep '^#' "$unit" | grep -qF "$name"; then
        echo "open, and not explained: $name"
        wrong=1
    fi
done < <(awk '$1 == "✗" { print $2 }' <<<"$table")
exit "$wrong"
