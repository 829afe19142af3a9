#!/usr/bin/env python3
"""Law 1 over real captures: every packet has one outcome, segments say what the run said, nobody's traffic is lost on the way.

For the default configuration and for configs/any-client.yaml, capture by capture: read = sum of outcomes = packets of the captures; `show --json` of the segments equals `replay --json`; exit status 0, or 4 with a damaged capture named. Under
any-client at least half of the captures with IP traffic give a row of a client.
"""
from concurrent.futures import ThreadPoolExecutor
import json, os
import harness

t = harness.Test(__doc__.split("\n")[0])


def one(job):
    number, capture, config = job
    name = os.path.basename(capture)
    out = t.path("out", "%d" % number)
    args = (["-c", t.config(config)] if config else []) + ["-o", out, capture]
    r = t.run("replay", "--json", "-q", *args)
    what = "%s (%s)" % (name, config or "default")
    if not t.check(r.returncode in (0, 4), "%s: exit status %d: %s", what, r.returncode, r.stderr[-200:]):
        return None
    totals = json.loads(r.stdout)
    packets = totals.get("packets", {})      # absent means zero
    read = packets.get("read", 0)
    t.check(read == sum(packets.get("outcome", {}).values()), "%s: read %s, outcomes %s", what, read, packets)
    captures = totals.pop("captures")
    t.check(read == sum(c["packets"] for c in captures), "%s: read %s, captures %s", what, read, captures)
    t.check((r.returncode == 4) == (captures[0]["error"] is not None), "%s: exit status %d, error %s", what, r.returncode,
            captures[0]["error"])
    files = harness.segments(out)
    if files:
        shown = t.show(out)
        t.check(shown == totals, "%s: show says %s, replay %s", what, json.dumps(shown)[:300], json.dumps(totals)[:300])
    else:
        t.check(read == 0, "%s: %d packets and no segment", what, read)
    clients = [row for f in files for row in harness.rows(f) if row["kind"] == "gateway"]
    ip = totals.get("ip", {})
    return config is not None and ip.get("v4", 0) + ip.get("v6", 0) > 0, bool(clients)


jobs = [(2 * i + (config is not None), c, config) for i, c in enumerate(t.captures()) for config in (None, "any-client.yaml")]
with ThreadPoolExecutor(2) as pool:
    results = [r for r in pool.map(one, jobs) if r]
with_ip = [has_client for any_client_ip, has_client in results if any_client_ip]
t.check(2 * sum(with_ip) >= len(with_ip), "a client's row in %d of %d captures with IP", sum(with_ip), len(with_ip))
t.end()
