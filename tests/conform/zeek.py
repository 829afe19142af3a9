#!/usr/bin/env python3
"""Zeek's dns.log, ssl.log, ntp.log and x509.log of real captures against our events and certificate rows."""
import os, re
import answers, harness

t = answers.Answers(__doc__, "zeek-differences.tsv")
EVE_VERSION = {"SSLv2": "SSLv2", "SSLv3": "SSLv3", "TLSv10": "TLSv1", "TLSv11": "TLS 1.1", "TLSv12": "TLS 1.2", "TLSv13": "TLS 1.3",
               "DTLSv10": "DTLS 1.0", "DTLSv12": "DTLS 1.2", "DTLSv13": "DTLS 1.3"}


def log(path):
    """Rows of a Zeek log as {field: text}; "-" is left out."""
    fields, rows = [], []
    for line in open(path, encoding="latin-1"):
        cells = line.rstrip("\n").split("\t")
        if cells[0] == "#fields":
            fields = cells[1:]
        elif not line.startswith("#") and fields:
            rows.append({k: v for k, v in zip(fields, cells) if v not in ("-", "(empty)")})
    return rows


def unescape(text):
    """Zeek's \\xNN as the bytes they stand for."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), text)


def ends(row, event):
    """+1 where the event goes from Zeek's originator, -1 towards it, else 0."""
    a, b = (row["id.orig_h"], int(row["id.orig_p"])), (row["id.resp_h"], int(row["id.resp_p"]))
    src, dst = (event["src_ip"], event["src_port"]), (event["dest_ip"], event["dest_port"])
    return 1 if (src, dst) == (a, b) else -1 if (src, dst) == (b, a) else 0


def dns(capture, path):
    events = [e for e in t.events(capture) if "dns" in e]
    for row in log(path):
        if row.get("id.resp_p") == "137" or row.get("id.orig_p") == "137" or "trans_id" not in row:
            continue                                    # NetBIOS names are nobody's here
        mine = [e for e in events if ends(row, e) and e["dns"]["id"] == int(row["trans_id"])]
        query = unescape(row["query"]).lower() if "query" in row else None
        what = "%s id %s" % (query, row["trans_id"])
        if query is not None:
            mine = [e for e in mine if [q for q in e["dns"].get("queries", []) + e["dns"].get("answers", []) if
                                        q.get("rrname", "").lower() == (query or ".")]]
        t.compare(capture, "dns", bool(mine), "%s: no event", what)
        answers_ = [e["dns"] for e in mine if e["dns"]["type"] == "response"]
        if not mine or "rcode_name" not in row or row.get("rtt") is None:
            continue                                    # Zeek saw the query only, or lost the pair
        t.compare(capture, "dns", bool(answers_), "%s: no response", what)
        if not answers_:
            continue
        t.compare(capture, "dns", row["rcode_name"] in {a["rcode"] for a in answers_}, "%s: rcode %s", what, answers_[0]["rcode"])
        rtts = [a["rtt"] for a in answers_ if "rtt" in a]
        t.compare(capture, "dns", any(abs(r - float(row["rtt"])) < 2e-6 for r in rtts), "%s: rtt %s, not %s", what, rtts, row["rtt"])
        t.compare(capture, "dns", (row["rejected"] == "T") in {a["rejected"] for a in answers_}, "%s: rejected", what)
        t.compare(capture, "dns", (row["AA"] == "T") in {a.get("aa", False) for a in answers_}, "%s: aa", what)
        told = sorted(x.lower() for x in unescape(row.get("answers", "")).split(",") if " " not in x)   # "RRSIG 1 example.org"
        if any(told) and row.get("qtype_name") in ("A", "AAAA", "CNAME", "PTR", "NS", "MX"):
            ours = [sorted(r["rdata"].lower() for r in a.get("answers", []) if "rdata" in r) for a in answers_]
            t.compare(capture, "dns", told in ours, "%s: answers %s, not %s", what, ours[:1], told)


def ssl(capture, path):
    several = "ssl-" in path        # the logs of several captures, one behind the other
    events = [e for e in t.events(capture) if e["event_type"] == "tls"]
    for row in log(path):
        version = row.get("version", "")
        what = "%s:%s" % (row["id.orig_h"], row["id.orig_p"])
        mine = [e["tls"] for e in events if ends(row, e)]
        if not mine and several:
            continue
        t.compare(capture, "ssl", len(mine) >= 1, "%s: no event", what)
        if not mine:
            continue
        draft = re.match(r"TLSv13-draft(\d+)$", version)
        want = {"version": "TLS 1.3 draft-" + draft.group(1) if draft else EVE_VERSION.get(version), "cipher": row.get("cipher"),
                "sni": row.get("server_name"), "established": row["established"] == "T", "last_alert": row.get("last_alert"),
                "next_protocol": row.get("next_protocol"), "resumed": row["resumed"] == "T"}
        flight = not version.startswith(("DTLSv10", "DTLSv12"))     # what comes after a ServerHello is read of TCP alone
        if version != "" and "curve" in row and flight:
            want["curve"] = row["curve"]
        if "subject" in row and row["resumed"] == "F":
            want["subject"], want["issuerdn"] = unescape(row["subject"]), unescape(row.get("issuer", ""))
        if version and want["version"] is None:
            del want["version"]                         # an experiment that Zeek calls by number
        for name, value in want.items():
            got = {tls.get(name, False if value is False else None) for tls in mine}
            t.compare(capture, "ssl", value in got, "%s: %s %s, not %s", what, name, sorted(map(str, got)), value)


