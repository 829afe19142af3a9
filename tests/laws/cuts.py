#!/usr/bin/env python3
"""Law 6: every capture of the set, cut at two random places and with one random byte turned, is read as far as it goes: exit status 0 or 4,
no crash, and what was read is accounted for. Seeded: the same cuts every time. Under a sanitizer this is where over-reads show."""
import os, random
import harness

t = harness.Test(__doc__.split("\n")[0])
rnd = random.Random(2018)
paths = []
for i, capture in enumerate(t.captures()):
    with open(capture, "rb") as f:
        data = bytearray(f.read(1 << 20))
    for k in range(3):
        part = bytearray(data[:rnd.randrange(len(data) + 1)])
        if k == 2 and part:
            part[rnd.randrange(len(part))] ^= 1 << rnd.randrange(8)
        path = t.path("cuts", "%04d-%d" % (i, k))
        with open(path, "wb") as f:
            f.write(part)
        paths.append(path)
GROUP = 40
for at in range(0, len(paths), GROUP):
    group = paths[at:at + GROUP]
    totals = t.replay("--scope", "all", *group, want=(0, 4), timeout=300)
    if totals is None:
        for path in group:      # which one was it?
            t.replay("--scope", "all", path, want=(0, 4))
        continue
    p = totals["packets"]
    t.check(p.get("read", 0) == sum(p.get("outcome", {}).values()), "group %d: %s", at, p)
    t.check(sum(c["packets"] for c in totals["captures"]) == p.get("read", 0), "group %d: captures do not add up to read", at)
    for path in group:
        os.unlink(path)
t.end()
