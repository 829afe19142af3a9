#!/usr/bin/env python3
"""doctor on this host: its exit status is what its lines say, text and JSON agree, and on a real interface in a network namespace of its own
the commands it gives mend what it found. Where namespaces cannot be made that part is left out, and said."""
import json, os, re, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

t = harness.Test(__doc__, shared=False)
LINE = re.compile(r"(ok  |warn|FAIL) ([a-z_]+)(?: (\S+))?: (.*?)(?:; run: (.*))?")


def lines_of(text):
    found = []
    for line in text.splitlines():
        m = LINE.fullmatch(line)
        if t.check(m is not None, "not a line of a report: %r", line):
            found.append([g.strip() if g else None for g in m.groups()])
    return found


def doctor(*args, program=()):
    r = t.run("doctor", *args, program=program)
    lines = lines_of(r.stdout.decode())
    t.check(lines and r.stderr == b"", "%s: no report, or an error: %r", args, r.stderr)
    t.check(r.returncode == (1 if any(l[0] == "FAIL" for l in lines) else 0), "%s: exit status %d of\n%s", args, r.returncode, r.stdout.decode())
    for state, name, subject, _, run in lines:
        t.check((run is None) == (state == "ok"), "%s: %s: a command where something is to be mended, and only there", args, name)
    j = json.loads(t.run("doctor", *args, "--json", program=program).stdout)
    t.check(j["schema"] == "tellscope.doctor.v1" and j["ok"] == (r.returncode == 0), "%s: the JSON says another result", args)
    same = [[c["state"].replace("fail", "FAIL"), c["name"], c["subject"], c["found"], c["run"]] for c in j["checks"]]
    t.check(same == lines, "%s: text and JSON differ:\n%s\n%s", args, same, lines)
    return lines


def state_of(lines, name):
    return next((l for l in lines if l[1] == name), [None] * 5)


# ---- this host, and the command line

doctor()
doctor("-i", "lo")
doctor("-c", t.config("live.yaml"))
doctor("-c", t.config("tellscope.yaml"))
doctor("-c", t.config("tellscope.yaml"), "-i", "lo")
ring = t.path("ring.yaml")
open(ring, "w").write("live: {ports: [{device: net_ring0}]}\n")
t.check(all(l[0] != "FAIL" for l in doctor("-c", ring)) == (t.run("live", "-c", ring, "--duration", "1", "-q").returncode == 0), "live and doctor differ")
t.check(state_of(doctor("-i", "nosuch0"), "interface")[0] == "FAIL", "an interface that is not there is not told")
for args, status in ((["x"], 2), (["-c", t.config("live.yaml"), "-i", "lo"], 2), (["-i", "a b"], 2), (["-i", ""], 2), (["-i", "x" * 16], 2),
                     (["-c", t.path("none.yaml")], 3), (["-c", t.config("clients.yaml")], 3)):
    r = t.run("doctor", *args)
    t.check(r.returncode == status and r.stdout == b"" and r.stderr.count(b"\n") == 1, "%s: exit status %d: %r", args, r.returncode, r.stderr)

# ---- an interface of our own

name = "tsdoctor%d" % os.getpid()
if shutil.which("ip") is None or shutil.which("ethtool") is None or subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
    print("left out: a real interface; no network namespace can be made here (root, iproute2 and ethtool are needed)")
    t.end()
inside = ["ip", "netns", "exec", name]
try:
    subprocess.run([*inside, "ip", "link", "add", "va", "type", "veth", "peer", "name", "vb"], check=True)
    subprocess.run([*inside, "ip", "link", "set", "vb", "up"], check=True)
    subprocess.run([*inside, "ethtool", "-K", "va", "gro", "on"], capture_output=True)
    mended = []
    for _ in range(4):
        lines = doctor("-i", "va", program=[*inside, t.program])
        wrong = [l for l in lines if l[1] in ("interface", "offloads") and l[0] != "ok"]
        if not wrong:
            break
        mended.append(wrong[0][1])
        t.check(subprocess.run([*inside, "sh", "-c", wrong[0][4]]).returncode == 0, "%s fails", wrong[0][4])
    t.check("interface" in mended, "an interface that is down is not told: %s", mended)
    t.check(state_of(lines, "interface")[0] == "ok" and state_of(lines, "offloads")[0] == "ok", "the commands %s mend nothing: %s", mended, lines)
    subprocess.run([*inside, "ip", "link", "set", "vb", "down"], check=True)
    lines = doctor("-i", "va", program=[*inside, t.program])
    t.check(state_of(lines, "interface")[0] == "warn", "no carrier is not told: %s", lines)
    # live starts where doctor says so, and only there: as nobody without rights, and with those that the systemd unit gives
    unit = open(t.config("tellscope-live.service")).read()
    given = re.search("^AmbientCapabilities=(.*)", unit, re.M).group(1).lower().replace("cap_", "").split()
    os.chmod(t.temp, 0o755)
    for caps in ([], given) if shutil.which("setpriv") and state_of(lines, "module")[0] == "ok" else ():
        names = ",".join(["-all", *("+" + c for c in caps)])
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", "--inh-caps=" + names,
                  "--ambient-caps=" + names, "--bounding-set=" + names]
        lines = doctor("-i", "va", program=[*inside, *nobody, t.program])
        t.check((state_of(lines, "capabilities")[0] == "ok") == bool(caps), "with %s: %s", caps, lines)
        r = t.run("live", "-i", "va", "--duration", "1", "-q", program=[*inside, *nobody, t.program])
        t.check((r.returncode == 0) == all(l[0] != "FAIL" for l in lines), "with %s: live ends with %d, and doctor says %s: %r", caps, r.returncode,
                lines, r.stderr)
finally:
    subprocess.run(["ip", "netns", "del", name])
t.end()
