#!/usr/bin/env python3
"""JA4, JA3 and JA3S as FoxIO, Arkime, nDPI, Suricata, ipfixprobe and FlowTest have them of real captures, against our events."""
import csv, ipaddress, json, os, re
import answers

try:
    import yaml
except ImportError:
    answers.harness.skip("no python3-yaml")

t = answers.Answers(__doc__, "fingerprints-differences.tsv", ("--set", "tls.ja3=true"))
JA4 = r"[tqd](?:\d\d|s\d|d\d)[di]\d{4}.._[0-9a-f]{12}_[0-9a-f]{12}"
CARRIERS = ("TCP", "UDP")   # over UDP: QUIC and DTLS


def end(addr, port):
    """An IPv6 address has more than one spelling; some that are told are none."""
    try:
        return ipaddress.ip_address(addr.strip("[]")), int(port)
    except ValueError:
        return addr, int(port)


def mine(capture, proto, a, aport, b, bport):
    ends = {end(a, aport), end(b, bport)}
    return [e["tls"] for e in t.events(capture) if e["event_type"] in ("tls", "quic") and (proto is None or e["proto"] == proto) and
            {end(e["src_ip"], e["src_port"]), end(e["dest_ip"], e["dest_port"])} == ends]


def told(tls, name):
    """All values of ja4, ja3 or ja3s."""
    values = [x.get(name) for x in tls]
    return [v["hash"] if isinstance(v, dict) else v for v in values if v]


def compare(capture, who, tls, name, want, what):
    got = told(tls, name)
    t.compare(capture, "%s-%s" % (who, name), want in got, "%s: %s %s, not %s", what, name, got, want)


def foxio(capture, path):
    for s in json.load(open(path)):
        if "JA4.1" not in s:
            continue
        tls = mine(capture, None, s["src"], s["srcport"], s["dst"], s["dstport"])
        if tls or "tls-alpn" in path or "https3" in path:     # ipv6.pcapng holds more than this capture
            compare(capture, "foxio", tls, "ja4", s["JA4.1"], s["srcport"])


def arkime(capture, path):
    doc = json.load(open(path, encoding="utf8"))
    for session in doc.get("sessions3") or doc.get("sessions2") or []:
        body = session["body"]
        tls = body.get("tls") or {}
        proto = {6: "TCP", 17: "UDP"}.get(body.get("ipProtocol"))
        if proto not in CARRIERS or not tls:
            continue
        ours = mine(capture, proto, body["source"]["ip"], body["source"]["port"], body["destination"]["ip"], body["destination"]["port"])
        for name in ("ja4", "ja3", "ja3s"):
            for want in tls.get(name) or []:
                compare(capture, "arkime", ours, name, want, body["source"]["port"])


FLOW = re.compile(r"^\s+\d+\s+(TCP|UDP) (\[?[0-9a-fA-F.:]+?\]?):(\d+) (?:<->|->) (\[?[0-9a-fA-F.:]+?\]?):(\d+) (.*)$")


def ndpi_ja4(want, line):
    """Its JA4 by the specification: it says d of a hello without a name too (and i of a name that is an address), and takes the first two
    characters of the ALPN protocol, not the first and the last."""
    name, alpn = re.search(r"\[Hostname/SNI: [^\]]", line), re.search(r"\[\(Advertised\) ALPNs: ([^\];]+)", line)
    if alpn and want[8:10] == alpn.group(1)[:2]:
        want = want[:8] + alpn.group(1)[0] + alpn.group(1)[-1] + want[10:]
    return want[:3] + ("d" if name else "i") + want[4:]


def ndpi(capture, path):
    for line in open(path, encoding="utf8", errors="replace"):
        m = FLOW.match(line)
        if not m or "[VLAN" in line or m.group(1) not in CARRIERS:
            continue
        tls = mine(capture, *m.groups()[:5])
        for name, pattern in (("ja4", r"\[JA4: (%s)\]" % JA4), ("ja3", r"\[JA3C: ([0-9a-f]{32})\]"), ("ja3s", r"\[JA3S: ([0-9a-f]{32})\]")):
            for want in re.findall(pattern, m.group(6)):
                compare(capture, "ndpi", tls, name, ndpi_ja4(want, m.group(6)) if name == "ja4" else want, "%s:%s" % m.group(2, 3))


def suricata(capture, path):
    doc = yaml.safe_load(open(path, encoding="utf8")) or {}
    if "pcap" in doc and os.path.basename(os.path.dirname(str(doc["pcap"]))) not in capture:
        return
    for check in doc.get("checks") or []:
        f = check.get("filter") or {}
        match = f.get("match") or {}
        for key, name in (("tls.ja4", "ja4"), ("tls.ja3.hash", "ja3"), ("tls.ja3s.hash", "ja3s")):
            if key in match and match.get("event_type") in ("tls", "alert") and f.get("count"):
                tls = [e["tls"] for e in t.events(capture) if e["event_type"] == "tls"]
                compare(capture, "suricata", tls, name, match[key], os.path.basename(path))


def ipfixprobe(capture, path):
    """It counts GREASE among the extensions, which its own list of them tells."""
    for row in csv.reader(open(path, encoding="utf8")):
        at = next((i for i, cell in enumerate(row) if re.match(JA4 + "$", cell)), None)
        if at is None:
            continue
        dst, src, dport, sport, ja3, ja4, listed = row[0], row[1], row[11], row[12], row[at - 1], row[at], row[-1]
        grease = sum((int(x) & 0x0F0F) == 0x0A0A and int(x) >> 8 == int(x) & 255 for x in listed.strip("[]").split("|") if x)
        want = ja4[:6] + "%02d" % (int(ja4[6:8]) - grease) + ja4[8:]
        tls = mine(capture, "TCP", src, sport, dst, dport)
        compare(capture, "ipfixprobe", tls, "ja4", want, sport)
        compare(capture, "ipfixprobe", tls, "ja3", ja3, sport)


def flowtest(capture, path):
    for flow in yaml.safe_load(open(path, encoding="utf8")).get("flows") or []:
        if "tls_ja3" in flow:
            tls = mine(capture, "TCP", flow["src_ip"], flow["src_port"], flow["dst_ip"], flow["dst_port"])
            compare(capture, "flowtest", tls, "ja3", str(flow["tls_ja3"])[2:], str(flow["src_port"]))


READERS = {"ja4-json": foxio, "arkime-test": arkime, "ndpi-out": ndpi, "suricata-verify-yaml": suricata, "ipfixprobe-tls": ipfixprobe,
           "flowtest-yml": flowtest}
for capture, kind, path, how in t.mapping(*READERS):
    if kind in READERS:
        READERS[kind](capture, path)
t.end()
