#!/usr/bin/env python3
"""Flags segments of real captures: every row is valid under docs/flags.schema.json; they name their summary by its hash; 'enrich' makes
the very same ones; commands that take a folder pass them over; judged sessions add up; --fail-on."""
import collections, hashlib, json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

try:
    import jsonschema
except ImportError:
    harness.skip("no python3-jsonschema")

t = harness.Test(__doc__)
schema = json.load(open(os.path.join(t.source, "docs", "flags.schema.json")))
validator_of = jsonschema.validators.validator_for(schema)
validator_of.check_schema(schema)
validator = validator_of(schema)


def flags(folder):
    return sorted(os.path.join(folder, n) for n in os.listdir(folder) if n.startswith("flags-"))


def check_rows(path, summary):
    text = harness.zstdcat(path)
    lines = text.splitlines(keepends=True)
    rows = [json.loads(line) for line in lines]
    for row in rows:
        error = jsonschema.exceptions.best_match(validator.iter_errors(row))
        t.check(error is None, "%s: %s in %s", os.path.basename(path), error and error.message[:200], json.dumps(row)[:300])
        t.check(not validator.is_valid(dict(row, surprise=1)), "the schema lets unknown members pass: %s", row["kind"])
    end = json.loads(harness.zstdcat(summary).splitlines()[-1])
    t.check(rows[0]["summary_sha256"] == end["sha256"], "%s names another summary", path)
    t.check(rows[-1]["sha256"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest(), "%s: its own hash", path)
    kinds = collections.Counter(r["kind"] for r in rows)
    for kind in ("finding", "judged"):
        t.check(rows[-1]["rows"].get(kind, 0) == kinds[kind], "%s: count of %s", path, kind)
    for row in rows:
        if row["kind"] == "judged":
            parts = sum(row.get(k, 0) for k in ("weak", "clean", "unknown", "failed"))
            t.check(parts == row["sessions"], "judged do not add up: %s", json.dumps(row))
            t.check(sum(row.get("unknown_why", {}).values()) == row.get("unknown", 0), "unknown without reasons: %s", json.dumps(row))
            t.check(sum(row["certificates"].values()) == row["sessions"] - row.get("failed", 0), "certificates: %s", json.dumps(row))
    return rows


every = sorted(os.path.join(t.set, n) for n in t.facts() if os.path.exists(os.path.join(t.set, n)))
captures = sorted(set(t.captures()) | {c for c in every if "ssl" in os.path.basename(c).lower() or "tls" in os.path.basename(c).lower()})
out = t.path("out", "")
totals = t.replay("-c", t.config("any-client.yaml"), "-o", out, *captures, want=(0, 4))
seen, rules, weak = collections.Counter(), collections.Counter(), collections.Counter()
for path in flags(out):
    summary = path.replace("/flags-", "/summary-")
    t.check(os.path.exists(summary), "%s has no summary", path)
    for row in check_rows(path, summary):
        seen[row["kind"]] += 1
        if row["kind"] == "finding":
            rules[row["rule"]] += 1
            if row["basis"] in ("accepted", "negotiated", "record_version") and row["severity"] != "info" and "client_type" in row:
                weak[row["rule"]] += row.get("sessions", 0)
t.check(len(flags(out)) == len(harness.segments(out)) > 100, "a flags segment each: %d of %d", len(flags(out)), len(harness.segments(out)))
for rule in ("SSLV2_NEG", "SSLV3_NEG", "TLS10", "TLS11", "RC4", "SWEET32", "STATIC_RSA", "OLD_CLIENT", "SSLV2_COMPAT_HELLO"):
    t.check(rules[rule] > 0, "no finding %s in all captures", rule)
    if rule in totals["tls"]["weak"]:
        t.check(totals["tls"]["weak"][rule] <= totals["tls"]["sessions"], "more weak sessions than sessions: %s", rule)
print(dict(rules), dict(seen))

# Remade: the same bytes; with another policy: other ones, and back.
before = {p: harness.zstdcat(p) for p in flags(out)}
t.check(t.run("enrich", out).returncode == 0, "enrich")
t.check(before == {p: harness.zstdcat(p) for p in flags(out)}, "enrich makes other flags than replay")
r = t.run("enrich", "--policy", t.config("policy-rfc9325.yaml"), out)
t.check(r.returncode == 0, "enrich --policy: %s", r.stderr)
t.check(all(before[p] != harness.zstdcat(p) for p in flags(out)), "the policy is not named")
t.check(t.run("enrich", out).returncode == 0 and before == {p: harness.zstdcat(p) for p in flags(out)}, "and back")

# Flags are passed over, in folders and by name.
a, b = t.show(out), t.show(*harness.segments(out))
c = t.show(*[os.path.join(out, n) for n in sorted(os.listdir(out))])
t.check(a == b == c, "flags change what show reads")
t.check({k: v for k, v in a.items()} == {k: v for k, v in totals.items() if k != "captures"}, "show is not replay: %s", json.dumps(a["tls"].get("weak")))
r = t.run("merge", "-o", t.path("merged.ndjson.zst"), "--window", "86400", *[os.path.join(out, n) for n in sorted(os.listdir(out))[:2]])
os.rename(flags(out)[0], t.path("other.ndjson.zst"))
r = t.run("show", t.path("other.ndjson.zst"))
t.check(r.returncode == 4 and b"flags" in r.stderr, "flags by another name: %d %s", r.returncode, r.stderr)

# By capture, replaced: the old folder goes, flags and all.
for n in range(2):
    r = t.run("replay", "-q", "--per-capture", "--force", "-o", t.path("each", ""), captures[0])
    t.check(r.returncode in (0, 4), "--per-capture: %s", r.stderr)
left = [n for n in os.listdir(t.path("each", "")) if ".old-" in n or n.startswith(".")]
t.check(not left, "--per-capture --force leaves %s behind", left)

# --fail-on
some = harness.segments(out)
for args, want in ((("--fail-on", "critical"), 6), (("--fail-on", "TLS10"), 6), (("--fail-on", "DH_REUSE_"), 2), (("--policy", "/nowhere"), 3)):
    for command in ("show", "enrich"):
        r = t.run(command, *args, *some)
        t.check(r.returncode == want, "%s %s: exit status %d, not %d: %s", command, args, r.returncode, want, r.stderr[:200])
ssl3 = [c for c in captures if "openssl-ssl3" in c] or [c for c in captures if "openssl102n" in c]
for capture in ssl3:
    for args, want in ((("--fail-on", "info"), 6), (("--fail-on", "HEARTBLEED"), 0)):
        r = t.run("replay", "-q", "-c", t.config("any-client.yaml"), *args, capture)
        t.check(r.returncode == want, "replay %s: exit status %d, not %d", args, r.returncode, want)
cut = t.path("cut.pcap")
if ssl3:
    data = open(ssl3[0], "rb").read()
    open(cut, "wb").write(data[:-7])
    r = t.run("replay", "-q", "-c", t.config("any-client.yaml"), "--fail-on", "info", cut)
    t.check(r.returncode == 4, "damage comes before findings: %d", r.returncode)
t.end()
