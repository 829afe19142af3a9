#!/usr/bin/env python3
"""Live through net_pcap gives the rows of replay: real captures, sixteen ports a run, with one worker a port and with two that hand packets
to each other by our own hash."""
import os, struct
from concurrent.futures import ThreadPoolExecutor
import live
from live import harness

PORTS = 16 # CONFIG_PORTS_MAX
LEAST = 100
t = harness.Test(__doc__.split("\n")[0])
live.needed(t)


def packets_in(path):
    """How many packets a capture has that net_pcap gives as we read them: classic, Ethernet, microseconds, whole, in order; else 0."""
    with open(path, "rb") as f:
        d = f.read()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(d[:4])
    if order is None or len(d) < 24 or struct.unpack(order + "I", d[20:24])[0] != 1 or len(d) > 2000000:
        return 0
    at, n, last = 24, 0, 0
    while at < len(d):
        if at + 16 > len(d):
            return 0
        s, us, cap, wire = struct.unpack(order + "IIII", d[at:at + 16])
        ts = s * 1000000 + us
        at += 16 + cap
        if cap != wire or cap < 14 or us >= 1000000 or ts < last or at > len(d):
            return 0
        n, last = n + 1, ts
    return n


good = [(p, n) for p in t.captures() for n in [packets_in(p)] if n > 0]


def batch(label, some, workers):
    config = live.configuration(t, label, [("net_pcap%d,rx_pcap=%s" % (i, p), workers) for i, (p, _) in enumerate(some)],
                                more="  distribute: software\n")
    a, b, packets = t.path(label, "live", ""), t.path(label, "replay", ""), sum(n for _, n in some)
    counters = live.run(t, config, a, packets=packets)
    t.replay("-c", t.config("any-client.yaml"), "-o", b, *[p for p, _ in some])
    if counters is None:
        return
    t.check(counters["received"] == packets and counters["lost"] == 0 and counters["read"] == packets,
            "%s: of %d packets %s were received, %s lost", label, packets, counters["received"], counters["lost"])
    given = sum(w["given"] for w in counters["workers"])
    t.check((given > 0) == (workers > 1 and packets > 50) or packets <= 50, "%s: %d packets changed worker", label, given)
    t.check(all(p["clock"] == "capture" for p in counters["ports"]), "%s: the clock is not that of the capture", label)
    live.same_rows(t, label + " " + " ".join(os.path.basename(p) for p, _ in some), a, b)


def no_buffers():
    """So few buffers that some packets find none: they are counted by that reason, in the run's counters and in the segments."""
    n = 20000
    query = harness.frame("ac:ca:54:00:00:01", "02:00:00:00:00:01", harness.ipv4(
        "192.168.1.10", "198.18.0.1", 17, harness.udp(4000, 53, harness.dns_query(7, "pool.ntp.org"))))
    capture = harness.write_pcap(t.path("many.pcap"), [(1519819200000000 + i * 100, query) for i in range(n)])
    config = live.configuration(t, "no-buffers", [("net_pcap0,rx_pcap=" + capture, 1)], more="  mbufs: 20\n  burst: 64\n")
    folder = t.path("no-buffers", "")
    counters = live.run(t, config, folder, duration=3)
    if counters is None:
        return
    port, ledger = counters["ports"][0], live.ledger(folder)
    t.check(port["no_mbuf"] > 0 and counters["received"] + port["no_mbuf"] == n, "no buffers: %d received + %d without one, of %d",
            counters["received"], port["no_mbuf"], n)
    t.check(ledger.get("read") == counters["received"] and ledger.get("lost_packets") == port["no_mbuf"], "no buffers: segments: %s", ledger)
    t.check(sum(r.get("ledger", {}).get("lost_no_mbuf", 0) for s in harness.segments(folder) for r in harness.rows(s)
                if r["kind"] == "totals") == port["no_mbuf"], "no buffers: no segment tells of the reason")
    print("no buffers: %d sent = %d received + %d without a buffer" % (n, counters["received"], port["no_mbuf"]))


no_buffers()
t.check(t.args.step > 4 or len(good) >= LEAST, "only %d captures", len(good))
t.check(all(os.path.getsize(p) < 2000001 for p, _ in good), "size")
jobs = []
for i in range(0, len(good), PORTS):
    jobs += [("one-%d" % i, good[i:i + PORTS], 1)]
for i in range(0, len(good), PORTS // 2):
    jobs += [("two-%d" % i, good[i:i + PORTS // 2], 2)]
if jobs and good:
    jobs += [("alone", [max(good, key=lambda g: g[1])], 1), ("alone-two", [max(good, key=lambda g: g[1])], 2)]
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda j: batch(*j), jobs))
print("%d captures, %d packets" % (len(good), sum(n for _, n in good)))
t.end()
