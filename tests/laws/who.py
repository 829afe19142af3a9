#!/usr/bin/env python3
"""Who is who: bindings by time, sites that never mix, and what counts as coverage.

A gateway behind a router tells its MAC in one window and speaks TLS in another; two homes use the same addresses; a gateway is only
heard in broadcasts; hosts that are no gateways leave no names in a segment under the default scope.
"""
import harness

t = harness.Test(__doc__.split("\n")[0], shared=False)
T0, HOUR = 1519819200000000, 3600 * 1000000
GATEWAY_MAC, ROUTER = "ac:ca:54:00:70:15", ("02:00:00:00:00:01", "192.168.1.1")
ASSIGN = b"GET /server/assign?protocolVersion=3&mac=ACCA54007015 HTTP/1.1\r\nHost: api.telldus.com\r\n\r\n"


def rows_of(folder):
    return [(path, row) for path in harness.segments(folder) for row in harness.rows(path)]


def kind(rows, name):
    return [row for _, row in rows if row["kind"] == name]


def bindings():
    """Seen behind NAT: the frames carry the router's MAC, the request the gateway's."""
    behind = ("02:00:00:00:00:99", "192.168.7.20")
    call = harness.Conversation(behind, (ROUTER[0], "203.0.113.5"), 40000, 80, T0)
    call.say(0, ASSIGN).say(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close()
    tls = harness.Conversation(behind, (ROUTER[0], "203.0.113.9"), 40001, 443, T0 + 20 * HOUR)
    tls.say(0, harness.client_hello(None, 0x0301)).say(1, harness.server_hello(0x0301, 0xC013)).close()
    capture = harness.write_pcap(t.path("bindings.pcap"), call.packets + tls.packets)
    out = t.path("bindings", "")
    t.replay("-c", t.config("any-client.yaml"), "-o", out, capture)
    files = harness.segments(out)
    if not t.check(len(files) == 2, "bindings: %d segments, not 2", len(files)):
        return
    first, last = ([row for row in harness.rows(f)] for f in files)
    told = [r for r in first if r["kind"] == "binding" and r["what"] == "http_assign"]
    t.check(len(told) == 1, "bindings: %d of an assign call in the first window", len(told))
    for r in told:
        t.check(r["addr"] == behind[1] and r["mac"] == GATEWAY_MAC, "bindings: %s", r)
        t.check(T0 * 1000 <= r["first_ns"] <= r["last_ns"] < (T0 + HOUR) * 1000, "bindings: times of %s", r)
    t.check(not [r for r in last if r.get("what") == "http_assign"], "bindings: the last window repeats it")
    sessions = [r for r in last if r["kind"] == "tls"]
    t.check(len(sessions) == 1 and sessions[0]["version"] == "0x0301", "bindings: sessions of the last window: %s", sessions)
    t.check(not [r for r in first if r["kind"] == "tls"], "bindings: a session in the first window")


def sites():
    """The same addresses in two homes: nothing of one is counted in the other."""
    gateway, server = (GATEWAY_MAC, "192.168.1.10"), "203.0.113.9"

    def home(name, requests):
        packets = [(T0 + i, harness.frame(gateway[0], ROUTER[0], harness.ipv4(gateway[1], server, 17, harness.udp(123, 123, harness.ntp(3, xmt=i + 1)))))
                   for i in range(requests)]
        return harness.write_pcap(t.path("home-%s-x.pcap" % name), packets)

    out = t.path("sites", "")
    totals = t.replay("-c", t.config("homes-by-file.yaml"), "-o", out, home("1", 3), home("2", 5))
    if totals is None:
        return
    rows = rows_of(out)
    for name in ("peer", "ntp", "gateway"):
        found = {r["site"]: r.get("requests", r.get("packets_out")) for r in kind(rows, name)}
        t.check(found == {"home-1": 3, "home-2": 5}, "sites: %s rows %s", name, kind(rows, name))
    t.check(totals["gateways"] == 2, "sites: %s gateways", totals["gateways"])


def coverage():
    """Broadcasts reach everybody: to hear them says nothing of the rest."""
    shout = harness.ipv4("192.168.1.10", "255.255.255.255", 17, harness.udp(30303, 30303, b"D"))
    heard = [(T0 + i * 1000000, harness.frame(GATEWAY_MAC, "ff:ff:ff:ff:ff:ff", shout)) for i in range(30)]
    out = t.path("group", "")
    t.replay("-o", out, harness.write_pcap(t.path("group.pcap"), heard))
    found = kind(rows_of(out), "coverage")
    t.check(bool(kind(rows_of(out), "gateway")), "coverage: no row of the gateway")
    t.check(all(not r.get("in") and not r.get("out") for r in found), "coverage: broadcasts count as watched: %s", found)

    # unicast both ways does
    ask = harness.frame(GATEWAY_MAC, ROUTER[0], harness.ipv4("192.168.1.10", "203.0.113.9", 17, harness.udp(123, 123, harness.ntp(3, xmt=1))))
    answer = harness.frame(ROUTER[0], GATEWAY_MAC, harness.ipv4("203.0.113.9", "192.168.1.10", 17, harness.udp(123, 123, harness.ntp(4, org=1, xmt=2, stratum=2))))
    out = t.path("both", "")
    t.replay("-o", out, harness.write_pcap(t.path("both.pcap"), [(T0, ask), (T0 + 1000, answer)]))
    found = [r for r in kind(rows_of(out), "coverage") if r.get("client")]
    t.check(len(found) == 1 and found[0].get("in") and found[0].get("out"), "coverage: unicast both ways: %s", found)


def privacy():
    """Homes are private: of a laptop only counters are kept, and no event."""
    laptop = ("02:00:00:00:00:42", "192.168.1.42")
    q = harness.ipv4(laptop[1], ROUTER[1], 17, harness.udp(4000, 53, harness.dns_query(7, "secret-hobby.example")))
    c = harness.Conversation(laptop, (ROUTER[0], "203.0.113.77"), 50000, 443, T0 + 1000)
    c.say(0, harness.client_hello("secret-shop.example")).say(1, harness.server_hello()).close()
    capture = harness.write_pcap(t.path("laptop.pcap"), [(T0, harness.frame(laptop[0], ROUTER[0], q))] + c.packets)
    out = t.path("private", "")
    totals = t.replay("-e", "all", "-o", out, capture)
    text = b"".join(harness.contents(out).values()) + harness.zstdcat(out + "events.ndjson.zst")
    for secret in (b"secret", b"192.168.1.42", b"203.0.113.77", b"02:00:00:00:00:42"):
        t.check(secret not in text, "privacy: %s stands in the output", secret.decode())
    t.check(totals is not None and b"secret" not in harness.json.dumps(totals).encode(), "privacy: a name in the totals")
    out = t.path("open", "")
    t.replay("--scope", "all", "-e", "all", "-o", out, capture)
    text = b"".join(harness.contents(out).values()) + harness.zstdcat(out + "events.ndjson.zst")
    t.check(b"secret-shop" in text and b"secret-hobby" in text, "privacy: scope all keeps nothing")


bindings()
sites()
coverage()
privacy()
t.end()
