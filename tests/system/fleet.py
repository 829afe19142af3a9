#!/usr/bin/env python3
"""Judging a fleet made here, hello by hello: clients behind one address counted apart, sessions between two devices of ours counted once, servers
named by what DNS was asked, the move from a legacy server, fallback dances, days and the curve of whatif."""
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness
from harness import client_hello, server_hello, tls_record

t = harness.Test(__doc__.split("\n")[0], shared=False)
T0, SECOND, HOUR, DAY = 1519819200000000, 1000000, 3600 * 1000000, 86400 * 1000000
ROUTER = "02:00:00:00:00:01"
CCS, DATA = tls_record(20, b"\1", 0x0301), tls_record(23, bytes(64), 0x0301)
OLD = dict(version=0x0301, ciphers=(0x002F, 0x0035, 0x00FF))                        # as firmware of 2020
NEW = dict(version=0x0303, ciphers=(0xC02F, 0xC02B, 0x009C, 0x00FF))


def session(client, server, port, ts, hello, answer=(0x0301, 0x002F), refuse=None):
    """A TLS session, or one that an alert ends."""
    c = harness.Conversation(client, server, port, 443, ts)
    c.say(0, hello)
    if refuse is not None:
        c.say(1, tls_record(21, bytes([2, refuse])))
    else:
        c.say(1, server_hello(*answer)).say(0, CCS + DATA).say(1, CCS + DATA).say(0, DATA).say(1, DATA)
    return c.close().packets


def dns(client, resolver, ts, name, addrs, ident=7):
    q = harness.frame(client[0], ROUTER, harness.ipv4(client[1], resolver, 17, harness.udp(4000 + ident, 53, harness.dns_query(ident, name))))
    a = harness.frame(ROUTER, client[0], harness.ipv4(resolver, client[1], 17, harness.udp(53, 4000 + ident, harness.dns_answer(ident, name, addrs))))
    return [(ts, q), (ts + 20000, a)]


