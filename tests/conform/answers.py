"""Other projects' answers about the same captures, against our events.

A difference must stand in a table with its reason: capture<TAB>topic<TAB>reason. A line in the table that no longer differs is a failure
too, so that the table stays true.
"""
import csv, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness


class Answers(harness.Test):
    def __init__(self, about, table, options=()):
        super().__init__(about)
        self.options = options                          # of every run
        self.known, self.differs, self.compared, self.cache = {}, {}, {}, {}
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), table)
        for line in open(path, encoding="utf8"):
            c = line.rstrip("\n").split("\t")
            if len(c) == 3 and not line.startswith("#"):
                self.known[(c[0], c[1])] = c[2]
        if not os.path.isfile(os.path.join(self.set, "expected", "mapping.tsv")):
            harness.skip("no answers under %s" % self.set)

    def mapping(self, *kinds):
        """(capture, kind, path of the answer, how it was made) where `kind` begins with one of `kinds`."""
        with open(os.path.join(self.set, "expected", "mapping.tsv"), encoding="utf8") as f:
            for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
                answer = os.path.join(self.set, "expected", row["answer"])
                if row["kind"].startswith(kinds) and os.path.exists(answer) and os.path.exists(os.path.join(self.set, row["capture"])):
                    yield row["capture"], row["kind"], answer, row["how"] or ""

    def events(self, capture):
        if capture not in self.cache:
            out = self.path("events", str(len(self.cache)), "")
            self.replay("-e", "all", "--scope", "all", *self.options, "-o", out, os.path.join(self.set, capture), want=(0, 4))
            self.cache[capture] = harness.events(out) if os.path.exists(out + "events.ndjson.zst") else []
        return self.cache[capture]

    def compare(self, capture, topic, same, text, *args):
        self.compared[topic] = self.compared.get(topic, 0) + 1
        if not same:
            self.differs.setdefault((capture, topic), []).append(text % args if args else text)

    def end(self):
        for topic in sorted(self.compared):
            print("%-16s %5d comparisons" % (topic, self.compared[topic]))
        for key, texts in sorted(self.differs.items()):
            self.check(key in self.known, "%s\t%s\t%d differences: %s", *key, len(texts), "; ".join(texts[:3]))
        for key in sorted(self.known):
            self.check(key in self.differs, "%s\t%s: listed as different, but it is not", *key)
        self.checks += sum(self.compared.values())
        super().end()
