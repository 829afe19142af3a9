#!/usr/bin/env python3
"""Where known-differences.tsv says of a QUIC capture that the reference is wrong, the Initial packets are opened here by other means - RFC 9001 5 in
Python, on the library 'cryptography': an AEAD tag that holds proves the keys - and the hellos in them are what the program counts."""
import os, shutil, struct, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives import hashes, hmac
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    harness.skip("no python3-cryptography")
if shutil.which("tshark") is None:
    harness.skip("no tshark")
t = harness.Test(__doc__)
SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")


def hkdf(key, data):
    h = hmac.HMAC(key, hashes.SHA256())
    h.update(data)
    return h.finalize()


def expand(secret, label, n):
    label = b"tls13 " + label
    return hkdf(secret, struct.pack("!HB", n, len(label)) + label + b"\0\1")[:n]


def varint(b, at):
    n = 1 << (b[at] >> 6)
    return int.from_bytes(b[at:at + n], "big") & (1 << 8 * n - 2) - 1, at + n


def opened(b, dcid, side):
    """The frames of a version 1 Initial packet, by the keys of the client's connection id; None: they do not fit."""
    at = 6 + b[5]
    at += 1 + b[at]
    n, at = varint(b, at)
    length, at = varint(b, at + n)
    secret = expand(hkdf(SALT, dcid), side + b" in", 32)
    key, iv, hp = expand(secret, b"quic key", 16), expand(secret, b"quic iv", 12), expand(secret, b"quic hp", 16)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(b[at + 4:at + 20])
    first = b[0] ^ mask[0] & 15
    pn = bytes(x ^ y for x, y in zip(b[at:at + (first & 3) + 1], mask[1:]))
    nonce = bytes(x ^ y for x, y in zip(iv, pn.rjust(12, b"\0")))
    try:
        return AESGCM(key).decrypt(nonce, b[at + len(pn):at + length], bytes([first]) + b[1:at] + pn)
    except InvalidTag:
        return None


def first_crypto(frames):
    """What CRYPTO frames of offset 0 hold."""
    at = 0
    while at < len(frames):
        kind, at = frames[at], at + 1
        if kind in (2, 3):
            _, at = varint(frames, at)
            _, at = varint(frames, at)
            count, at = varint(frames, at)
            for _ in range(1 + 2 * count):
                _, at = varint(frames, at)
        elif kind == 6:
            offset, at = varint(frames, at)
            n, at = varint(frames, at)
            if offset == 0:
                return frames[at:at + n]
            at += n
        elif kind > 1:
            return b""
    return b""


def whole(hello):
    return len(hello) >= 4 + int.from_bytes(hello[1:4], "big") if len(hello) > 4 else False


here = os.path.dirname(os.path.abspath(__file__))
known = [line.split("\t")[0] for line in open(os.path.join(here, "known-differences.tsv")) if line.split("\t")[1:2] == ["quic"]]
t.check(len(known) == 3, "captures: %s", known)
for name in known:
    path = os.path.join(t.set, name)
    out = subprocess.run(["tshark", "-r", path, "-Y", "udp", "-T", "fields", "-e", "udp.payload"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    dcids, hellos = [], {1: set(), 2: set()}
    for line in out.splitlines():
        b = bytes.fromhex(line)
        if len(b) < 7 or b[0] & 0xC0 != 0xC0 or b[1:5] != b"\0\0\0\1":
            continue
        if b[0] & 0x30 == 0x30:     # a Retry: what was said before is said again and counts once, as the reference counts it in other captures
            hellos[1].clear()
        if b[0] & 0x30:
            continue
        dcid = b[6:6 + b[5]]
        for side, keys in [(b"client", dcid)] + [(b"server", d) for d in dcids]:
            frames = opened(b, keys, side)
            if frames is None:
                continue
            if side == b"client":
                dcids.append(dcid)
            hello = first_crypto(frames)
            if hello[:1] == (b"\1" if side == b"client" else b"\2"):
                t.check(whole(hello), "%s: a hello in pieces", name)
                hellos[hello[0]].add(hello)
            break
    totals = t.replay("--scope", "all", path)["quic"]
    t.check(len(hellos[1]) >= 1, "%s: opened nothing", name)
    t.check((totals.get("client_hellos", 0), totals.get("server_hellos", 0)) == (len(hellos[1]), len(hellos[2])),
            "%s: the program counts %s, opened here: %d and %d", name, totals, len(hellos[1]), len(hellos[2]))
    print(name, len(hellos[1]), len(hellos[2]))
t.end()