def assign(client, server, port, ts, mac):
    c = harness.Conversation(client, server, port, 80, ts)
    c.say(0, b"GET /server/assign?protocolVersion=3&mac=%s HTTP/1.1\r\nHost: api.telldus.com\r\n\r\n" % mac.encode())
    return c.say(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close().packets


def make(name, config, packets):
    out = t.path(name, "")
    path = t.path(name + ".yaml")
    open(path, "w").write(config)
    capture = harness.write_pcap(t.path(name + ".pcap"), sorted(packets, key=lambda p: p[0]))
    totals = t.replay("-c", path, "-o", out, capture)
    return totals, harness.segments(out), path


def listed(segments, what, *args):
    r = t.run("whatif", *args, "--list", what, "--format", "json", *segments)
    t.check(r.returncode == 0, "whatif: %d %s", r.returncode, r.stderr)
    return [json.loads(x) for x in r.stdout.splitlines()]


def flags(segments):
    return [row for s in segments for row in harness.rows(s.replace("/summary-", "/flags-"))]


def behind_one_address():
    """At the server: one public address with two gateways and a PC behind it, and another address with a PC."""
    home, other = (ROUTER, "198.51.100.7"), ("02:00:00:00:00:02", "198.51.100.8")
    server = ("02:00:00:00:00:99", "203.0.113.9")
    packets = []
    for day in range(3):
        at = T0 + day * DAY
        packets += assign(home, server, 40000, at, "ACCA54007015") + assign(home, server, 40001, at + SECOND, "ACCA54007016")
        packets += session(home, server, 40010, at + 2 * SECOND, client_hello(None, **OLD))
        packets += session(home, server, 40011, at + 3 * SECOND, client_hello(None, **OLD))
        packets += session(home, server, 40012, at + 4 * SECOND, client_hello("api.telldus.com", **NEW), (0x0303, 0xC02F))
    packets += session(other, server, 40013, T0 + DAY, client_hello("api.telldus.com", **NEW), (0x0303, 0xC02F))
    totals, segments, _ = make("behind", "vantage: server\ngateways: [{network: 198.51.100.0/24}]\n", packets)
    lines = listed(segments, "break", "--min-version", "tls1.2")
    if t.check(len(lines) == 1, "behind one address: %d lines: %s", len(lines), lines):
        row = lines[0]
        t.check(row["client"] == "addr:198.51.100.7" and row["told_macs"] == 2 and row["sessions"] == 6 and row["days_seen"] == 3
                and row["reason"] == "no_common_version" and row.get("known_as") == "ambiguous", "behind one address: %s", row)
    r = t.run("whatif", "--min-version", "tls1.2", *segments)
    text = r.stdout.decode()
    t.check("2018-02-28 gateways 1 hosts 0\n" in text and "rising" not in text, "curve: %s", text)
    cells = [x.split() for x in text.splitlines() if "203.0.113.9" in x]
    t.check(sorted((c[4], c[5], c[6]) for c in cells) == [("break", "6", "1"), ("connect", "4", "2")], "table: %s", cells)
    # The PC's hello alone: nobody breaks who was not seen with the old one.
    t.check(not listed(segments, "break", "--min-version", "tls1.0"), "nobody would break")
    rows = flags(segments)
    types = {(r["client_type"], r["clients"].get("gateways")) for r in rows if r["kind"] == "judged"}
    t.check(len({x for x, _ in types}) == 2, "types: %s", types)


def behind_a_carrier():
    """At the server: fifty gateways behind one address of a carrier. They are one client, of which fifty told a MAC: nobody adds them up."""
    carrier, server = (ROUTER, "198.51.100.77"), ("02:00:00:00:00:99", "203.0.113.9")
    packets = []
    for k in range(50):
        at = T0 + k * 10 * SECOND
        packets += assign(carrier, server, 41000 + 2 * k, at, "ACCA5401%04X" % k)
        packets += session(carrier, server, 41001 + 2 * k, at + SECOND, client_hello(None, **OLD))
    totals, segments, _ = make("carrier", "vantage: server\ngateways: [{network: 198.51.100.0/24}]\n", packets)
    t.check(totals["gateways"] == 1 and totals["hosts"] == 0, "carrier: %s gateways", totals["gateways"])
    lines = listed(segments, "break", "--min-version", "tls1.2")
    t.check(len(lines) == 1 and lines[0]["told_macs"] == 50 and lines[0]["sessions"] == 50 and lines[0].get("known_as") == "ambiguous",
            "carrier: %s", lines[:2])
    text = t.run("whatif", "--min-version", "tls1.2", *segments).stdout.decode()
    cells = [x.split() for x in text.splitlines() if "203.0.113.9" in x]
    t.check([(c[4], c[5], c[6]) for c in cells] == [("break", "50", "1")], "carrier: %s", cells)
    judged = [r for r in flags(segments) if r["kind"] == "judged"]
    t.check(len(judged) == 1 and judged[0]["sessions"] == 50 and judged[0]["clients"] == {"gateways": 1}, "carrier: %s", judged)


def types_and_inventory():
    """What is known of clients from outside: types by hello, and gateways that were never seen."""
    g, s = ("ac:ca:54:00:00:01", "192.168.1.10"), (ROUTER, "203.0.113.5")
    _, segments, config = make("types", "", session(g, s, 40000, T0, client_hello(None, **OLD)))
    hello = [r["id"] for r in harness.rows(segments[0]) if r["kind"] == "hello"][0]
    open(t.path("types-of.yaml"), "w").write("client_types:\n  - {hello: \"%s\", name: TellStick, version: \"2020\", source: this test}\n" % hello)
    open(t.path("inventory.csv"), "w").write("MAC,customer,product,firmware\nac:ca:54:00:00:01,a,znet,1\nac:ca:54:00:00:02,b,znet,1\n")
    open(config, "w").write("clients: {types: %s}\ninventory: %s\n" % (t.path("types-of.yaml"), t.path("inventory.csv")))
    r = t.run("whatif", "-c", config, "--min-version", "tls1.2", *segments)
    text = r.stdout.decode()
    t.check("TellStick 2020" in text and "Inventory: 2 gateways, of which 1 were never seen" in text, "types: %s %s", text, r.stderr)
    lines = listed(segments, "break", "-c", config, "--min-version", "tls1.2")
    t.check([x["client_type"] for x in lines] == ["TellStick 2020"], "types: %s", lines)
    show = t.run("show", "-c", config, *segments).stdout.decode()
    t.check("TellStick 2020" in show.split("Weak TLS, by server")[1], "types in show: %s", show[-800:])
    rows = [r for r in flags(segments) if r["kind"] == "finding"]
    ja4 = [r["ja4"] for r in harness.rows(segments[0]) if r["kind"] == "tls"][0]
    t.check(rows and all(r["client_type"] == "unknown:" + ja4 for r in rows), "flags tell fingerprints: %s", rows[:1])


def rising():
    """A client that breaks turns up on the last day only."""
    server, packets = ("02:00:00:00:00:99", "203.0.113.9"), []
    for day in range(10):
        client = (ROUTER, "198.51.100.%d" % (day + 1))
        packets += session(client, server, 40000, T0 + day * DAY, client_hello(None, **(OLD if day in (0, 9) else NEW)), (0x0301, 0x002F))
    _, segments, _ = make("rising", "vantage: server\ngateways: [{network: 198.51.100.0/24}]\n", packets)
    told = json.loads(t.run("whatif", "--min-version", "tls1.2", "--format", "json", *segments).stdout)
    t.check(told["first_seen_breaking"] == [{"day": "2018-02-28", "gateways": 1}, {"day": "2018-03-09", "gateways": 1}] and told["still_rising"], "rising: %s", told)
    t.check((told["sessions"], told["with_hello"], told["segments"]) == (10, 10, len(segments)), "rests on: %s", told)
    answers = {a["result"]: (a.get("reason"), a.get("version"), a["sessions"], a["clients"]) for a in told["answers"]}
    t.check(answers == {"break": ("no_common_version", None, 2, {"gateways": 2}), "connect": (None, "0x0303", 8, {"gateways": 8})}, "answers: %s", told["answers"])
    text = t.run("whatif", "--min-version", "tls1.2", *segments).stdout.decode()
    t.check("2018-02-28 gateways 1 hosts 0, 2018-03-09 gateways 1 hosts 0\nStill rising" in text, "rising: %s", text)


def between_ours():
    """Two gateways talk TLS to each other: one session."""
    a, b = ("ac:ca:54:00:00:01", "192.168.1.10"), ("ac:ca:54:00:00:02", "192.168.1.11")
    totals, segments, _ = make("ours", "", session(a, b, 40000, T0, client_hello(None, **OLD)))
    t.check(totals["tls"]["sessions"] == 1 and totals["tls"]["weak"].get("TLS10") == 1, "between ours: %s", totals["tls"])
    rows = [r for r in flags(segments) if r["kind"] == "judged"]
    t.check(len(rows) == 1 and rows[0]["sessions"] == 1 and rows[0]["server"].get("addr") == b[1], "between ours: %s", rows)


def names_and_migration():
    g = ("ac:ca:54:00:00:01", "192.168.1.10")
    h = ("ac:ca:54:00:00:02", "192.168.1.11")
    legacy, modern, shared = (ROUTER, "203.0.113.5"), (ROUTER, "203.0.113.6"), (ROUTER, "203.0.113.7")
    packets = dns(g, "192.168.1.1", T0, "api.telldus.com", ["203.0.113.5"])
    packets += assign(g, legacy, 40000, T0 + SECOND, "ACCA54000001")
    packets += session(g, legacy, 40001, T0 + 26 * HOUR, client_hello(None, **OLD))                    # asked in another window
    packets += session(g, modern, 40002, T0 + 26 * HOUR, client_hello("pa-api.telldus.com", **OLD))
    packets += session(h, legacy, 40003, T0 + 26 * HOUR, client_hello(None, **OLD))                    # never asked itself
    packets += dns(g, "192.168.1.1", T0, "a.example", ["203.0.113.7"], 8) + dns(g, "192.168.1.1", T0, "b.example", ["203.0.113.7"], 9)
    packets += session(g, shared, 40004, T0 + SECOND, client_hello(None, **OLD))                       # two names: ambiguous
    _, segments, config = make("names", "", packets)
    lines = listed(segments, "break", "--min-version", "tls1.2")
    by = {(r["client"], r["server"]): r for r in lines}
    one, two = by.get(("mac:" + g[0], "203.0.113.5"), {}), by.get(("mac:" + h[0], "203.0.113.5"), {})
    t.check(one.get("name") == "api.telldus.com" and one.get("name_source") == "dns" and one.get("on_replacement") == "yes", "by DNS: %s", one)
    t.check(two.get("name_source") == "address" and "name" not in two, "not by another's question: %s", two)
    t.check(by[("mac:" + g[0], "203.0.113.7")]["name_source"] == "address", "ambiguous: %s", by[("mac:" + g[0], "203.0.113.7")])
    show = t.run("show", *segments).stdout.decode()
    part = show.split("TLS clients still at api.telldus.com")
    t.check(len(part) == 2 and "mac:" + g[0] in part[1].split("\n\n")[0] and h[0] not in part[1].split("\n\n")[0], "migration: %s", show[-1500:])
    t.check("/server/assign" in show and show.count("ac:ca:54:00:00:01") >= 2, "assign calls: %s", show[-800:])
    told = json.loads(t.run("show", "--findings", "--json", *segments).stdout)
    t.check([(m["legacy"], m["replacement"]) for m in told["migrations"]] == [("api.telldus.com", "pa-api.telldus.com")], "migrations: %s", told["migrations"])
    users = told["migrations"][0]["users"]
    t.check([(u["client"], u["versions"], u["sessions"], u["established"], u["on_replacement"]) for u in users] == [("mac:" + g[0], ["TLSv1"], 1, 1, "yes")]
            and users[0]["first_ns"] <= users[0]["last_ns"], "users: %s", users)
    t.check([(c["addr"], c["mac"], c["server"], c["calls"]) for c in told["assign_calls"]] == [(g[1], g[0], "203.0.113.5", 1)], "calls: %s", told["assign_calls"])
    weak, totals = {}, t.show(*segments)["tls"]
    for f in told["findings"]:
        if f["basis"] == "accepted" and f["severity"] != "info":
            weak[f["rule"]] = weak.get(f["rule"], 0) + f["sessions"]
    t.check(weak == totals["weak"] and sum(r["sessions"] for r in told["judged"]) == totals["sessions"] == 4, "findings: %s, totals: %s", weak, totals)
    table = t.run("show", "--findings", *segments).stdout.decode()
    t.check(table and show.endswith(table), "the table of findings is a part of the whole")
    t.check(t.run("show", "--findings", "--unknown-clients", *segments).returncode == 2, "both")
    open(config, "w").write("migration: [{legacy: a.example, replacement: b.example}]\n")
    show = t.run("show", "-c", config, *segments).stdout.decode()
    t.check("still at" not in show, "another migration: %s", show[-800:])


def fallback():
    g, s = ("ac:ca:54:00:00:01", "192.168.1.10"), (ROUTER, "203.0.113.5")
    scsv = dict(OLD, ciphers=OLD["ciphers"] + (0x5600,))
    cases = [("dance", [(0, NEW, 40), (2, OLD, None)], 1), ("with SCSV", [(0, NEW, 40), (2, scsv, None)], 0), ("refused", [(0, NEW, 40), (2, scsv, 86)], 0),
             ("long after", [(0, NEW, 40), (600, OLD, None)], 0), ("before", [(0, OLD, None), (600, NEW, 40)], 0),
             ("no failure", [(0, NEW, None), (2, OLD, None)], 0), ("upwards", [(0, OLD, 40), (2, NEW, None)], 0)]
    for name, steps, want in cases:
        packets = [p for i, (at, hello, alert) in enumerate(steps)
                   for p in session(g, s, 40000 + i, T0 + at * SECOND, client_hello(None, **hello), (hello["version"], hello["ciphers"][0]), alert)]
        _, segments, _ = make("fallback-" + name.replace(" ", "-"), "", packets)
        found = [r for r in flags(segments) if r.get("rule") == "FALLBACK_NO_SCSV"]
        t.check(len(found) == want, "fallback, %s: %s", name, found)
        refused = [r for r in flags(segments) if r.get("rule") == "FALLBACK_REJECTED"]
        t.check(len(refused) == (name == "refused"), "fallback, %s: %s", name, refused)


def no_hello():
    """A session from its middle: cannot be told, and is weak by its records."""
    g, s = ("ac:ca:54:00:00:01", "192.168.1.10"), (ROUTER, "203.0.113.5")
    c = harness.Conversation(g, s, 40000, 443, T0)
    for _ in range(4):
        c.say(0, DATA).say(1, DATA)
    totals, segments, _ = make("middle", "", c.packets[3:])
    lines = listed(segments, "unknown", "--min-version", "tls1.2")
    t.check(len(lines) == 1 and lines[0]["reason"] == "hello_not_seen" and lines[0]["client_type"] == "unknown", "from the middle: %s", lines)
    t.check(totals["tls"]["weak"] == {"TLS10": 1}, "from the middle: %s", totals["tls"])
    text = t.run("whatif", "--min-version", "tls1.2", *segments).stdout.decode()
    t.check("the hello of 0 (0.0 %) seen" in text, "share of hellos: %s", text)
    for args in ((), ("--min-version", "tls9"), ("--min-version", "tls1.2", "--format", "csv"), ("--min-version", "tls1.2", "--list", "all")):
        t.check(t.run("whatif", *args, *segments).returncode == 2, "usage: %s", args)
    bad = t.path("bad.yaml")
    open(bad, "w").write("accept:\n  versons: []\n")
    r = t.run("whatif", "--policy", bad, *segments)
    t.check(r.returncode == 3 and b"bad.yaml:2:3:" in r.stderr, "a wrong policy: %d %s", r.returncode, r.stderr)


for test in (behind_one_address, behind_a_carrier, types_and_inventory, rising, between_ours, names_and_migration, fallback, no_hello):
    test()
t.end()
