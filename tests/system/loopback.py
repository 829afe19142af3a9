"""Real TLS servers on the loopback, and tcpdump that listens: for the tests of this folder. Only processes started here are ended."""
import os, shutil, signal, socket, subprocess, sys, time
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
    """tcpdump on the loopback, until it has written all."""

    def __init__(self, path, ports):
        self.path, self.ports = path, ports

    def __enter__(self):
        self.dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-s", "0", "-w", self.path,
                                      "tcp and net 127.0.2.0/24 and (%s)" % " or ".join("port %d" % p for p in self.ports)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        line = self.dump.stderr.readline()
        while line and b"listening" not in line:
            line = self.dump.stderr.readline()
        if not line:
            self.dump.wait()
            harness.skip("may not capture on the loopback")

    def __exit__(self, *_):
        size = -1
        for _ in range(20):
            time.sleep(0.5)
            size, before = os.path.getsize(self.path), size
            if size == before:
                break
        self.dump.send_signal(signal.SIGINT)
        self.dump.wait()
        self.dump.stderr.close()