def quic(capture, path):
    events = [e for e in t.events(capture) if e["event_type"] == "quic"]
    for row in log(path):
        what = "%s:%s" % (row["id.orig_h"], row["id.orig_p"])
        mine = [e for e in events if ends(row, e)]
        if "server_name" not in row and "server_scid" not in row:
            continue                                    # it saw a header, no hello
        t.compare(capture, "quic", bool(mine), "%s: no event", what)
        if not mine:
            continue
        version = {"1": "1", "quicv2": "6b3343cf"}.get(row["version"], row["version"])
        t.compare(capture, "quic", version in {e["quic"]["version"] for e in mine}, "%s: version %s, not %s", what,
                  [e["quic"]["version"] for e in mine], version)
        t.compare(capture, "quic", row.get("server_name") in {e["quic"].get("sni") for e in mine}, "%s: sni %s, not %s", what,
                  [e["quic"].get("sni") for e in mine], row.get("server_name"))


def quic_ssl(capture, path):
    for row in log(path):
        mine = [e["tls"] for e in t.events(capture) if e["event_type"] == "quic" and ends(row, e)]
        want = {"version": EVE_VERSION.get(row.get("version")), "cipher": row.get("cipher"), "curve": row.get("curve"),
                "sni": row.get("server_name")}
        for name, value in want.items():
            t.compare(capture, "quic", value in {tls.get(name) for tls in mine}, "%s:%s: %s %s, not %s", row["id.orig_h"], row["id.orig_p"],
                      name, [tls.get(name) for tls in mine], value)


def ntp(capture, path):
    events = [e for e in t.events(capture) if e["event_type"] == "ntp"]
    for row in log(path):
        what = "%s mode %s" % (row["id.orig_h"], row["mode"])
        mine = [e["ntp"] for e in events if ends(row, e) and e["ntp"]["mode"] == int(row["mode"])]
        near = lambda n, name: abs(n.get(name, 0) - float(row.get(name, 0))) < 2e-6
        mine = [n for n in mine if near(n, "xmt_time")] or mine[:1]
        t.compare(capture, "ntp", bool(mine), "%s: no event", what)
        if not mine:
            continue
        n = mine[0]
        for name in ("version", "stratum", "num_exts"):
            if name in row:
                t.compare(capture, "ntp", n.get(name) == int(row[name]), "%s: %s %s, not %s", what, name, n.get(name), row[name])
        for name in ("poll", "root_delay", "root_disp", "precision", "ref_time", "org_time", "rec_time", "xmt_time"):
            if name in row:
                t.compare(capture, "ntp", near(n, name), "%s: %s %s, not %s", what, name, n.get(name), row[name])
        if "ref_id" in row:
            text = unescape(row["ref_id"]).rstrip("\0")
            t.compare(capture, "ntp", n.get("ref_id", "") == text, "%s: ref_id %s, not %s", what, n.get("ref_id"), text)


def certificates(capture):
    """Facts of the certificates of a capture by their SHA-256."""
    out = t.path("certs", re.sub(r"\W", "_", capture), "")
    t.replay("--scope", "all", "-o", out, os.path.join(t.set, capture), want=(0, 4))
    rows = [r for s in harness.segments(out) for r in harness.rows(s) if r["kind"] == "cert"]
    return {r["facts"]["sha256"]: r["facts"] for r in rows if "facts" in r}


def x509(capture, path):
    if "dtls" in capture:
        return                                          # only what TCP carries is read
    mine = certificates(capture)
    for row in log(path):
        print_ = row.get("fingerprint", "")
        what = row.get("certificate.subject", print_)
        if len(print_) != 64:
            continue                                    # a script of the test chose another hash
        t.compare(capture, "x509", print_ in mine, "%s: no certificate", what)
        if print_ not in mine:
            continue
        facts = mine[print_]
        bits, curve = row.get("certificate.key_length"), row.get("certificate.curve")
        want = {"subject": unescape(row.get("certificate.subject", "")), "issuer": unescape(row.get("certificate.issuer", "")),
                "not_before_s": int(float(row["certificate.not_valid_before"])), "not_after_s": int(float(row["certificate.not_valid_after"])),
                "signature": row.get("certificate.sig_alg"), "ca": 1 if row.get("basic_constraints.ca") == "T" else None}
        if "certificate.key_type" in row:
            want["key"] = {"ecdsa": "ec"}.get(row["certificate.key_type"], row["certificate.key_type"])
        if bits is not None:
            want["key_bits"] = int(bits)
        if curve is not None:
            want["curve"] = curve
        names = [n for n in unescape(row.get("san.dns", "")).split(",") if n]
        if names and not facts.get("cut"):
            want["dns_names"] = names
        if row.get("certificate.exponent", "65537").isdigit():
            want["small_exponent"] = 1 if int(row.get("certificate.exponent", "65537")) < 65537 else None
        for name, value in want.items():
            t.compare(capture, "x509", facts.get(name) == value, "%s: %s %s, not %s", what, name, facts.get(name), value)


for capture, kind, path, how in t.mapping("zeek-dns", "zeek-ssl", "zeek-ntp", "zeek-quic", "zeek-x509"):
    if " -f " in how:
        continue                                        # a part of the capture only
    read = {"dns": dns, "ssl": ssl, "ntp": ntp, "qui": quic, "x50": x509}[kind[5:8]]
    (quic_ssl if read is ssl and "protocols.quic" in path else read)(capture, path)
t.end()
