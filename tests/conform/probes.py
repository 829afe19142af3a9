#!/usr/bin/env python3
"""What Suricata, nDPI, Arkime, FlowTest and ipfixprobe say of DNS and TLS in real captures, against our events."""
import ipaddress, json, os, re
import answers

try:
    import yaml
except ImportError:
    answers.harness.skip("no python3-yaml")

t = answers.Answers(__doc__, "probes-differences.tsv")
VERSION = {0x0002: "SSLv2", 0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


# ---- Suricata: filters that count events

# Members we do not have, or that mean something else there: each string of a TXT record is an answer of its own.
ONLY_THERE = re.compile(r"^(pcap_cnt|flow_id|tx_id|dns\.tx_id|dns\.grouped|dns\.(answers|authorities|additionals)\[\d+\]\.(rdata|soa|srv|sshfp|txt)"
                        r"|dns\.answers\[[1-9]|dns\.opcode$|tls\.(from_proto|subject|issuerdn|serial|fingerprint|not|ja|client|server|chain|certificate|session|subjectalt)"
                        r"|has-key|not-has-key|ether|pkt_src|app_proto)")


def long_v6(addr):
    """Suricata writes IPv6 addresses in full."""
    if ":" not in addr:
        return addr
    left, _, right = addr.partition("::")
    a, b = ([p for p in x.split(":") if p] for x in (left, right))
    return ":".join(p.zfill(4) for p in a + ["0"] * (8 - len(a) - len(b)) + b) if "::" in addr else ":".join(p.zfill(4) for p in addr.split(":"))


def member(event, path):
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(event, list):
            event = event[int(part)] if int(part) < len(event) else None
        else:
            event = event.get(part) if isinstance(event, dict) else None
    return event


def matches(event, match):
    for path, want in match.items():
        got = member(event, path)
        if path in ("src_ip", "dest_ip"):
            got, want = long_v6(got), long_v6(str(want))
        if path.endswith("rrname") and got is not None:
            got = re.sub(r"\\(\d{3})", lambda m: chr(int(m.group(1))), got).replace("\\\\", "\\")
        if str(got).lower() != str(want).lower():
            return False
    return True


def suricata(capture, path):
    doc = yaml.safe_load(open(path, encoding="utf8"))
    if "pcap" in (doc or {}) and os.path.basename(str(doc["pcap"])) not in capture:
        return
    for check in (doc or {}).get("checks") or []:
        f = check.get("filter") or {}
        match = f.get("match") or {}
        kind = match.get("event_type")
        requires = json.dumps(f.get("requires") or {})
        if kind == "quic" and "lt-version" not in requires and f.get("count"):
            # There, an event is a packet, with lists we do not have.
            ours = [e for e in t.events(capture) if e["event_type"] == "quic"]
            t.compare(capture, "suricata-quic", bool(ours), "%s: no event", os.path.basename(path))
        if kind not in ("dns", "tls") or "lt-version" in requires or f.get("filename") or f.get("count") is None:
            continue
        if kind == "dns" and (match.get("dns.version") != 3 and match.get("dns.type") not in ("request", "response")):
            continue                                    # versions 1 and 2 count otherwise
        kept = {k: v for k, v in match.items() if not ONLY_THERE.match(k)}
        if not [k for k in kept if k.startswith(kind + ".")]:
            continue
        ours = sum(matches(e, kept) for e in t.events(capture))
        good = ours == f["count"] if kept == match or f["count"] == 0 else ours >= f["count"]
        t.compare(capture, "suricata-" + kind, good, "%s: %d of %d: %s", os.path.basename(path), ours, f["count"], json.dumps(kept)[:160])


# ---- nDPI: a line a flow

FLOW = re.compile(r"^\s+\d+\s+(TCP|UDP) (\[?[0-9a-fA-F.:]+?\]?):(\d+) (?:<->|->) (\[?[0-9a-fA-F.:]+?\]?):(\d+) (.*)$")


def address(addr):
    """Addresses as RFC 5952 has them, where nDPI's are any."""
    try:
        return str(ipaddress.ip_address(addr.strip("[]")))
    except ValueError:
        return addr


def flow_events(capture, proto, a, aport, b, bport):
    one, two = (address(a), int(aport)), (address(b), int(bport))
    return [e for e in t.events(capture) if e["proto"] == proto and
            {(e["src_ip"], e["src_port"]), (e["dest_ip"], e["dest_port"])} == {one, two}]


QUIC_VERSION = {"V-1": "1", "V-2": "6b3343cf", "MVFST-27": "faceb002", "MVFST-EXP": "faceb00e", "T050": "T050", "T051": "T051"}


def ndpi_quic(capture, what, rest, name, mine):
    version = re.search(r"\[QUIC ver: ([^\]]+)\]", rest)
    if not version or "[TLSv1.3]" not in rest:          # it did not see the ClientHello, or there is none (Google's Q versions)
        return
    draft = re.match(r"Draft-(\d+)$", version.group(1))
    want = "ff0000%02x" % int(draft.group(1)) if draft else QUIC_VERSION.get(version.group(1))
    quic = [e for e in mine if e["event_type"] == "quic"]
    t.compare(capture, "ndpi-quic", bool(quic), "%s: no event", what)
    if not quic:
        return
    t.compare(capture, "ndpi-quic", want in {e["quic"]["version"] for e in quic}, "%s: version %s, not %s", what,
              [e["quic"]["version"] for e in quic], version.group(1))
    names = {e["quic"].get("sni", "").lower() for e in quic}
    t.compare(capture, "ndpi-quic", (name.group(1).lower() if name else "") in names, "%s: sni %s, not %s", what, names, name and name.group(1))


def ndpi(capture, path):
    for line in open(path, encoding="utf8", errors="replace"):
        m = FLOW.match(line)
        if not m or "[VLAN" in line:
            continue
        proto, rest = m.group(1), m.group(6)
        app = re.search(r"\[proto: [\d.]+/([^\]]+)\]", rest)
        name = re.search(r"\[Hostname/SNI: ([^\]]+)\]", rest)
        app = app.group(1).split(".")[0] if app else ""
        mine = flow_events(capture, *m.groups()[:5])
        what = "%s:%s" % m.group(2, 3)
        if app == "TLS" and proto == "TCP":
            tls = [e["tls"] for e in mine if e["event_type"] == "tls"]
            cipher, version = re.search(r"\[Cipher: (TLS_[A-Z0-9_]+)\]", rest), re.search(r"\[(TLSv1(?:\.\d)?|SSLv3)\]", rest)
            if not (cipher or version or name):
                continue
            t.compare(capture, "ndpi-tls", bool(tls), "%s: no event", what)
            if tls and cipher:
                t.compare(capture, "ndpi-tls", cipher.group(1) in {x.get("cipher") for x in tls}, "%s: cipher %s, not %s", what,
                          [x.get("cipher") for x in tls], cipher.group(1))
            if tls and cipher and version:
                want = version.group(1).replace("TLSv1.", "TLS 1.")
                t.compare(capture, "ndpi-tls", want in {x.get("version") for x in tls}, "%s: version %s, not %s", what,
                          [x.get("version") for x in tls], want)
            if tls and name:
                t.compare(capture, "ndpi-tls", name.group(1).lower() in {x.get("sni", "").lower() for x in tls}, "%s: sni %s, not %s", what,
                          [x.get("sni") for x in tls], name.group(1))
        elif app == "QUIC":
            ndpi_quic(capture, what, rest, name, mine)
        elif proto == "UDP" and "[DTLSv1" in rest:
            tls = [e["tls"] for e in mine if e["event_type"] == "tls"]
            cipher, version = re.search(r"\[Cipher: (TLS_[A-Z0-9_]+)\]", rest), re.search(r"\[DTLSv(1\.\d)\]", rest)
            t.compare(capture, "ndpi-dtls", bool(tls), "%s: no event", what)
            if tls and cipher:
                t.compare(capture, "ndpi-dtls", cipher.group(1) in {x.get("cipher") for x in tls}, "%s: cipher %s, not %s", what,
                          [x.get("cipher") for x in tls], cipher.group(1))
            if tls and version:                         # of the ServerHello; where there is none, of the ClientHello
                ours = [x.get("version", x.get("client_max_version")) for x in tls]
                t.compare(capture, "ndpi-dtls", "DTLS " + version.group(1) in ours, "%s: version %s, not %s", what, ours, version.group(1))
            if tls and name:
                t.compare(capture, "ndpi-dtls", name.group(1).lower() in {x.get("sni", "").lower() for x in tls}, "%s: sni %s, not %s", what,
                          [x.get("sni") for x in tls], name.group(1))
        elif app == "DNS" and name and "53" in m.group(3, 5) and "?" not in name.group(1):
            plain = lambda text: re.sub(r"[^0-9a-z.-]", "_", text.lower())      # there, other characters are replaced
            names = {plain(q.get("rrname", "")) for e in mine if "dns" in e for q in e["dns"].get("queries", [])}
            t.compare(capture, "ndpi-dns", plain(name.group(1)) in names, "%s: %s, not %s", what, sorted(names)[:3], name.group(1))
        elif app == "NTP" and proto == "UDP" and "123" in m.group(3, 5):
            t.compare(capture, "ndpi-ntp", any("ntp" in e for e in mine), "%s: no event", what)


# ---- FlowTest: a flow with fields

def flowtest(capture, path):
    doc = yaml.safe_load(open(path, encoding="utf8"))
    for flow in doc.get("flows") or []:
        if "src_port" not in flow:
            continue
        mine = flow_events(capture, {6: "TCP", 17: "UDP"}[flow["protocol"]], flow["src_ip"], flow["src_port"], flow["dst_ip"], flow["dst_port"])
        if "tls_server_version" in flow:
            tls = [e["tls"] for e in mine if e["event_type"] == "tls"]
            want = {"version": VERSION[flow["tls_server_version"]], "client_max_version": VERSION.get(flow["tls_client_version"])}
            if want["client_max_version"] is None:
                del want["client_max_version"]          # GREASE was taken for a version there
            if flow.get("tls_sni"):
                want["sni"] = flow["tls_sni"]
            for name, value in want.items():
                t.compare(capture, "flowtest", value in [x.get(name) for x in tls], "%s %s, not %s", name, [x.get(name) for x in tls], value)
        for side, fields in (("request", flow.get("_forward") or {}), ("response", flow.get("_reverse") or {})):
            if "dns_flags" not in fields:
                continue
            dns = [e["dns"] for e in mine if "dns" in e and e["dns"]["type"] == side and e["dns"]["id"] == flow["dns_id"]]
            t.compare(capture, "flowtest", ["%x" % fields["dns_flags"]] == [d["flags"] for d in dns], "%s: flags %s", side, [d["flags"] for d in dns])
            for record in fields.get("dns_resp_rr") or []:
                ours = [(r["rrname"].lower(), r["ttl"]) for d in dns for r in d.get("answers", []) + d.get("authorities", [])]
                t.compare(capture, "flowtest", (record["name"].lower() or ".", record["ttl"]) in ours, "%s: no record %s in %s", side, record, ours)
            if "dns_req_query_name" in fields:
                ours = [q["rrname"] for d in dns for q in d.get("queries", [])]
                t.compare(capture, "flowtest", [fields["dns_req_query_name"]] == ours, "%s: queries %s", side, ours)


# ---- Arkime: sessions

def arkime(capture, path):
    doc = json.load(open(path, encoding="utf8"))
    for session in doc.get("sessions3") or doc.get("sessions2") or []:
        body = session["body"]
        if "source" not in body or "port" not in body["source"]:
            continue
        proto = {6: "TCP", 17: "UDP"}.get(body.get("ipProtocol"))
        mine = flow_events(capture, proto, body["source"]["ip"], body["source"]["port"], body["destination"]["ip"], body["destination"]["port"])
        tls = body.get("tls") or {}
        if proto == "TCP" and (tls.get("version") or tls.get("cipher")):
            ours = [e["tls"] for e in mine if e["event_type"] == "tls"]
            for cipher in tls.get("cipher") or []:
                t.compare(capture, "arkime-tls", cipher in [x.get("cipher") for x in ours], "cipher %s, not %s", [x.get("cipher") for x in ours], cipher)
            for version in tls.get("version") or []:
                want = {"SSLv3": "SSLv3", "TLSv1": "TLSv1", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}.get(version)
                if want:
                    t.compare(capture, "arkime-tls", want in [x.get("version") for x in ours], "version %s, not %s", [x.get("version") for x in ours], version)
        if "dtls" in (body.get("protocol") or []):
            ours = [e.get("community_id") for e in mine if e["event_type"] == "tls"]
            t.compare(capture, "arkime-dtls", ours == [body["network"]["community_id"]], "%s", ours)
        for dns in body.get("dns") or []:
            if not isinstance(dns, dict) or not dns.get("queryHost"):
                continue
            names = {q.get("rrname", "").lower() for e in mine if "dns" in e for q in e["dns"].get("queries", [])}
            t.compare(capture, "arkime-dns", dns["queryHost"].lower() in names, "%s, not %s", sorted(names)[:3], dns["queryHost"])


for capture, kind, path, how in t.mapping("suricata", "ndpi", "flowtest", "arkime"):
    {"s": suricata, "n": ndpi, "f": flowtest, "a": arkime}[kind[0]](capture, path)
t.end()
