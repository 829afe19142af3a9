#!/usr/bin/env python3
"""Real clients on loopback, recorded with tcpdump: `show` names them by configs/clients.yaml, and calls others unknown by their JA4.

A client whose version is not the one that configs/clients.yaml knows may look otherwise: then it is passed over, with a word.
"""
import importlib.util, json, os, re, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

t = harness.Test(__doc__.split("\n")[0], shared=False)
spec = importlib.util.spec_from_file_location("client_types_script", os.path.join(t.source, "scripts", "client-types.py"))
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

for tool in ("openssl", "tcpdump", "curl", "zstd"):
    if shutil.which(tool) is None:
        harness.skip("no %s" % tool)
probe = subprocess.run(["tcpdump", "-i", "lo", "-c", "1", "-w", "/dev/null", "--immediate-mode", "-d"], capture_output=True, text=True)
if os.geteuid() != 0 and probe.returncode != 0:
    harness.skip("no right to capture on lo")
try:
    recorder = script.Recorder(t.program, t.path("recorded", ""))
    clients = {name: (version, command) for name, title, version, command in script.client_list(t.path("recorded", ""))}
    wanted = ["openssl", "openssl-tls1", "openssl-tls1_2", "python", "python-tls1", "python-urllib", "curl", "curl-http1.1"]
    capture = recorder.record("all", [(host, clients[name][1]) for name in wanted for host in ("localhost", "127.0.0.1")])
except (RuntimeError, OSError, subprocess.CalledProcessError) as e:
    harness.skip("cannot record on loopback: %s" % e)

known = {"openssl": "OpenSSL s_client 3.0", "openssl-tls1": "TLS 1.0 only OpenSSL 3.0", "openssl-tls1_2": "OpenSSL s_client 3.0, TLS 1.2",
         "python": "Python ssl 3.11", "python-tls1": "TLS 1.0 only, no SNI (as TellStick)",
         "python-urllib": "Python urllib 3.11", "curl": "curl 7.88 with OpenSSL 3.0",
         "curl-http1.1": "curl 7.88 with OpenSSL 3.0"}
said = {"openssl": "OpenSSL 3.0", "python": "Python 3.11", "curl": "curl 7.88"}
openssl3 = (script.version_of(clients["openssl"][0]) or "").startswith("OpenSSL 3.0")

out = t.path("segments", "")
config = t.path("types.yaml")
with open(config, "w") as f:
    f.write('scope: all\ngateways: [{network: 127.0.0.0/8}]\nclients:\n  types: "%s"\n' % t.config("clients.yaml"))
t.run("replay", "-q", "-c", config, "-o", out, capture)
table = t.run("show", "-c", config, out)
t.check(table.returncode == 0, "show: %s", table.stderr)
text = table.stdout.decode() if isinstance(table.stdout, bytes) else table.stdout
section = text[text.index("\nTLS clients"):]
for name in wanted:
    version = script.version_of(clients[name][0]) or ""
    if not openssl3 or not version.startswith(said[name.split("-")[0]]):
        print("passed over: %s is another version than configs/clients.yaml knows: %s" % (name, version))
        t.checks += 1
        continue
    t.check("\n  " + known[name] + " " in section, "%s is not named %r:\n%s", name, known[name], section)

# without the file all are unknown, each by its JA4, busiest first
none = t.path("none.yaml")
with open(none, "w") as f:
    f.write("clients:\n  types: none\n")
result = t.run("show", "-c", none, "--unknown-clients", "--json", out)
ranked = json.loads(result.stdout)["clients"]
t.check(len(ranked) >= 8, "only %d unknown clients", len(ranked))
t.check([c["sessions"] for c in ranked] == sorted((c["sessions"] for c in ranked), reverse=True), "not ranked: %s", ranked)
events = {h["ja4"] for h in recorder.hellos(capture) if "ja4" in h}
t.check({c["ja4"] for c in ranked} == events, "unknown clients %s, hellos %s", ranked, events)
plain = t.run("show", "-c", none, "--unknown-clients", out).stdout
plain = plain.decode() if isinstance(plain, bytes) else plain
for ja4 in events:
    t.check("unknown:" + ja4 in plain, "%s is not listed:\n%s", ja4, plain)

# summaries hold nothing of it
rows = b"".join(harness.zstdcat(s) for s in harness.segments(out)).decode()
t.check(not re.search("s_client|TellStick", rows), "a type stands in a segment")
t.end()
