#!/usr/bin/env python3
"""Exchanges whose two directions come in different tunnels (ERSPAN II, ERSPAN III, VXLAN): any number of threads of a replay, and four workers
of a live run that hand packets to each other, give the bytes of one thread."""
import json, os, struct
import live
from live import harness
from harness import frame, ipv4, udp

HOMES, T0 = 40, 1519819200000000
ROUTER = "02:00:00:00:00:01"
t = harness.Test(__doc__.split("\n")[0], shared=False)


def mac(i):
    return "ac:ca:54:00:01:%02x" % i


def addr(i):
    return "192.168.%d.10" % i


def exchanges(i):
    """What a home does: (time, whose home, from the gateway?, inner frame)."""
    ts, found = T0 + i * 20011, []

    def add(at, out, packet):
        found.append((at, i, out, frame(mac(i), ROUTER, packet) if out else frame(ROUTER, mac(i), packet)))
    name, resolver, server = "home%d.pool.ntp.org" % i, "198.18.0.1", "193.11.114.%d" % (43 + i % 7)
    add(ts, True, ipv4(addr(i), resolver, 17, udp(4000 + i, 53, harness.dns_query(i, name))))
    add(ts + 3000, False, ipv4(resolver, addr(i), 17, udp(53, 4000 + i, harness.dns_answer(i, name, [server]))))
    xmt = (ts // 1000000 + 2208988800 & 0xFFFFFFFF) << 32 | i
    add(ts + 5000, True, ipv4(addr(i), server, 17, udp(123, 123, harness.ntp(3, xmt=xmt))))
    add(ts + 9000, False, ipv4(server, addr(i), 17, udp(123, 123, harness.ntp(4, org=xmt, rec=xmt + 5, xmt=xmt + 9, stratum=2))))
    c = harness.Conversation((mac(i), addr(i)), (ROUTER, "203.0.113.%d" % (1 + i % 9)), 50000 + i, 443, ts + 20000)
    hello = harness.client_hello("api%d.telldus.com" % i, 0x0301)
    c.say(0, hello[:60]).say(0, hello[60:]).say(1, harness.server_hello(0x0301, 0xC013))
    for at, data in c.close().packets:
        found.append((at, i, data[6:12] == harness.mac(mac(i)), data))
    return found


def vxlan(home, out, inner, seq):
    """Each direction between other tunnel ends, from another port."""
    head = struct.pack("!BBHI", 8, 0, 0, (100 + home) << 8)
    src, dst = ("10.1.0.1", "10.1.0.2") if out else ("10.7.%d.9" % (home % 3), "10.1.0.3")
    return frame("02:00:00:00:0a:01", "02:00:00:00:0a:02", ipv4(src, dst, 17, udp(49152 + (seq * 7 & 1023), 4789, head + inner)))


def erspan(version):
    def wrap(home, out, inner, seq):
        if version == 2:
            proto, head = 0x88BE, struct.pack("!HHI", 0x1000 | 1, home, 0)
        else:
            proto, head = 0x22EB, struct.pack("!HHIHH", 0x2000 | 1, home, seq, 0, 0)
        gre = struct.pack("!HHI", 0x1000, proto, seq) + head + inner
        src, dst = ("10.2.0.1", "10.2.0.9") if out else ("10.3.%d.1" % (home % 4), "10.2.0.8")
        return frame("02:00:00:00:0a:01", "02:00:00:00:0a:02", ipv4(src, dst, 47, gre))
    return wrap


def replay(label, jobs, config, capture):
    out = t.path(label, "j%d" % jobs, "")
    totals = t.replay("-j", jobs, "-c", config, "-o", out, "--window", "60", capture)
    return out, totals


def everything_met(label, totals):
    """Otherwise the test shows nothing."""
    t.check(totals["dns"]["responses"] == HOMES and totals["dns"]["queries"] == HOMES, "%s: DNS %s", label, totals["dns"])
    t.check(totals["ntp"]["by_mode"] == {"3": HOMES, "4": HOMES}, "%s: NTP %s", label, totals["ntp"])
    t.check(totals["tls"].get("sessions") == HOMES and totals["tls"].get("server_hellos") == HOMES
            and totals["tls"].get("client_hellos") == HOMES, "%s: TLS %s", label, totals["tls"])
    t.check(totals["gateways"] == HOMES, "%s: %s gateways", label, totals["gateways"])


def answered(label, folder):
    """The two directions of each exchange were brought together."""
    rows = [row for s in harness.segments(folder) for row in harness.rows(s)]
    dns = sum(r.get("answered", 0) for r in rows if r["kind"] == "dns" and r["client_kind"] == "gateway")
    t.check(dns == HOMES, "%s: %d queries answered", label, dns)


def compare(label, wrap, config):
    packets = sorted((p for i in range(HOMES) for p in exchanges(i)), key=lambda p: p[0])
    capture = harness.write_pcap(t.path(label + ".pcap"), [(ts, wrap(home, out, inner, n)) for n, (ts, home, out, inner) in enumerate(packets)])
    one, totals = replay(label, 1, config, capture)
    if totals is None:
        return
    everything_met(label, totals)
    answered(label, one)
    want = harness.contents(one)
    for jobs in (2, 4):
        many, again = replay(label, jobs, config, capture)
        t.check(harness.contents(many) == want and again == totals, "%s: -j %d gives other bytes than -j 1", label, jobs)
    if not have_live:
        return
    with open(config) as f:
        text = f.read()
    with open(t.path(label + ".yaml"), "w") as f:
        f.write(text + 'live:\n  ports:\n    - {device: "net_pcap0,rx_pcap=%s", workers: 4}\n' % capture)
    folder = t.path(label, "live", "")
    args = ["--sensor", json.loads(next(iter(want.values())).splitlines()[0])["sensor"]]
    counters = live.run(t, f.name, folder, *args, packets=len(packets), window=60)
    if counters is None:
        return
    t.check(sum(w["given"] for w in counters["workers"]) > len(packets) // 2, "%s: few packets changed worker", label)
    t.check(all(w["taken"] > 0 for w in counters["workers"][1:]), "%s: a worker got nothing", label)
    live.same_rows(t, label, folder, one)


have_live = os.path.exists(os.path.join(os.path.dirname(t.program), "tellscope-dpdk.so"))
if not have_live:
    print("no module for live ports: replays only")
compare("erspan2", erspan(2), t.config("any-client.yaml"))
compare("erspan3", erspan(3), t.config("any-client.yaml"))
compare("vxlan", vxlan, t.config("vxlan-overlay.yaml"))
t.end()
