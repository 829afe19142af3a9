#!/usr/bin/env python3
"""Laws 1 and 6: a capture cut at any byte gives every whole record before the cut, and says that it was cut.

Every prefix of a small pcap, a pcapng, and their gzip and zstd forms. Exit status 0 where the cut falls between records, else 4.
"""
import gzip, os, struct, subprocess
import harness

t = harness.Test(__doc__.split("\n")[0], shared=False)
A, B = ("ac:ca:54:00:00:01", "192.168.1.10"), ("02:00:00:00:00:01", "192.168.1.1")
T0 = 1519819200000000


def frames():
    q = harness.ipv4(A[1], B[1], 17, harness.udp(4000, 53, harness.dns_query(7, "pool.ntp.org")))
    r = harness.ipv4(B[1], A[1], 17, harness.udp(53, 4000, harness.dns_answer(7, "pool.ntp.org", ["193.11.114.43"])))
    n = harness.ipv4(A[1], "193.11.114.43", 17, harness.udp(123, 123, harness.ntp(3, xmt=1 << 40)))
    return [harness.frame(A[0], B[0], q), harness.frame(B[0], A[0], r), harness.frame(A[0], B[0], n)]


def pcap():
    """Bytes, and where its head and each of its records end."""
    data, ends = harness.PCAP_HEAD, [24]
    for i, f in enumerate(frames()):
        data += harness.record(T0 + i * 1000, f)
        ends.append(len(data))
    return data, ends


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcapng():
    """As pcap(); the section header and the interface are the head, so cuts between them are between blocks too."""
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data = section + block(1, struct.pack("<HHI", 1, 0, 65535))
    ends = [len(data)]
    for i, f in enumerate(frames()):
        ts = T0 + i * 1000
        data += block(6, struct.pack("<IIIII", 0, ts >> 32, ts & 0xFFFFFFFF, len(f), len(f)) + f)
        ends.append(len(data))
    return data, ends, {len(section)}


def write(name, data):
    path = t.path("cut", name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def cuts(kind, data, expect):
    """Runs all prefixes at once, and some of them alone for the exit status. expect(n) = (packets, whole)."""
    paths = [write("%s-%05d" % (kind, n), data[:n]) for n in range(len(data) + 1)]
    totals = t.replay(*paths, want=(0, 4))
    if totals is None:
        return
    told = {c["path"]: c for c in totals["captures"]}
    t.check(len(told) == len(paths), "%s: %d of %d captures told of", kind, len(told), len(paths))
    for n, path in enumerate(paths):
        packets, whole = expect(n)
        c = told.get(path, {"packets": None, "error": None})
        t.check(packets is None or c["packets"] == packets, "%s cut at %d: %s packets, not %s", kind, n, c["packets"], packets)
        t.check(whole is None or (c["error"] is None) == whole, "%s cut at %d: error %r", kind, n, c["error"])
        t.check(c["error"] is None or os.path.basename(path) in c["error"], "%s cut at %d: %r does not name the file", kind, n, c["error"])
    read = totals["packets"].get("read", 0)
    t.check(read == sum(c["packets"] for c in told.values()), "%s: read %d", kind, read)
    for n in sorted({0, 1, len(data) - 1, len(data)} | set(range(0, len(data), 37))):
        r = t.run("replay", "--json", "-q", paths[n])
        whole = told[paths[n]]["error"] is None
        t.check(r.returncode == (0 if whole else 4), "%s cut at %d: exit status %d", kind, n, r.returncode)
        t.check(whole == (not r.stderr.strip()), "%s cut at %d: stderr %r", kind, n, r.stderr[-200:])


def by_ends(ends, also=()):
    return lambda n: (sum(e <= n for e in ends[1:]), n in ends or n in also)


data, ends = pcap()
cuts("pcap", data, by_ends(ends))
ng, ng_ends, between = pcapng()
cuts("pcapng", ng, by_ends(ng_ends, between))
packed = gzip.compress(data, mtime=0)
cuts("gzip", packed, lambda n: (3 if n == len(packed) else None, n == len(packed)))
squeezed = subprocess.run(["zstd", "-qc", write("whole", data)], check=True, stdout=subprocess.PIPE).stdout
cuts("zstd", squeezed, lambda n: (3 if n == len(squeezed) else None, n == len(squeezed)))
t.end()
