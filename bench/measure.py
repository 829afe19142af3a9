#!/usr/bin/env python3
"""Runs programs pinned to one CPU and reports what they cost; see run.sh."""
import argparse, json, os, shutil, statistics, struct, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("what", choices=("speed", "fleet", "memory"))
ap.add_argument("--program", required=True)
ap.add_argument("--bound")
ap.add_argument("--capture", required=True)
ap.add_argument("--runs", type=int, default=7)
ap.add_argument("--flows", type=int, default=0)
ap.add_argument("--cpu", type=int, default=1)
a = ap.parse_args()


def run(*command):
    """(CPU seconds, wall seconds, peak KiB, stdout)."""
    with tempfile.TemporaryFile() as out:
        begin = time.monotonic()
        child = subprocess.Popen(["taskset", "-c", str(a.cpu), *command], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit("bench: %s: exit status %d" % (command[0], child.returncode))
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, out.read()


def replay(capture, *more, rows=False):
    """As run(), with what the segments hold: (files, compressed bytes, rows)."""
    folder = tempfile.mkdtemp(prefix="tellscope-bench-")
    try:
        result = run(a.program, "replay", "--json", "-q", "-o", folder, *more, capture)
        files = [os.path.join(folder, n) for n in os.listdir(folder)]
        n = sum(subprocess.run(["zstd", "-dcq", f], stdout=subprocess.PIPE).stdout.count(b"\n") for f in files) if rows else 0
        return result, (len(files), sum(os.path.getsize(f) for f in files), n)
    finally:
        shutil.rmtree(folder)


def line(name, cpu, wall, rss, packets):
    print("%-10s %7.2f Mpps %7.1f ns/packet   %6.3f s CPU %6.3f s wall   %6d MiB peak"
          % (name, packets / cpu / 1e6, cpu / packets * 1e9, cpu, wall, rss // 1024))


def speed():
    result, (files, size, rows) = replay(a.capture, rows=True)      # warms the page cache too
    packets = json.loads(result[3])["packets"]["read"]
    run(a.bound, a.capture, "read", "flow", "32", "1")
    bound, ours = [], []
    for _ in range(a.runs):
        bound.append(run(a.bound, a.capture, "read", "flow", "32", "1")[:3])
        ours.append(replay(a.capture)[0][:3])
    middle = lambda results: [statistics.median(r[i] for r in results) for i in range(3)]
    print("%d packets, %d runs of each, medians:" % (packets, a.runs))
    line("bound", *middle(bound), packets)
    line("replay", *middle(ours), packets)
    print("segments: %d files, %d rows, %d bytes (%.1f a row)" % (files, rows, size, size / max(rows, 1)))
    ratio = middle(ours)[0] / middle(bound)[0]
    # What writing rows may cost on top: 1.5 us each.
    without = (middle(ours)[0] - 1.5e-6 * rows) / middle(bound)[0]
    print("CPU ratio replay / bound: %.2f (%.2f without 1.5 us a row)" % (ratio, without))


def fleet():
    (cpu, wall, rss, out), (files, size, rows) = replay(a.capture, rows=True)
    totals = json.loads(out)
    line("replay", cpu, wall, rss, totals["packets"]["read"])
    print("%d gateways, %d rows in %d files of %d bytes; ledger %s"
          % (totals["gateways"], rows, files, size, json.dumps(totals.get("ledger", {}))))


def memory():
    with tempfile.NamedTemporaryFile(suffix=".pcap") as empty:
        empty.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        empty.flush()
        floor = run(a.program, "replay", "--json", "-q", empty.name)[2]
    # the limit of flows in the example configuration is for small machines; here all of them shall live
    (cpu, wall, rss, out), (files, size, rows) = replay(a.capture, "--set", "limits.tcp_flows=%d" % (a.flows * 5 // 4), rows=True)
    totals = json.loads(out)
    packets = totals["packets"]["read"]
    line("replay", cpu, wall, rss, packets)
    print("%d gateways, %d sessions, %d rows in %d files; ledger %s" % (totals["gateways"], totals["tls"].get("sessions", 0), rows,
                                                                      files, json.dumps(totals.get("ledger", {}))))
    print("an empty run: %d MiB; over that %.0f bytes for each of %d flows and all rows" % (floor // 1024, (rss - floor) * 1024 / a.flows, a.flows))


{"speed": speed, "fleet": fleet, "memory": memory}[a.what]()
