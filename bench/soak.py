"""The run of soak.sh: see there."""
import argparse, json, os, signal, socket, statistics, subprocess, sys, time

ap = argparse.ArgumentParser()
for name, kind in (("program", str), ("capture", str), ("folder", str), ("minutes", float), ("every", float), ("cpu", int)):
    ap.add_argument("--" + name, type=kind, required=True)
a = ap.parse_args()
WARM_S = min(120, a.minutes * 60 / 3)
bad = []


def ask(pid, command):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect("/var/run/dpdk/tellscope-%d/dpdk_telemetry.v2" % pid)
        s.recv(16384)
        s.send(command.encode())
        return json.loads(s.recv(16384))[command]


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


told = {"read": 0, "lost": 0, "dropped": 0, "segments": 0}


def take_segments():
    """Adds up the segments that are there and removes them, flags too."""
    names = [n for n in os.listdir(a.folder) if n.endswith(".ndjson.zst")]
    ours = [os.path.join(a.folder, n) for n in names if n.startswith("summary-")]
    if ours:
        text = subprocess.run(["zstd", "-dcq", *ours], check=True, stdout=subprocess.PIPE).stdout
        for line in text.splitlines():
            if line.startswith(b'{"kind":"segment"'):
                told["dropped"] += json.loads(line)["live"].get("windows_dropped", 0)
                told["segments"] += 1
            elif line.startswith(b'{"kind":"end"'):
                ledger = json.loads(line)["ledger"]
                told["read"] += ledger.get("read", 0)
                told["lost"] += ledger.get("lost_packets", 0)
    for n in names:
        os.unlink(os.path.join(a.folder, n))


config = a.capture + ".yaml"
with open(config, "w") as f:
    f.write('live:\n  ports:\n    - {device: "net_pcap0,rx_pcap=%s,infinite_rx=1", cpus: "%d"}\n' % (a.capture, a.cpu))
args = [a.program, "live", "-c", config, "-o", a.folder, "--window", "1", "--no-huge", "--json", "--set", "live.mbufs=65536"]
run = subprocess.Popen(args, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
began, seen = time.monotonic(), []
print("%6s %10s %12s %16s %16s %12s %8s" % ("s", "RSS MiB", "free buffers", "received", "in segments", "not yet", "windows"))
try:
    time.sleep(5)
    while run.poll() is None and time.monotonic() - began < a.minutes * 60:
        stats = ask(run.pid, "/tellscope/stats")
        queues = ask(run.pid, "/tellscope/queues")
        take_segments()
        at, rss, free = time.monotonic() - began, resident(run.pid), queues["port_0"]["buffers_free"]
        print("%6d %10.1f %12d %16d %16d %12d %8d" % (at, rss / 2**20, free, stats["received"], told["read"], stats["received"] - told["read"],
                                                     told["segments"]), flush=True)
        seen.append((at, rss, free))
        time.sleep(a.every)
finally:
    if run.poll() is None:
        run.send_signal(signal.SIGTERM)
out = run.communicate(timeout=120)[0]
take_segments()
counters = json.loads(out)
warm = [x for x in seen if x[0] >= WARM_S]
if len(warm) < 4:
    bad.append("too short to tell: %d looks after warming up" % len(warm))
else:
    half = len(warm) // 2
    for name, i, sign, slack in (("memory", 1, 1, 64 << 10), ("buffers in use", 2, -1, 64)):
        early, late = (statistics.median(x[i] for x in part) for part in (warm[:half], warm[half:]))
        rises = sum(sign * (y[i] - x[i]) > slack for x, y in zip(warm, warm[1:]))
        print("%s: median %d, later %d; rose at %d of %d looks" % ("RSS" if i == 1 else "free buffers", early, late, rises, len(warm) - 1))
        # a step is a window of the pool that was never used before; a leak rises all the time
        if rises * 2 > len(warm) - 1 or sign * (late - early) > early / 4:
            bad.append("%s grow: %d, later %d" % (name, early, late))
dropped = counters["windows"]["dropped"]
print("received %d = read %d; in segments %d; lost %d; windows written %d, dropped %d; %.2f Mpps" % (
    counters["received"], counters["read"], told["read"], counters["lost"], counters["windows"]["written"], dropped,
    counters["received"] / counters["elapsed_s"] / 1e6))
if run.returncode != 0:
    bad.append("exit status %d" % run.returncode)
if counters["unaccounted"] != 0 or counters["received"] != counters["read"]:
    bad.append("the ledger does not balance: %d unaccounted" % counters["unaccounted"])
if dropped > 0 or counters["lost"] != told["lost"] or told["read"] != counters["read"]:
    bad.append("segments tell of %d read and %d lost; %d windows were dropped" % (told["read"], told["lost"], dropped))
for text in bad:
    print("FAILED: " + text)
sys.exit(1 if bad else 0)
