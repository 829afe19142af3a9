#!/usr/bin/env python3
"""Laws 3 and 4: many captures and many windows in little memory and few open files.

3,000 small captures over three years, in two random orders: the same bytes, a peak of memory that does not grow with their number, and no
more than 64 open files. One capture named 1,000 times: likewise.
"""
import os, random, resource
import harness

t = harness.Test(__doc__.split("\n")[0], shared=False)
N, SPAN_US, T0 = 3000, 3 * 365 * 86400 * 1000000, 1519819200000000
FILES = [(resource.RLIMIT_NOFILE, 64)]
GATEWAY, ROUTER = ("ac:ca:54:00:00:01", "192.168.1.10"), ("02:00:00:00:00:01", "192.168.1.1")


def template(ts):
    q = harness.ipv4(GATEWAY[1], ROUTER[1], 17, harness.udp(4000, 53, harness.dns_query(7, "pool.ntp.org")))
    r = harness.ipv4(ROUTER[1], GATEWAY[1], 17, harness.udp(53, 4000, harness.dns_answer(7, "pool.ntp.org", ["193.11.114.43"])))
    xmt = (ts // 1000000 + 2208988800 & 0xFFFFFFFF) << 32 | 1
    n = harness.ipv4(GATEWAY[1], "193.11.114.43", 17, harness.udp(123, 123, harness.ntp(3, xmt=xmt)))
    a = harness.ipv4("193.11.114.43", GATEWAY[1], 17, harness.udp(123, 123, harness.ntp(4, org=xmt, rec=xmt, xmt=xmt + 9, stratum=2)))
    packets = [(ts, harness.frame(GATEWAY[0], ROUTER[0], q)), (ts + 900, harness.frame(ROUTER[0], GATEWAY[0], r)),
               (ts + 2000, harness.frame(GATEWAY[0], ROUTER[0], n)), (ts + 9000, harness.frame(ROUTER[0], GATEWAY[0], a))]
    c = harness.Conversation(GATEWAY, (ROUTER[0], "193.11.114.50"), 50000, 443, ts + 20000)
    c.say(0, harness.client_hello("api.telldus.com", 0x0301)).say(1, harness.server_hello(0x0301, 0xC013))
    return packets + c.close().packets


paths = [harness.write_pcap(t.path("in", "%04d.pcap" % i), template(T0 + i * (SPAN_US // N))) for i in range(N)]
per_file = len(template(T0))


def run(label, files, out=True):
    args = ["-o", t.path(label, "")] if out else []
    r = t.run("replay", "--json", "-q", *args, *files, timeout=300, limits=FILES)
    t.check(r.returncode == 0, "%s: exit status %d: %s", label, r.returncode, r.stderr[-300:])
    read = harness.json.loads(r.stdout)["packets"].get("read") if r.returncode == 0 else None
    t.check(read == per_file * len(files), "%s: read %s of %d", label, read, per_file * len(files))
    print("%-24s %6d captures, peak %d MiB, %.2f s of CPU" % (label, len(files), r.rss_kib // 1024, r.cpu_s))
    return r


def flat(small, large, what):
    t.check(large.rss_kib <= 1.25 * small.rss_kib + 16 * 1024, "%s: peak %d KiB after %d KiB", what, large.rss_kib, small.rss_kib)


orders = [paths[:], paths[:]]
for seed, order in enumerate(orders):
    random.Random(seed).shuffle(order)
few = run("few", orders[0][:N // 10])
all_ = run("shuffled-0", orders[0])
run("shuffled-1", orders[1])
flat(few, all_, "3,000 captures")
a, b = harness.stream(t.path("shuffled-0", "")), harness.stream(t.path("shuffled-1", ""))
t.check(len(a[0]) == N and a[1].count(b'"kind":"end"') == N, "%d segments, not %d", len(a[0]), N)
t.check(a == b, "the order shows in the segments")
left = [n for d in ("shuffled-0", "shuffled-1") for n in os.listdir(t.path(d, "")) if not n.startswith(("summary-", "flags-"))]
t.check(not left, "left behind: %s", left[:5])

ten, thousand = run("ten times", paths[:1] * 10), run("a thousand times", paths[:1] * 1000)
flat(ten, thousand, "one capture 1,000 times")
t.end()
