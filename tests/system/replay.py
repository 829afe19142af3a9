#!/usr/bin/env python3
"""What surrounds a run of replay: folders, output directories, batches (--per-capture, --resume) and their exit status."""
import gzip, json, os, shutil, struct, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

t = harness.Test(__doc__, shared=False)
A, B = ("ac:ca:54:00:00:01", "192.168.1.10"), ("02:00:00:00:00:01", "192.168.1.1")
T0 = 1519819200000000


def packet(i):
    query = harness.dns_query(i, "pool.ntp.org")
    return T0 + i, harness.frame(A[0], B[0], harness.ipv4(A[1], B[1], 17, harness.udp(4000, 53, query)))


def capture(*parts, n=3, first=0, cut=0):
    path = t.path(*parts)
    harness.write_pcap(path, [packet(first + i) for i in range(n)])
    if cut:
        os.truncate(path, os.path.getsize(path) - cut)
    return path


def run(want, *args, says="", quiet=True):
    """Runs replay; `says` is part of the one line on stderr, or "" where there is none."""
    r = t.run("replay", *(["-q"] if quiet else []), *args)
    lines = r.stderr.decode().splitlines()
    t.check(r.returncode == want, "replay %s: exit status %d, not %d: %s", args, r.returncode, want, lines)
    t.check(len(lines) == (says != "") and all(says in line for line in lines), "replay %s: %s, not %r", args, lines, says)
    return r.stdout.decode()


def ndjson(folder):
    with open(os.path.join(folder, "captures.ndjson")) as f:
        return [json.loads(line) for line in f]


def pcapng_of_drops(path, drops):
    def block(kind, body):
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 0))
    for i in range(3):
        ts, frame = packet(i)
        frame_padded = frame + bytes(-len(frame) % 4)
        data += block(6, struct.pack("<IIIII", 0, ts >> 32, ts & 0xFFFFFFFF, len(frame), len(frame)) + frame_padded)
    data += block(5, struct.pack("<IIIHHQHH", 0, T0 >> 32, T0 & 0xFFFFFFFF, 5, 8, drops, 0, 0))
    with open(path, "wb") as f:
        f.write(data)
    return path


def folders():
    """Of a folder captures are taken, whatever they are packed in; what else lies there is no damage, not even our own output."""
    tree = t.path("tree")
    capture("tree", "a.pcap")
    with open(t.path("tree", "below", "b.gz"), "wb") as f:
        f.write(gzip.compress(open(capture("tree", "below", "b.pcap"), "rb").read()))
    with open(t.path("tree", "notes.gz"), "wb") as f:
        f.write(gzip.compress(b"no capture at all"))
    for _ in range(2):
        run(0, "-o", t.path("tree", "out"), tree)
    totals = t.replay(tree)
    names = [os.path.relpath(c["path"], tree) for c in totals["captures"]] if totals else []
    t.check(names == ["a.pcap", "below/b.gz", "below/b.pcap"], "captures of a folder: %s", names)
    run(0, tree, says="passed over in folders, as no captures: 3", quiet=False)
    os.makedirs(t.path("empty", "below"))
    run(1, t.path("empty"), says="no capture found")
    run(4, t.path("tree", "notes.gz"), says="notes.gz: offset 0: not a capture")       # named, it must be one


def outputs():
    """An output that cannot be is told before anything is read."""
    a, plain = capture("a.pcap"), t.path("plain")
    open(plain, "w").close()
    never = t.path("never-ends")
    os.mkfifo(never)
    run(1, "-o", plain, never, says="output directory %s: Not a directory" % plain)
    run(1, "-o", t.path("no") + "/such/folder", never, says="No such file or directory")
    with open("/dev/full", "w") as full:
        r = subprocess.run([t.program, "replay", a], stdout=full, stderr=subprocess.PIPE)
        t.check(r.returncode == 1 and r.stderr.count(b"\n") == 1, "a full disk behind stdout: %d %s", r.returncode, r.stderr)


def rotated():
    """Parts of one capture, in any order: a query in one, its answer in the next."""
    answer = T0 + 2500000, harness.frame(B[0], A[0], harness.ipv4(B[1], A[1], 17, harness.udp(53, 4000, harness.dns_answer(1, "pool.ntp.org", []))))
    packets = [packet(0), packet(1), answer, (T0 + 5000000, packet(2)[1]), (T0 + 9000000, packet(3)[1])]
    whole = harness.write_pcap(t.path("whole.pcap"), packets)
    parts = [harness.write_pcap(t.path("part%d.pcap" % i), packets[a:b]) for i, (a, b) in enumerate(((0, 2), (2, 2), (2, 4), (4, 5)))]
    run(0, "-o", t.path("one", ""), whole)
    want = harness.contents(t.path("one", ""))
    t.check(b'"latency' in b"".join(want.values()), "no query met its answer")
    for i, order in enumerate((parts, parts[::-1], parts[2:] + parts[:2])):
        run(0, "--continuous", "-o", t.path("many%d" % i, ""), *order)
        t.check(harness.contents(t.path("many%d" % i, "")) == want, "parts in order %d are not the whole", i)
    totals = t.replay("--continuous", *parts[::-1])
    t.check(totals and [c["path"] for c in totals["captures"]] == parts[::-1], "captures are told as given")


