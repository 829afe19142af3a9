#!/usr/bin/env python3
"""Laws 2 and 3 over real captures: order and splits do not show.

Captures one by one and merged, all in one run, and all in one run backwards give the same segments, byte for byte, and the same totals.
"""
import os
import harness

t = harness.Test(__doc__.split("\n")[0])


def law(config):
    base = ["-c", t.config(config)] if config else []
    label = config or "default"
    captures, alone, known = [], [], set()
    for i, capture in enumerate(t.captures()):
        out = t.path(label, "alone", str(i), "")
        if t.replay(*base, "-o", out, capture, want=(0, 4)) is None:
            continue
        content = tuple(sorted(harness.contents(out).items()))
        if content in known:            # a segment given twice counts once, so the same packets under two names cannot be told
            continue
        known.add(content)
        captures.append(capture)
        alone.append(out)
    t.check(len(captures) >= 20, "%s: only %d captures", label, len(captures))
    forward, backward = t.path(label, "forward", ""), t.path(label, "backward", "")
    one = t.replay(*base, "-o", forward, *captures, want=(0, 4))
    two = t.replay(*base, "-o", backward, *reversed(captures), want=(0, 4))
    if one is None or two is None:
        return
    by_path = lambda totals: sorted(totals.pop("captures"), key=lambda c: c["path"])
    t.check(by_path(one) == by_path(two), "%s: captures differ with the order", label)
    t.check(one == two, "%s: totals differ with the order", label)
    want = harness.contents(forward)
    t.check(want == harness.contents(backward), "%s: segments differ with the order", label)
    for name in want:
        parts = [os.path.join(d, name) for d in alone if os.path.exists(os.path.join(d, name))]
        merged = t.path(label, "merged", name)
        r = t.run("merge", "-o", merged, *parts)
        if t.check(r.returncode == 0, "%s: merge of %s: %d %s", label, name, r.returncode, r.stderr[-200:]):
            t.check(harness.zstdcat(merged) == want[name], "%s: %s merged from %d parts differs", label, name, len(parts))
    shown = t.show(*alone)
    t.check(shown == one, "%s: show of the parts differs from the run", label)
    # merging goes by halves too: (a b) (c d) = a b c d
    half = len(alone) // 2
    for name, d in (("left", alone[:half]), ("right", alone[half:])):
        r = t.run("merge", "-o", t.path(label, "halves", name, ""), *d)
        t.check(r.returncode == 0, "%s: merge of the %s half: %d %s", label, name, r.returncode, r.stderr[-200:])
    r = t.run("merge", "-o", t.path(label, "whole", ""), t.path(label, "halves", "left"), t.path(label, "halves", "right"))
    t.check(r.returncode == 0 and harness.contents(t.path(label, "whole", "")) == want, "%s: merged halves differ", label)


law("any-client.yaml")
law(None)
t.end()
