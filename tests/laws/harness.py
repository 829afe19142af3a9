"""What the system tests share: running the program, reading its segments, and making captures.

Exit status of a test: 0 all good, 1 something was wrong (each with a line), 77 skipped with a reason (see CMake's SKIP_RETURN_CODE).
"""
import argparse, json, os, resource, struct, subprocess, sys, tempfile, threading

PCAP_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)


class Test:
    """A test's command line, its failures, and its temporary folder."""

    def __init__(self, about, shared=True):
        ap = argparse.ArgumentParser(description=about)
        ap.add_argument("--program", required=True)
        ap.add_argument("--shared", default=os.environ.get("TELLSCOPE_SHARED", ""))
        ap.add_argument("--source", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
        ap.add_argument("--step", type=int, default=1, help="of the captures take every STEPth")
        ap.add_argument("--keep", action="store_true", help="leave the temporary folder")
        self.args = ap.parse_args()
        self.program = os.path.abspath(self.args.program)
        self.source = os.path.abspath(self.args.source)
        self.shared = self.args.shared
        self.set = os.path.join(self.shared, "captures")
        self.failures = self.checks = 0
        if not os.access(self.program, os.X_OK):
            skip("no program at %s" % self.program)
        if shared and not os.path.isdir(self.set):
            skip("the captures are not here (TELLSCOPE_SHARED is %r)" % self.shared)
        # in memory where that can be: thousands of small files are each synced to the disk
        shm = "/dev/shm"
        room = os.access(shm, os.W_OK) and os.statvfs(shm).f_bavail * os.statvfs(shm).f_frsize > 1 << 29
        self.temp = tempfile.mkdtemp(prefix="tellscope-test-", dir=shm if room else None)

    def path(self, *parts):
        p = os.path.join(self.temp, *parts)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        return p

    def config(self, name):
        return os.path.join(self.source, "configs", name)

    def check(self, good, text, *args):
        self.checks += 1
        if not good:
            self.failures += 1
            if self.failures <= 40:
                print("FAILED: " + (text % args if args else text))
        return good

    def end(self):
        if not self.args.keep:
            subprocess.run(["rm", "-rf", self.temp])
        print("%d checks, %d failed" % (self.checks, self.failures))
        sys.exit(1 if self.failures or not self.checks else 0)

    def captures(self):
        names = sorted(n for n in self.facts() if os.path.exists(os.path.join(self.set, n)))
        return [os.path.join(self.set, n) for n in names][::self.args.step]

    def facts(self):
        if not hasattr(self, "_facts"):
            with open(os.path.join(self.set, "facts.json")) as f:
                self._facts = json.load(f)
        return self._facts

    def run(self, *args, timeout=120, limits=(), program=()):
        """Runs the program. Returns an object with returncode, stdout, stderr, rss_kib (peak) and cpu_s."""
        def limit():
            for what, value in limits:
                resource.setrlimit(what, (value, value))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen([*(program or [self.program]), *map(str, args)], stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=err, preexec_fn=limit if limits else None)
            killer = threading.Timer(timeout, child.kill)
            killer.start()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            killer.cancel()
            out.seek(0)
            err.seek(0)
            r = subprocess.CompletedProcess(child.args, child.returncode, out.read(), err.read())
        r.rss_kib, r.cpu_s = usage.ru_maxrss, usage.ru_utime + usage.ru_stime
        return r

    def replay(self, *args, want=(0,), **more):
        """replay --json; returns the totals, or None where it failed, which counts as a failed check."""
        r = self.run("replay", "--json", "-q", *args, **more)
        if not self.check(r.returncode in want, "replay %s: exit status %d: %s", " ".join(map(str, args))[-200:], r.returncode,
                          r.stderr.decode("utf8", "replace").strip()[-300:]):
            return None
        try:
            return json.loads(r.stdout)
        except ValueError as e:
            self.check(False, "replay %s: %s", args, e)
            return None

    def show(self, *args):
        r = self.run("show", "--json", *args)
        if not self.check(r.returncode == 0, "show %s: exit status %d: %s", args[:3], r.returncode, r.stderr[-300:]):
            return None
        return json.loads(r.stdout)


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


def zstdcat(path):
    return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout


def rows(path):
    """Rows of a segment or lines of an events file, as objects."""
    return [json.loads(line) for line in zstdcat(path).splitlines()]


def segments(folder):
    return sorted(os.path.join(folder, n) for n in os.listdir(folder) if n.startswith("summary-") and n.endswith(".ndjson.zst"))


def contents(folder):
    """{name of a segment: its uncompressed bytes}."""
    return {os.path.basename(p): zstdcat(p) for p in segments(folder)}


def stream(folder):
    """(names of the segments, all their bytes): for thousands of them."""
    files = segments(folder)
    return [os.path.basename(f) for f in files], subprocess.run(["zstd", "-dcq", *files], check=True, stdout=subprocess.PIPE).stdout


def events(folder):
    return rows(os.path.join(folder, "events.ndjson.zst"))


# ---- making captures

def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip4(text):
    return bytes(int(x) for x in text.split("."))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ipv4(src, dst, proto, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, proto, 0, ip4(src), ip4(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, seq, ack, flags, payload=b""):
    return struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0) + payload


def frame(src_mac, dst_mac, packet, vlan=None):
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return mac(dst_mac) + mac(src_mac) + tag + b"\x08\x00" + packet


def record(ts_us, data, wire=None):
    return struct.pack("<IIII", ts_us // 1000000, ts_us % 1000000, len(data), wire or len(data)) + data


def write_pcap(path, packets):
    """packets: (microseconds since 1970, frame)."""
    with open(path, "wb") as f:
        f.write(PCAP_HEAD + b"".join(record(ts, data) for ts, data in packets))
    return path


def dns_name(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def dns_query(ident, name, qtype=1):
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack("!HH", qtype, 1)


def dns_answer(ident, name, addrs, ttl=60, rcode=0):
    body = struct.pack("!HHHHHH", ident, 0x8180 | rcode, 1, len(addrs), 0, 0) + dns_name(name) + struct.pack("!HH", 1, 1)
    return body + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + ip4(a) for a in addrs)


def ntp(mode, org=0, rec=0, xmt=0, stratum=0, refid=0, version=4):
    return struct.pack("!BBbbIIIQQQQ", version << 3 | mode, stratum, 6, -20, 0, 0, refid, 0, org, rec, xmt)


def client_hello(sni=None, version=0x0303, ciphers=(0xC02F, 0x009C), versions=()):
    ext = b""
    if sni is not None:
        name = sni.encode()
        ext += struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    if versions:
        ext += struct.pack("!HHB", 43, 2 * len(versions) + 1, 2 * len(versions)) + struct.pack("!%dH" % len(versions), *versions)
    body = struct.pack("!H", version) + bytes(32) + b"\0" + struct.pack("!H", 2 * len(ciphers))
    body += struct.pack("!%dH" % len(ciphers), *ciphers) + b"\1\0" + (struct.pack("!H", len(ext)) + ext if ext else b"")
    return tls_record(22, b"\1" + struct.pack("!I", len(body))[1:] + body, min(version, 0x0301))


def server_hello(version=0x0303, cipher=0xC02F):
    body = struct.pack("!H", version) + bytes(32) + b"\0" + struct.pack("!H", cipher) + b"\0"
    return tls_record(22, b"\2" + struct.pack("!I", len(body))[1:] + body, version)


def tls_record(kind, body, version=0x0303):
    return struct.pack("!BHH", kind, version, len(body)) + body


class Conversation:
    """A TCP connection between two hosts, as frames with times."""

    def __init__(self, a, b, sport, dport, ts_us, vlan=None):
        self.ends = (a, b)          # (mac, address) each
        self.ports = (sport, dport)
        self.seq = [1000, 5000]
        self.ts = ts_us
        self.vlan = vlan
        self.packets = []
        self._send(0, 2, b"")
        self.seq[0] += 1
        self._send(1, 0x12, b"")
        self.seq[1] += 1
        self._send(0, 0x10, b"")

    def _send(self, side, flags, payload):
        (smac, src), (dmac, dst) = self.ends[side], self.ends[1 - side]
        segment = tcp(self.ports[side], self.ports[1 - side], self.seq[side], self.seq[1 - side] if flags & 0x10 else 0, flags, payload)
        self.packets.append((self.ts, frame(smac, dmac, ipv4(src, dst, 6, segment), self.vlan)))
        self.ts += 1000

    def say(self, side, payload):
        self._send(side, 0x18, payload)
        self.seq[side] += len(payload)
        return self

    def close(self):
        for side in (0, 1):
            self._send(side, 0x11, b"")
            self.seq[side] += 1
        self._send(0, 0x10, b"")
        return self
