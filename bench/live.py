#!/usr/bin/env python3
"""Speed of `tellscope live` on one worker core, each run beside its yardstick in the same minutes.

usage: bench/live.py [--program PATH] [--runs N] [--seconds N] [--cpu N] [--cache DIR] [--no-huge]

The whole job, windows closing every second, fed by net_pcap with infinite_rx from memory:
  40,000 packets of the mix   beside dpdk-testpmd rxonly, which only receives
  300,000 packets of the mix  beside pipe (rtc), which parses and keeps a flow table, and decodes nothing
A run counts only if its DNS, NTP and ClientHello counts fit passes x those of the file within 1 %: later passes must be real work.
The control, window and writer threads may run on every CPU but that of the worker. Needs root, libdpdk and, but for --no-huge, 1 GiB
of huge pages (sysctl vm.nr_hugepages=1024)."""
import argparse, glob, json, os, re, shutil, statistics, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--program", default=os.path.join(here, "../build/tellscope"))
ap.add_argument("--runs", type=int, default=3)
ap.add_argument("--seconds", type=int, default=10)
ap.add_argument("--cpu", type=int, default=1)
ap.add_argument("--cache", default=os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "tellscope-bench"))
ap.add_argument("--shared", default=os.environ.get("TELLSCOPE_SHARED", os.path.join(here, "../../shared")))
ap.add_argument("--no-huge", action="store_true")
a = ap.parse_args()
perf = os.path.join(a.shared, "tools/perf")
os.makedirs(a.cache, exist_ok=True)
other = next((c for c in sorted(os.sched_getaffinity(0)) if c != a.cpu), a.cpu)


def built(source, name, *flags):
    target = os.path.join(a.cache, name)
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        subprocess.run(["gcc", "-O3", "-w", source, "-o", target + ".new", *flags], check=True)
        os.rename(target + ".new", target)
    return target


def mix(packets):
    path = os.path.join(a.cache, "mix-%d.pcap" % packets)
    if not os.path.exists(path):
        gencap = built(os.path.join(perf, "gencap.c"), "gencap")
        subprocess.run([gencap, path + ".new", "mix", str(packets), "1"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "TEMPLATES": os.path.join(perf, "tls-templates.bin")})
        os.rename(path + ".new", path)
    return path


def eal(prefix):
    memory = ["--no-huge", "-m", "1024"] if a.no_huge else ["--in-memory"]
    return ["-l", "%d,%d" % (other, a.cpu), "--no-pci", "--no-telemetry", *memory, "--file-prefix=" + prefix]


def testpmd(capture):
    command = ["timeout", "-s", "INT", str(a.seconds + 6), "dpdk-testpmd", *eal("benchpmd"), "--vdev=net_pcap0,rx_pcap=%s,infinite_rx=1" % capture,
               "--", "--forward-mode=rxonly", "--nb-cores=1", "--rxq=1", "--txq=1", "--burst=32", "--total-num-mbufs=131072",
               "--stats-period", "1", "--no-mlockall"]
    out = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    rates = [int(n) for n in re.findall(r"Rx-pps: *(\d+)", out) if int(n) > 0]
    if not rates:
        sys.exit("bench: dpdk-testpmd gave no rate:\n" + out[-2000:])
    return statistics.median(rates)


def pipe(capture):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libdpdk"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    program = built(os.path.join(perf, "pipe.c"), "pipe", *flags, "-march=native", "-I" + perf, "-lpthread")
    command = [program, *eal("benchpipe"), "--vdev=net_pcap0,rx_pcap=%s,infinite_rx=1" % capture, "--main-lcore=%d" % a.cpu,
               "--", "rtc", capture, "32", str(a.seconds)]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "NMB": "524288"}).stdout
    found = re.search(r"RESULT.* ([\d.]+) Mpps", out)
    if not found:
        sys.exit("bench: pipe gave no rate:\n" + out[-2000:])
    return float(found[1]) * 1e6


def counts(totals):
    return {"ntp": totals["ntp"]["packets"], "dns": totals["dns"]["udp_messages"], "hellos": totals["tls"]["client_hellos"]}


def live(capture, packets):
    folder = tempfile.mkdtemp(prefix="tellscope-bench-")
    try:
        config = os.path.join(folder, "c.yaml")
        with open(config, "w") as f:
            f.write("sensor: bench\nlive:\n  window_s: 1\n  mbufs: %d\n  ports:\n"
                    '    - {device: "net_pcap0,rx_pcap=%s,infinite_rx=1", workers: 1, cpus: "%d"}\n' % (524287 if packets > 100000 else 131071, capture, a.cpu))
        command = ["taskset", "-c", ",".join(str(c) for c in sorted({other, a.cpu})), a.program, "live", "-c", config, "-o", folder + "/out",
                   "--duration", str(a.seconds), "--json", "-q"] + (["--no-huge"] if a.no_huge else [])
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if run.returncode:
            sys.exit("bench: live: exit status %d\n%s" % (run.returncode, run.stderr))
        c = json.loads(run.stdout)
        show = json.loads(subprocess.run([a.program, "show", "--json", folder + "/out"], check=True, stdout=subprocess.PIPE).stdout)
        file = json.loads(subprocess.run([a.program, "replay", "--json", "-q", capture], check=True, stdout=subprocess.PIPE).stdout)
        passes = c["received"] / packets
        for name, n in counts(show).items():
            want = counts(file)[name] * passes
            if abs(n - want) > want / 100:
                sys.exit("bench: %s: %d counted, %.0f are %.1f passes of the file: the run does not count" % (name, n, want, passes))
        if c["unaccounted"] or c["lost"]:
            sys.exit("bench: %d lost, %d unaccounted: the run does not count" % (c["lost"], c["unaccounted"]))
        stages = {}
        for worker in c["workers"]:
            for name, ns in worker["stage_ns"].items():
                stages[name] = stages.get(name, 0) + ns / c["received"]
        return c["received"] / c["elapsed_s"], c["windows"], stages
    finally:
        shutil.rmtree(folder)


for packets, name, yardstick, wanted in ((40000, "testpmd rxonly", testpmd, 25), (300000, "pipe rtc", pipe, 50)):
    capture = mix(packets)
    ours, theirs, windows, stages = [], [], None, {}
    for _ in range(a.runs):
        theirs.append(yardstick(capture))
        rate, windows, stages = live(capture, packets)
        ours.append(rate)
    o, t = statistics.median(ours), statistics.median(theirs)
    print("%6d packets: %-14s %6.2f Mpps %6.1f ns/packet   live %6.2f Mpps %6.1f ns/packet   %5.1f %% (wanted: %d %%), windows %s"
          % (packets, name, t / 1e6, 1e9 / t, o / 1e6, 1e9 / o, 100 * o / t, wanted, windows))
    print("%14s of the last run, ns/packet: %s" % ("", ", ".join("%s %.1f" % s for s in stages.items())))
