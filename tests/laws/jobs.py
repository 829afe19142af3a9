#!/usr/bin/env python3
"""Law 2: `replay -j 1`, `-j 2` and `-j 4` give the same bytes: segments, flags, events and totals, of every capture by itself, of many at
once, of one rotating capture, of standard input, and of a generated fleet."""
import os, random, shutil, subprocess, sys, tempfile
import harness

t = harness.Test(__doc__.split("\n")[0])
JOBS = (1, 2, 4)
LIMITED = ("_turned_away", "out_of_time", "table_full") # state limits: what is beyond them depends on who follows what
ANY = ["-c", t.config("any-client.yaml")]


def files_in(folder):
    found = {}
    for d, _, names in os.walk(folder):
        for n in names:
            p = os.path.join(d, n)
            with open(p, "rb") as f:
                found[os.path.relpath(p, folder)] = f.read()
    return found


def with_jobs(label, *args, stdin=None, want=(0, 4), least=1):
    """Runs it with 1, 2 and 4 threads. Returns what one thread wrote, or None."""
    first = None
    for j in JOBS:
        out = tempfile.mkdtemp(dir=t.temp)
        with open(stdin or os.devnull, "rb") as f, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as err:
            status = subprocess.run([t.program, "replay", "--json", "-q", "-j", str(j), "-o", out, *args], stdin=f, stdout=told, stderr=err,
                                    timeout=300).returncode
            told.seek(0)
            err.seek(0)
            now = {"status": status, "stdout": told.read(), **files_in(out)}
            t.check(status in want, "%s -j %d: exit status %d: %s", label, j, status, err.read()[-300:])
        shutil.rmtree(out)
        if first is None:
            first = now
            t.check(sum(n.split("/")[-1].startswith("summary-") for n in now) >= least, "%s: too few segments", label)
            continue
        bad = sorted(k for k in set(first) | set(now) if first.get(k) != now.get(k))
        t.check(not bad, "%s: -j %d gives other bytes than -j 1: %s", label, j, bad[:6])
    return first


def no_limit_hit(label, result):
    for name, data in result.items():
        if name.startswith("summary-"):
            p = t.path("limit")
            with open(p, "wb") as f:
                f.write(data)
            end = harness.zstdcat(p).splitlines()[-1].decode()
            t.check(not any(x in end for x in LIMITED), "%s hit a limit: %s", label, end[:300])


def each_by_itself(captures):
    for label, args in (("each", []), ("each, any client, minutes", [*ANY, "--window", "60"])):
        with_jobs(label, *args, "--per-capture", *captures, least=len(captures) // 2)
    with_jobs("each, events", *ANY, "-e", "all", "--per-capture", *captures[::4], least=len(captures) // 16)


def many_at_once(captures):
    some = random.Random(4).sample(captures, min(50, len(captures)))
    with_jobs("many at once", *ANY, "--window", "60", *some)
    with_jobs("many at once, events", *ANY, "-e", "all", *some)
    largest = max(captures, key=os.path.getsize)
    with_jobs("many, one of them large", *ANY, largest, *some)
    return some


def parts(path, n):
    """A classic capture in n files, as tcpdump rotates them."""
    with open(path, "rb") as f:
        data = f.read()
    records, at = [], 24
    while at + 16 <= len(data):
        end = at + 16 + int.from_bytes(data[at + 8:at + 12], "little")
        records.append(data[at:end])
        at = end
    names = []
    for i in range(n):
        names.append(t.path("part%d-%s" % (i, os.path.basename(path))))
        with open(names[-1], "wb") as f:
            f.write(data[:24] + b"".join(records[len(records) * i // n:len(records) * (i + 1) // n]))
    return names


def generated():
    """bench/gen.c: all flows alive at once."""
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if cc is None:
        print("no compiler here: without the generated mix")
        return None
    gen, fleet = t.path("gen"), t.path("fleet.pcap")
    subprocess.run([cc, "-O1", "-o", gen, os.path.join(t.source, "bench", "gen.c")], check=True)
    subprocess.run([gen, fleet, "500", "4000" if t.args.step == 1 else "1000", "7"], check=True)
    return fleet


captures = t.captures()
each_by_itself(captures)
some = many_at_once(captures)
fleet = generated() or os.path.join(t.source, "samples", "fleet.pcap")
no_limit_hit("the mix", with_jobs("the mix", "--window", "1", fleet))
with_jobs("the mix, any client", *ANY, fleet)
with_jobs("the mix, filtered", "-f", "udp port 53 or tcp", fleet)
with_jobs("the mix, events", "-e", "all", fleet)
with_jobs("the mix from standard input", "--window", "1", "-", stdin=fleet)
with_jobs("the mix, rotating", "--continuous", "--window", "1", *parts(fleet, 5))
with_jobs("captures as one that rotates", *ANY, "--continuous", *some)
t.end()
