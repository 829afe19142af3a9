#!/usr/bin/env python3
"""Totals of all captures against independent facts, by the reference comparison: 97 % a group; with --known every group to the last
comparison but those that known-differences.tsv explains.

usage: facts.py --program PATH --shared DIR [--known]
"""
import os, subprocess, sys

known = "--known" in sys.argv and sys.argv.remove("--known") is None
program, shared = sys.argv[sys.argv.index("--program") + 1], sys.argv[sys.argv.index("--shared") + 1]
compare = os.path.join(shared, "tools", "conform.py")
if not os.path.exists(compare):
    print("skipped: the reference comparison is not here (TELLSCOPE_SHARED is %r)" % shared)
    sys.exit(77)
GROUPS = ["packets", "ntp", "dns", "mdns", "tls", "sslv2", "dtls"]     # what the program counts so far
if known:
    GROUPS.append("quic")       # of 42 captures tshark misses the hellos of 3, which is more than 97 % allow
command = [sys.executable, "-B", compare, "--program", program, "--set", os.path.join(shared, "captures")]
for group in GROUPS:
    command += ["--group", group]
if known:
    here = os.path.dirname(os.path.abspath(__file__))
    command += ["--known", os.path.join(here, "known-differences.tsv"), "--min", "1.0"]
sys.exit(subprocess.run(command).returncode)