def oversized():
    """More bytes captured than were on the wire: said once, and the packets count."""
    path = t.path("oversized.pcap")
    with open(path, "wb") as f:
        f.write(harness.PCAP_HEAD + b"".join(harness.record(ts, data + b"beyond", len(data)) for ts, data in map(packet, range(3))))
    run(4, path, says="oversized.pcap: offset 24: a packet of which 78 bytes were captured and 72 were on the wire, the first of 3; ")
    totals = t.replay(path, want=(4,))
    t.check(totals and totals["packets"]["outcome"] == {"ok": 3}, "oversized: %s", totals)


def batch():
    out = t.path("batch", "")
    good, cut = capture("in", "good.pcap"), capture("in", "cut.pcap", first=10, cut=5)
    none, empty = t.path("in", "none.pcap"), t.path("in", "empty.pcap")
    open(empty, "w").close()
    with open(none, "w") as f:
        f.write("no capture")
    twin = capture("in", "twin", "good.pcap")
    args = ("--per-capture", "-o", out)

    def counted(want, done, before, *more, stderr=0):
        r = t.run("replay", "--json", *args, *more, good, cut, none, empty, twin)
        t.check(r.returncode == want, "%s: exit status %d, not %d: %s", more, r.returncode, want, r.stderr)
        t.check(len(r.stderr.splitlines()) == stderr, "%s: %s", more, r.stderr)
        got = json.loads(r.stdout)
        t.check(got == {"schema": "tellscope.batch.v1", "captures": 5, "done": done, "done_before": before, "damaged": 3, "failed": 0},
                "%s: %s", more, got)

    counted(4, 5, 0, stderr=3)
    lines = ndjson(out)
    t.check([line["path"] for line in lines] == [good, cut, none, empty, twin], "lines: %s", lines)
    for line in lines:
        sha256 = subprocess.run(["sha256sum", line["path"]], stdout=subprocess.PIPE).stdout.decode().split()[0]
        t.check(line["sha256"] == sha256, "%s: %s", line["path"], line["sha256"])
        t.check(os.path.isdir(os.path.join(out, "%s-%.12s" % (os.path.basename(line["path"]), sha256))), "no folder of %s", line["path"])
    t.check([line["packets"] for line in lines] == [3, 2, 0, 0, 3], "packets: %s", lines)
    t.check([line.get("offset") for line in lines] == [None, 200, 0, 0, None], "offsets: %s", lines)
    counted(4, 0, 5, "--resume")                                # damaged they are all the same
    counted(0, 0, 5, "--resume", "--damaged-ok", "3")
    counted(4, 0, 5, "--resume", "--damaged-ok", "50%")
    counted(4, 5, 0, "--resume", "--window", "60", "--force", stderr=3)
    t.check(len(ndjson(out)) == 10, "lines after another configuration: %d", len(ndjson(out)))
    counted(4, 0, 5, "--resume", "--window", "60")
    with open(os.path.join(out, "captures.ndjson"), "r+") as f:   # killed while it wrote a line
        f.truncate(os.path.getsize(f.name) - 10)
    counted(4, 0, 5, "--resume", "--window", "60")              # the twin's line was cut; its twin tells of it
    shutil.rmtree(os.path.join(out, "good.pcap-%.12s" % lines[0]["sha256"]))
    counted(4, 1, 4, "--resume", "--window", "60")              # and shares the folder that is made again
    t.check(len(ndjson(out)) == 10, "lines after a cut one: %d", len(ndjson(out)))

    piped = 'exec "$@" <(cat %s)' % good                          # what a pipe brings is not read away before it is done
    for _ in range(2):
        r = subprocess.run(["bash", "-c", piped, "bash", t.program, "replay", *args, "--resume", "--force"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        t.check(r.returncode == 0 and b"1 captures: 1 done" in r.stdout, "a pipe: %s %s", r.stdout, r.stderr)
    t.check([line["packets"] for line in ndjson(out)][-2:] == [3, 3], "packets of a pipe: %s", ndjson(out)[-2:])

    lossy = pcapng_of_drops(t.path("lossy.pcapng"), 1)
    for most, want in (("24%", 5), ("25%", 0)):
        run(want, "--max-loss", most, lossy)
        run(want, "--max-loss", most, "--per-capture", "--force", "-o", t.path("lossy", ""), lossy)


folders()
outputs()
rotated()
oversized()
batch()
t.end()
