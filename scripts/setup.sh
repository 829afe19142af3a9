#!/usr/bin/env bash
# Installs what building and testing tellscope needs. Quick, and without a network, when nothing is missing.
#
#   scripts/setup.sh               everything: build, tests, fuzzing
#   scripts/setup.sh --build-only  only what building and using the program needs
#
# Known to work on Debian 12 (bookworm). Other systems with apt are tried with the same package names; elsewhere the list of
# what is needed is printed. Needs root or sudo only where something is missing.
set -euo pipefail

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libpcap-dev libzstd-dev zlib1g-dev
    libxxhash-dev libyaml-dev libjansson-dev libssl-dev
    help2man # makes the man pages
    zstd jq) # these read segments, as README does
test_packages=(clang libclang-rt-14-dev clang-format libcmocka-dev tshark tcpdump python3
    python3-jsonschema python3-scapy python3-yaml openssl gnutls-bin curl libdpdk-dev dpdk
    tcpreplay iproute2 util-linux)

case "${1-}" in
"") wanted=("${build_packages[@]}" "${test_packages[@]}") ;;
--build-only) wanted=("${build_packages[@]}") ;;
-h | --help)
    sed -n '2,/^set /{/^# \{0,1\}/s///p}' "$0"
    exit 0
    ;;
*)
    echo "setup: unknown option '$1'; only --build-only" >&2
    exit 2
    ;;
esac

name=unknown
version=
if [ -r /etc/os-release ]; then
    name=$(. /etc/os-release && echo "${ID:-unknown}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: $name $version is not known here (Debian 12 is). Install by hand what Debian calls:" >&2
    echo "  ${wanted[*]}" >&2
    exit 1
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
missing=()
for package in "${wanted[@]}"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
    echo "setup: all ${#wanted[@]} packages are there"
    exit 0
fi

if [ "$name" != debian ] || [ "$version" != 12 ]; then
    echo "setup: $name $version is not known here (Debian 12 is); trying its packages all the same" >&2
fi
echo "setup: installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: needs root or sudo for: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
