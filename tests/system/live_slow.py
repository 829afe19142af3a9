#!/usr/bin/env python3
"""A live run whose disk stops, and one whose disk runs full, both at full speed: no worker waits, what is lost is counted and named in the
next segment's head, and the run recovers."""
import json, os, shutil, socket, subprocess, threading, time
import live
from live import harness

STOPPED_S = int(os.environ.get("TELLSCOPE_STOPPED_S", "6"))
GRACE_S = 12 # a window closes so long after its end
t = harness.Test(__doc__.split("\n")[0], shared=False)
live.needed(t)
FEED = "net_pcap0,rx_pcap=%s,infinite_rx=1" % os.path.join(t.source, "samples", "fleet.pcap")

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int fsync(int fd) /* waits while the file is there */
{
    while (access(getenv("STOP_FILE"), F_OK) == 0)
        usleep(20000);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return real(fd);
}
"""


def stats(pid):
    """What /tellscope/stats answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(5)
        s.connect("/var/run/dpdk/tellscope-%d/dpdk_telemetry.v2" % pid)
        s.recv(4096)
        s.send(b"/tellscope/stats")
        return json.loads(s.recv(16384))["/tellscope/stats"]


def watch(label, run, seconds, least=1000):
    """The workers go on: each half second brings packets."""
    last, slowest = stats(run.p.pid)["received"], None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        now = stats(run.p.pid)["received"]
        slowest = now - last if slowest is None else min(slowest, now - last)
        last = now
    t.check(slowest >= least, "%s: in half a second only %d packets came", label, slowest)
    return slowest


def wait_for(what, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def judged(label, run, folder):
    """The run ended: all is accounted for, what was dropped is named."""
    status, told, _ = run.end()
    if not t.check(told is not None, "%s: no counters; exit status %s: %s", label, status, run.text()[-400:]):
        return
    dropped, heads = told["windows"]["dropped"], live.heads(folder)
    t.check(status == 1, "%s: exit status %d though windows were dropped", label, status)
    t.check(dropped > 0, "%s: no window was dropped", label)
    t.check(told["unaccounted"] == 0 and told["lost"] == 0, "%s: %d unaccounted, %d lost", label, told["unaccounted"], told["lost"])
    named = sum(h["live"].get("windows_dropped", 0) for h, _ in heads)
    t.check(named == dropped, "%s: %d windows dropped, heads name %d", label, dropped, named)
    t.check(len(heads) == told["windows"]["written"], "%s: %d segments, not %d", label, len(heads), told["windows"]["written"])
    after = [h for h, _ in heads if h["live"].get("windows_dropped", 0) > 0]
    t.check(after and heads[-1][0] is not after[-1] or "shutdown" in json.dumps(heads[-1][0]), "%s: it did not recover", label)
    missing = gaps([h for h, _ in heads])
    t.check(missing == dropped, "%s: %d windows are missing, %d were dropped", label, missing, dropped)
    print("%s: %d windows written, %d dropped, %.1f million packets" % (label, len(heads), dropped, told["received"] / 1e6))


def gaps(heads):
    starts = sorted({time.mktime(time.strptime(h["start"], "%Y-%m-%dT%H:%M:%SZ")) for h in heads})
    return int(starts[-1] - starts[0]) + 1 - len(starts)


def stopped_disk():
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if cc is None:
        print("no compiler here: the disk is not stopped")
        return
    source, shim, stop = t.path("shim.c"), t.path("shim.so"), t.path("stop")
    with open(source, "w") as f:
        f.write(SHIM)
    subprocess.run([cc, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    config = live.configuration(t, "stopped", [(FEED, 1)], base=None, more="  backlog: 2\n  free_bytes: 0\n")
    folder = t.path("stopped", "")
    run = live.Live(t, "-c", config, "-o", folder, "--window", "1", env={"LD_PRELOAD": shim, "STOP_FILE": stop})
    t.check(run.ready, "it does not start: %s", run.text()[-300:])
    t.check(wait_for(lambda: len(harness.segments(folder)) > 1, GRACE_S + 10), "no window closed")
    open(stop, "w").close()
    slowest = watch("stopped", run, STOPPED_S)
    os.unlink(stop)
    before = len(harness.segments(folder))
    t.check(wait_for(lambda: len(harness.segments(folder)) > before + 2, 10), "stopped: no segment once the disk went on")
    print("stopped for %d s: at least %d packets each half second" % (STOPPED_S, slowest))
    judged("stopped", run, folder)


def full_disk():
    """In a mount namespace of its own, on a disk of a few MiB that the test fills up."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("no mount namespaces here: the disk is not filled")
        return
    config = live.configuration(t, "full", [(FEED, 1)], base=None, more="  free_bytes: 65536\n  reserve_bytes: 524288\n")
    mount, kept = t.path("mount", ""), t.path("kept", "")
    start = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
    run = live.Live(t, "-c", config, "-o", os.path.join(mount, "out"), "--window", "1", before=["unshare", "-m", "sh", "-c", start, mount])
    t.check(run.ready, "it does not start: %s", run.text()[-300:])
    there = "/proc/%d/root%s" % (run.p.pid, mount)
    out, filler = os.path.join(there, "out"), os.path.join(there, "filler")
    t.check(wait_for(lambda: len(harness.segments(out)) > 1, GRACE_S + 10), "no window closed")
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass
    before = len(harness.segments(out))
    slowest = watch("full", run, STOPPED_S)
    t.check(len(harness.segments(out)) <= before + 2, "full: segments are written to a full disk")
    t.check("space" in run.text(), "full: not a word of it: %s", run.text()[-300:])
    os.unlink(filler)
    before = len(harness.segments(out))
    t.check(wait_for(lambda: len(harness.segments(out)) > before + 2, 10), "full: no segment once there was room")
    lost = stats(run.p.pid)["windows_dropped"]
    with open(os.path.join(there, "filler"), "wb", buffering=0) as f: # full again at the end: what is kept back must do
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass
    print("full for %d s: at least %d packets each half second" % (STOPPED_S, slowest))
    # the folder is gone with the namespace: a process inside keeps it
    keeper = subprocess.Popen(["nsenter", "-m", "-t", str(run.p.pid), "sleep", "60"])
    time.sleep(0.2)
    out = "/proc/%d/root%s/out" % (keeper.pid, mount)
    run.p.send_signal(15)
    run.p.wait(40)
    for p in os.listdir(out):
        if p.startswith("summary-"):
            shutil.copy(os.path.join(out, p), kept)
    last = [h for h, _ in live.heads(kept)]
    t.check(any("shutdown" in h["live"].get("partial", []) for h in last), "full: the last window was not written to what was kept back")
    keeper.kill()
    keeper.wait()
    status, told, _ = run.end(None)
    named = sum(h["live"].get("windows_dropped", 0) for h in last)
    if t.check(status == 1 and told is not None, "full: exit status %s: %s", status, run.text()[-300:]):
        dropped = told["windows"]["dropped"]
        t.check(0 < lost <= named <= dropped and told["unaccounted"] == 0, "full: %d dropped, %d before there was room, %d named, %d unaccounted",
                dropped, lost, named, told["unaccounted"])
        print("full: %d windows written, %d dropped, %d of them named" % (told["windows"]["written"], dropped, named))


both = [threading.Thread(target=f) for f in (stopped_disk, full_disk)]
for one in both:
    one.start()
for one in both:
    one.join()
t.end()
