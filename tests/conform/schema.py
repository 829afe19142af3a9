#!/usr/bin/env python3
"""Every row of every segment of real captures is valid under docs/summary.schema.json."""
import json, os
import os.path, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

try:
    import jsonschema
except ImportError:
    harness.skip("no python3-jsonschema")

t = harness.Test(__doc__)
path = os.path.join(t.source, "docs", "summary.schema.json")
if not os.path.exists(path):
    harness.skip("no %s" % path)
schema = json.load(open(path))
validator_of = jsonschema.validators.validator_for(schema)
validator_of.check_schema(schema)
validator = validator_of(schema)

seen = {}
for config in ("any-client.yaml", None):
    captures = t.captures() if config else t.captures()[::8]
    for start in range(0, len(captures), 100):      # many captures a run: as many kinds of rows, and fewer runs
        out = t.path(config or "default", str(start), "")
        t.replay(*(["-c", t.config(config)] if config else []), "-o", out, *captures[start:start + 100], want=(0, 4))
        shapes = set()
        for segment in harness.segments(out):
            for row in harness.rows(segment):
                seen[row["kind"]] = seen.get(row["kind"], 0) + 1
                # Rows of one shape differ in values; validate each shape often, not each row of thousands.
                shape = (row["kind"], tuple(sorted(row)), seen[row["kind"]] % 16)
                if shape in shapes:
                    continue
                shapes.add(shape)
                error = jsonschema.exceptions.best_match(validator.iter_errors(row))
                t.check(error is None, "%s: %s in %s", os.path.basename(segment), error and error.message[:200], json.dumps(row)[:200])
        bad = [dict(json.loads(json.dumps(row)), surprise=1) for segment in harness.segments(out)[:1] for row in harness.rows(segment)[:1]]
        for row in bad:
            t.check(not validator.is_valid(row), "the schema lets unknown members pass: %s", json.dumps(row)[:200])
for kind in ("segment", "coverage", "gateway", "binding", "peer", "ntp", "dns", "tls", "hello", "totals", "end"):
    t.check(seen.get(kind, 0) > 0, "no row of kind %s in all captures", kind)
print(" ".join("%s=%d" % kv for kv in sorted(seen.items())))
t.end()
