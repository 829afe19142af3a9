"""What the tests of live runs share: whether there can be one, running it, and its rows beside those of a replay."""
import json, os, re, signal, socket, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness
from harness import skip  # noqa: F401


def needed(t, root=False, tools=()):
    """Skips where live runs cannot be had, with the reason."""
    module = os.environ.get("TELLSCOPE_PORTS") or os.path.join(os.path.dirname(t.program), "tellscope-dpdk.so")
    if not os.path.exists(module):
        skip("the module for live ports is not built (no libdpdk): no %s" % module)
    if root and os.geteuid() != 0:
        skip("not root: no namespaces, no interfaces")
    for tool in tools:
        if subprocess.run(["sh", "-c", "command -v " + tool], stdout=subprocess.DEVNULL).returncode != 0:
            skip("no %s here" % tool)


def configuration(t, name, ports, base="any-client.yaml", more=""):
    """A file of configuration: `ports` are (device, workers)."""
    text = (open(t.config(base)).read() if base else "") + "live:\n" + more + "  ports:\n"
    text += "".join('    - {device: "%s", workers: %d}\n' % p for p in ports)
    path = t.path(name + ".yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


class Live:
    """A live run that goes on while the test does something else."""

    def __init__(self, t, *args, before=(), env=None, wait=True, ready=15):
        self.t, self.began = t, time.monotonic()
        self.log = t.path("live-%d-%s.log" % (os.getpid(), id(self)))
        self.err, self.out = open(self.log, "w+"), open(self.log + ".out", "w+")
        self.p = subprocess.Popen([*before, t.program, "live", "--no-huge", "--json", *map(str, args)], stdin=subprocess.DEVNULL,
                                  stdout=self.out, stderr=self.err, env={**os.environ, **(env or {})})
        self.ready = self.wait_for("no huge pages", ready) if wait else None

    def text(self):
        with open(self.log) as f:
            return f.read()

    def wait_for(self, text, seconds):
        """Until stderr has it; False where it does not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.p.poll() is None:
            if text in self.text():
                return True
            time.sleep(0.02)
        return text in self.text()

    def settled(self):
        """Waits until it has read what waits in its rings: what it tells of that stands still. It is asked as dpdk-telemetry.py does."""
        last, same = None, 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect("/run/dpdk/tellscope-%d/dpdk_telemetry.v2" % self.p.pid)
            s.recv(65536) # who it is
            for _ in range(120):
                s.send(b"/tellscope/stats")
                now = json.loads(s.recv(65536))["/tellscope/stats"]["received"]
                same = same + 1 if now == last else 0
                if same == 5:
                    return
                last = now
                time.sleep(0.5)

    def end(self, sig=signal.SIGTERM, timeout=40):
        """Stops it. Returns (exit status, counters or None, seconds it took)."""
        began = time.monotonic()
        if sig is not None:
            self.p.send_signal(sig)
        try:
            status = self.p.wait(timeout)
        except subprocess.TimeoutExpired:
            self.p.kill()
            status = self.p.wait()
        took = time.monotonic() - began
        self.out.seek(0)
        try:
            counters = json.loads(self.out.read())
        except ValueError:
            counters = None
        return status, counters, took


def run(t, config, out, *args, packets=None, duration=60, window=3600, env=None, want=(0,), quiet=True):
    """A live run to its end. Returns its counters, or None, which counts as a failed check."""
    a = ["live", "-c", config, "-o", out, "--no-huge", "--json", "--duration", duration, "--window", window, "--sensor", "replay"]
    a += ["--packets", packets] if packets else []
    a += ["-q"] if quiet else []
    r = t.run(*a, *args, timeout=duration + 60)
    if not t.check(r.returncode in want, "live: exit status %d: %s", r.returncode, r.stderr.decode("utf8", "replace")[-500:]):
        return None
    counters = json.loads(r.stdout)
    t.check(counters["unaccounted"] == 0, "%s packets are unaccounted for", counters["unaccounted"])
    for worker in counters["workers"]: # every stage of what it polled was timed
        untimed = [name for name, ns in worker["stage_ns"].items() if ns == 0 and name not in ("idle", "messages")]
        t.check(not untimed or worker["busy"] == 0, "a busy worker, and no time in %s", untimed)
    return counters


def rows_of(folder):
    """The rows of all segments below their names, less what only live runs have, and sums of the whole."""
    lines = []
    for name, text in harness.contents(folder).items():
        lines.append("== " + name)
        for line in text.decode().splitlines():
            if line.startswith('{"kind":"segment"'):
                line = re.sub(r',"live":\{[^}]*\}', "", line)
            elif line.startswith('{"kind":"end"'):
                line = re.sub(r',"sha256":"[^"]*"', "", line)
            lines.append(line)
    return lines


def same_rows(t, label, live, replay):
    """Are the rows of the two folders the same? Tells the first that are not."""
    a, b = rows_of(live), rows_of(replay)
    only = [x for x in a if x not in set(b)][:2] + [x for x in b if x not in set(a)][:2]
    return t.check(a == b and a, "%s: rows of live and replay differ (%d, %d): %s", label, len(a), len(b),
                   " | ".join(x[:300] for x in only))


def heads(folder):
    """[(head of the segment, ledger of its end row)], in order of their names."""
    both = []
    for text in harness.contents(folder).values():
        lines = text.splitlines()
        both.append((json.loads(lines[0]), json.loads(lines[-1]).get("ledger", {})))
    return both


def ledger(folder):
    """All ledgers of the folder's segments added up."""
    total = {}

    def add(to, of):
        for key, value in of.items():
            if isinstance(value, dict):
                add(to.setdefault(key, {}), value)
            elif isinstance(value, int):
                to[key] = to.get(key, 0) + value
    for _, one in heads(folder):
        add(total, one)
    return total


def lost(folder):
    """What the segments say was lost before us."""
    return sum(v for k, v in ledger(folder).items() if k.startswith("lost_"))
