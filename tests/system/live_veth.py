#!/usr/bin/env python3
"""`tellscope live -i` on one end of a veth pair between two namespaces, fed by tcpreplay with real captures: what was sent is what was seen,
what the ledger lost and what the interface itself dropped, exactly. And how live runs end, reload and refuse."""
import json, os, signal, struct, subprocess, time
import live
from live import harness

t = harness.Test(__doc__.split("\n")[0])
live.needed(t, root=True, tools=("ip", "tcpreplay", "unshare"))
A, B = "tsa%d" % os.getpid(), "tsb%d" % os.getpid() # namespaces
FAST = 50000 # packets a second


def sh(*args, check=True):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and r.returncode != 0:
        raise OSError("%s: %s" % (" ".join(args), r.stdout.decode("utf8", "replace").strip()))
    return r.stdout.decode("utf8", "replace")


def inside(ns, *args):
    return ["ip", "netns", "exec", ns, *args]


def namespaces():
    """A pair of namespaces with a veth pair between them, without IPv6: the kernel sends nothing by itself. Skips where it may not."""
    try:
        for ns in (A, B):
            sh("ip", "netns", "add", ns)
        sh("ip", "link", "add", "va", "netns", A, "type", "veth", "peer", "name", "vb", "netns", B)
        for ns, end in ((A, "va"), (B, "vb")):
            for key in ("all", "default"):
                with subprocess.Popen(inside(ns, "tee", "/proc/sys/net/ipv6/conf/%s/disable_ipv6" % key), stdin=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
                    p.communicate(b"1") # a kernel without IPv6 has no such file
            sh("ip", "-n", ns, "link", "set", end, "arp", "off", "up")
    except OSError as e:
        clean()
        live.skip("namespaces cannot be made here: %s" % e)


def clean():
    for ns in (A, B):
        sh("ip", "netns", "del", ns, check=False)


def counters(ns, dev):
    return json.loads(sh("ip", "-n", ns, "-s", "-j", "link", "show", "dev", dev))[0]["stats64"]


def send(*captures, pps=FAST):
    """Sends them whole; returns how many packets the interface says it sent meanwhile."""
    before = counters(A, "va")["tx"]["packets"]
    sh(*inside(A, "tcpreplay", "-q", "-K", "-p", str(pps), "-i", "va", *captures))
    return counters(A, "va")["tx"]["packets"] - before


def settled(dev="vb"):
    """Waits until the counters of the receiving end stand still."""
    last = None
    for _ in range(50):
        now = counters(B, dev)["rx"]
        if now == last:
            return
        last = now
        time.sleep(0.1)


def in_b(*args, **more):
    return live.Live(t, "-i", "vb", *args, before=inside(B), **more)


def real_captures():
    """Whole Ethernet captures whose frames pass an MTU of 1500, and of which the kernel's counters tell the truth: a VLAN without an interface
    counts as dropped though it was seen, and the driver has the kernel put fragments of IPv4 together (PACKET_FANOUT_FLAG_DEFRAG)."""
    names = [n for n in sorted(t.facts()) if n.startswith(("CESNET", "google", "zeek", "kholia", "ntop")) and n.endswith(".pcap")]
    return [p for p in (os.path.join(t.set, n) for n in names) if os.path.getsize(p) < 300000 and fits(p)][::4]


def fits(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    if data[:4] != b"\xd4\xc3\xb2\xa1" or data[20:24] != b"\1\0\0\0":
        return False
    while at + 16 <= len(data):
        cap, wire = struct.unpack("<II", data[at + 8:at + 16])
        frame = data[at + 16:at + 16 + cap]
        at += 16 + cap
        if cap != wire or not 14 <= cap <= 1514 or frame[12:14] in (b"\x81\0", b"\x88\xa8"):
            return False
        if frame[12:14] == b"\x08\0" and len(frame) > 22 and struct.unpack("!H", frame[20:22])[0] & 0x3FFF:
            return False
    return at == len(data)


def balanced(label, folder, status, told, sent, dropped):
    """sent = seen + lost in the ledger + the interface's own drops; and all of it is in the segments."""
    if not t.check(status == 0 and told is not None, "%s: exit status %s", label, status):
        return
    seen, lost = told["received"], told["lost"]
    t.check(sent == seen + lost + dropped, "%s: %d sent, %d seen + %d lost + %d dropped by the interface", label, sent, seen, lost, dropped)
    ledger = live.ledger(folder)
    t.check(ledger.get("read") == seen and told["read"] == seen and told["unaccounted"] == 0, "%s: %s read of %d", label, ledger, seen)
    t.check(ledger.get("lost_packets", 0) == lost, "%s: segments tell of %s lost, not %d", label, ledger.get("lost_packets"), lost)
    t.check(sum(ledger.get("outcome", {}).values()) == seen, "%s: outcomes %s", label, ledger)
    print("%s: %d sent = %d seen + %d lost + %d dropped by the interface" % (label, sent, seen, lost, dropped))


def accounted(label, captures, pps, *args, held=None):
    folder = t.path(label, "")
    run = in_b("-o", folder, "--window", "1", *args)
    t.check(run.ready, "%s: it does not start: %s", label, run.text()[-300:])
    before = counters(B, "vb")["rx"]
    if held: # it is not scheduled for a while: its ring runs over
        run.p.send_signal(signal.SIGSTOP)
    sent = send(*captures, pps=pps)
    if held:
        time.sleep(held)
        run.p.send_signal(signal.SIGCONT)
    settled()
    run.settled()
    after = counters(B, "vb")["rx"]
    status, told, _ = run.end()
    balanced(label, folder, status, told, sent, after["dropped"] - before["dropped"])
    return told


def mix(packets):
    """A capture of one home's traffic, long enough to fill a ring."""
    path = t.path("mix.pcap")
    cpu = harness.frame("ac:ca:54:00:00:01", "02:00:00:00:00:01",
                        harness.ipv4("192.168.1.10", "198.18.0.1", 17, harness.udp(4000, 53, harness.dns_query(7, "pool.ntp.org"))))
    return harness.write_pcap(path, [(1519819200000000 + i * 10, cpu) for i in range(packets)])


# ---- how runs end

def best_of(times, what):
    """(fits, seconds): a machine that does other things too may be late once, not three times."""
    took = []
    for _ in range(3):
        ok, s = times()
        took.append(s)
        if not ok or s <= 2:
            return ok, s
    return t.check(False, "%s takes %s s", what, took), min(took)


def ends(sig):
    def once():
        folder = t.path("end-%d-%d" % (sig, time.monotonic_ns()), "")
        run = in_b("-o", folder, "--window", "1")
        sent = send(captures[0], pps=5000)
        time.sleep(0.3)
        status, told, took = run.end(sig)
        ok = t.check(status == 0 and told is not None and told["received"] == sent, "signal %d: exit status %s, %s of %d", sig, status,
                     told and told["received"], sent)
        ok = t.check(live.ledger(folder).get("read") == sent, "signal %d: not all was written", sig) and ok
        ok = t.check(any("shutdown" in json.dumps(h) for h, _ in live.heads(folder)), "signal %d: no segment tells of it", sig) and ok
        return ok, took
    ok, took = best_of(once, "the end after signal %d" % sig)
    print("signal %d: ends after %.2f s" % (sig, took))


def duration():
    began = time.monotonic()
    run = in_b("--duration", "2", "-o", t.path("duration", ""))
    status, told, _ = run.end(None)
    t.check(status == 0 and told and 1.9 < told["elapsed_s"] < 4, "--duration 2: exit status %s, %s", status, told and told["elapsed_s"])
    t.check(time.monotonic() - began < 20, "--duration 2 took %.1f s", time.monotonic() - began)


def reloads():
    policy, config = t.path("policy.yaml"), t.path("live.yaml")
    good = open(t.config("policy-rfc9325.yaml")).read()

    def write(path, text):
        with open(path, "w") as f:
            f.write(text)
    write(policy, good)
    write(config, "live:\n  free_bytes: 1048576\n")
    run = in_b("--policy", policy, "-c", config, "-o", t.path("reload", ""), "--window", "1")

    def hangup(expect, why):
        n = run.text().count(expect)
        run.p.send_signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while run.text().count(expect) == n and time.monotonic() < end:
            time.sleep(0.05)
        t.check(run.text().count(expect) > n, "SIGHUP with %s: no \"%s\" in %s", why, expect, run.text()[-300:])
    hangup("reloaded the TLS policy", "a good policy")
    write(policy, "no: [policy")
    hangup("everything stays as it was", "a broken policy")
    write(policy, good)
    write(config, "live:\n  free_bytes: none\n")
    hangup("everything stays as it was", "a broken configuration")
    write(config, "live:\n  free_bytes: 2097152\n  window_s: 30\n")
    hangup("reloaded the TLS policy", "a changed configuration")
    status, _, _ = run.end()
    t.check(status == 0, "after reloads: exit status %s", status)


def refusals():
    broken, ports = t.path("broken.yaml"), live.configuration(t, "ports", [("net_pcap0,rx_pcap=/nonexistent", 1)])
    with open(broken, "w") as f:
        f.write("live:\n  ports:\n    - {device: eth0}\n")
    for args, want in ((["-i", "nonesuch0"], 2), ([], 2), (["-i", "lo", "--window", "7"], 2), (["-i", "lo", "--nonsense"], 2),
                       (["-i", "lo", "-c", ports], 2), (["-i", "lo", "-f", "not a filter ("], 2), (["-c", broken], 3),
                       (["-c", "/nonexistent.yaml"], 3), (["-i", "lo", "--policy", broken], 3), (["-c", ports], 1),
                       (["-i", "lo", "-o", "/dev/null/x", "--duration", "1"], 1), (["-i", "lo", "--", "--no-such-argument"], 1),
                       (["-i", "lo", "--max-loss", "200"], 2), (["-i", "lo", "--user", "no-such-user-here", "--duration", "1"], 1)):
        r = t.run("live", *args, timeout=30)
        t.check(r.returncode == want and r.stderr.strip(), "live %s: exit status %d, not %d: %s", " ".join(args), r.returncode, want,
                r.stderr[-200:])


namespaces()
try:
    captures = real_captures()
    t.check(len(captures) >= 20, "only %d captures", len(captures))
    accounted("real", captures, FAST)
    flood = mix(60000)
    told = accounted("overrun", [flood], 200000, held=0.2)
    t.check(told is None or told["lost"] > 0, "a ring that was not read for a while lost nothing")
    ends(signal.SIGTERM)
    ends(signal.SIGINT)
    duration()
    reloads()
    refusals()
    run = in_b("--max-loss", "1%", "-o", t.path("loss", ""))
    run.p.send_signal(signal.SIGSTOP)
    send(flood, pps=200000)
    run.p.send_signal(signal.SIGCONT)
    time.sleep(1)
    status, told, _ = run.end()
    t.check(status == 5, "--max-loss: exit status %s, %s", status, told and (told["received"], told["lost"]))
finally:
    clean()
t.end()
