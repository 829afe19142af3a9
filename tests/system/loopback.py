"""Real TLS servers on the loopback, and tcpdump that listens: for the tests of this folder. Only processes started here are ended."""
import os, shutil, signal, socket, struct, subprocess, sys, time
import harness

ENV = dict(os.environ, OPENSSL_CONF="/dev/null", LC_ALL="C")


def need(t, *tools):
    for tool in tools:
        if shutil.which(tool) is None:
            harness.skip("no %s" % tool)
    ENV["SSL_CERT_DIR"] = t.temp


def sh(*args, **kw):
    return subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENV, timeout=30, **kw)


def free_port():
    with socket.socket() as s:
        s.bind(("0.0.0.0", 0))
        return s.getsockname()[1]


def host_of(i):
    """An address of its own for each client or server."""
    return "127.0.2.%d" % (i + 1)


def make_cert(t, name, *key, days="30", san="server.example", digest="-sha256"):
    """A self-signed certificate NAME.pem with its key NAME.key."""
    config = t.path("req.cnf")
    open(config, "w").write("[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\n")
    r = sh("openssl", "req", "-x509", "-newkey", *key, "-nodes", "-keyout", t.path(name + ".key"), "-out", t.path(name + ".pem"), "-days", days, digest,
           "-subj", "/CN=" + san, "-addext", "subjectAltName=DNS:" + san, "-config", config)
    if r.returncode != 0:
        harness.skip("openssl req: %s" % r.stdout[-200:])


def cert_options(t, name):
    return ["-cert", t.path(name + ".pem"), "-key", t.path(name + ".key")]


class Server:
    """An OpenSSL server on a port of all addresses."""

    def __init__(self, t, port, options):
        self.child = subprocess.Popen(["openssl", "s_server", "-4", "-accept", str(port), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, env=ENV)
        said = b""
        for _ in range(200):
            line = self.child.stdout.readline()
            said += line
            if line.startswith(b"ACCEPT"):
                return
            if not line:
                break
        t.check(False, "the server does not start: %s: %s", options, said[-300:])

    def stop(self):
        self.child.terminate()
        self.child.stdout.close()
        self.child.wait()


class Capture:
    """tcpdump on the loopback, until it has written all: a datagram of our own, sent last and taken out again, tells that it has."""

    def __init__(self, path, ports):
        self.path, self.ports, self.mark = path, ports, os.urandom(16)

    def __enter__(self):
        self.dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "32768", "-s", "0", "-w", self.path,
                                      "(tcp and net 127.0.2.0/24 and (%s)) or (udp and dst host 127.0.2.254 and dst port 9)"
                                      % " or ".join("port %d" % p for p in self.ports)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        line = self.dump.stderr.readline()
        while line and b"listening" not in line:
            line = self.dump.stderr.readline()
        if not line:
            self.dump.wait()
            harness.skip("may not capture on the loopback")

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(self.mark, ("127.0.2.254", 9))
        for _ in range(600):
            if self.mark in open(self.path, "rb").read():
                break
            time.sleep(0.1)
        self.dump.send_signal(signal.SIGINT)
        self.dump.wait()
        said = self.dump.stderr.read().decode("utf8", "replace")
        self.dump.stderr.close()
        if " 0 packets dropped by kernel" not in " " + said.replace("\n", " "):
            harness.skip("the kernel dropped packets of a capture: %s" % said.strip()[-120:])
        self.cut()

    def cut(self):
        """Takes the mark out: the file ends before its record."""
        data = open(self.path, "rb").read()
        at = 24
        while at + 16 <= len(data):
            captured = struct.unpack_from("<I", data, at + 8)[0]
            if self.mark in data[at + 16:at + 16 + captured]:
                break
            at += 16 + captured
        os.truncate(self.path, min(at, len(data)))
