#!/usr/bin/env python3
"""What the TLS clients of this machine look like: entries for configs/clients.yaml, made by running them.

usage: client-types.py [--program PATH] [--keep DIR] [NAME...]

Each client (all that are installed, or those whose NAME is given) is let loose on an `openssl s_server` on loopback, once by name (with
SNI) and once by address; tcpdump records it, `tellscope replay` tells the JA4 of its first hello. Where both differ only by the name, one
pattern stands for both. Needs openssl, tcpdump, zstd and the right to capture on lo. Prints YAML: what differs from configs/clients.yaml is
worth a look. Nothing leaves the machine.
"""
import argparse, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))

PYTHON = "import ssl,socket,sys; c=ssl._create_unverified_context(%s); %s; s=socket.create_connection(('127.0.0.1',int(sys.argv[2]))); " \
         "c.wrap_socket(s,server_hostname=%s).close()"
PY_SNI = "sys.argv[1] if sys.argv[1]!='127.0.0.1' else None"
# As FACTS of the public firmware have it: ssl.PROTOCOL_TLSv1, no server_hostname. The library here has to be talked into TLS 1.0.
PY_TLS1 = PYTHON % ("protocol=ssl.PROTOCOL_TLSv1", "c.set_ciphers('DEFAULT:@SECLEVEL=0')", "None")
URLLIB = "import sys,urllib.request as u; u.urlopen('https://%s:%s/'%(sys.argv[1],sys.argv[2]))"    # refuses our certificate, but has said hello
REQUESTS = "import sys,requests; requests.packages.urllib3.disable_warnings(); requests.get('https://%s:%s/'%(sys.argv[1],sys.argv[2]),verify=False)"
NODE = "require('https').get({host:process.argv[1],port:+process.argv[2],rejectUnauthorized:false},r=>r.resume())" \
       ".on('error',()=>0)"
NODE_FETCH = "process.env.NODE_TLS_REJECT_UNAUTHORIZED='0';fetch('https://'+process.argv[1]+':'+process.argv[2]).catch(()=>0)"
JAVA = """
import java.net.http.*; import java.net.URI; import javax.net.ssl.*;
class Get { public static void main(String[] a) throws Exception {
  URI u = URI.create("https://" + a[1] + ":" + a[2] + "/");
  if (a[0].equals("url")) try { u.toURL().openStream().close(); } catch (Exception e) { }
  else try { HttpClient.newHttpClient().send(HttpRequest.newBuilder(u).build(), HttpResponse.BodyHandlers.discarding()); } catch (Exception e) { }
} }
"""


def client_list(temp):
    """(NAME, name, how to tell the version, command with HOST and PORT)"""
    java = os.path.join(temp, "Get.java")
    with open(java, "w") as f:
        f.write(JAVA)
    s_client = ["openssl", "s_client", "-connect", "127.0.0.1:PORT", "SNI"]
    openssl, python, curl = ["openssl", "version"], [sys.executable, "--version"], ["curl", "--version"]
    return [
        ("openssl", "OpenSSL s_client", openssl, s_client),
        ("openssl-tls1_2", "OpenSSL s_client -tls1_2", openssl, s_client + ["-tls1_2"]),
        ("openssl-tls1", "OpenSSL s_client -tls1", openssl, s_client + ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"]),
        ("openssl-alpn", "OpenSSL s_client -alpn h2", openssl, s_client + ["-alpn", "h2,http/1.1"]),
        ("python", "Python ssl", python, [sys.executable, "-c", PYTHON % ("", "0", PY_SNI), "HOST", "PORT"]),
        ("python-tls1", "TLS 1.0 only, no SNI", python, [sys.executable, "-W", "ignore", "-c", PY_TLS1, "HOST", "PORT"]),
        ("python-urllib", "Python urllib", python, [sys.executable, "-c", URLLIB, "HOST", "PORT"]),
        ("python-requests", "Python requests", python, [sys.executable, "-c", REQUESTS, "HOST", "PORT"]),
        ("curl", "curl with OpenSSL", curl, ["curl", "-sk", "-m", "5", "https://HOST:PORT/"]),
        ("curl-http1.1", "curl --http1.1 with OpenSSL", curl, ["curl", "-sk", "-m", "5", "--http1.1", "https://HOST:PORT/"]),
        ("curl-tls1_2", "curl --tls-max 1.2 with OpenSSL", curl, ["curl", "-sk", "-m", "5", "--tls-max", "1.2", "https://HOST:PORT/"]),
        ("curl-gnutls", "git, curl with GnuTLS", ["git", "--version"],
         ["git", "-c", "http.sslVerify=false", "ls-remote", "https://HOST:PORT/x"]),
        ("wget", "Wget with GnuTLS", ["wget", "--version"], ["wget", "-qO-", "-t1", "-T5", "--no-check-certificate", "https://HOST:PORT/"]),
        ("gnutls-cli", "GnuTLS gnutls-cli", ["gnutls-cli", "--version"], ["gnutls-cli", "--insecure", "-p", "PORT", "HOST"]),
        ("node", "Node.js https", ["node", "--version"], ["node", "-e", NODE, "HOST", "PORT"]),
        ("node-fetch", "Node.js fetch", ["node", "--version"], ["node", "-e", NODE_FETCH, "HOST", "PORT"]),
        ("java-url", "Java URLConnection", ["java", "--version"], ["java", java, "url", "HOST", "PORT"]),
        ("java-http", "Java HttpClient", ["java", "--version"], ["java", java, "http", "HOST", "PORT"]),
        ("sslscan", "sslscan", ["sslscan", "--version"], ["sslscan", "--no-colour", "--no-cipher-details", "HOST:PORT"]),
        ("nmap", "nmap ssl-cert", ["nmap", "--version"], ["nmap", "-Pn", "-n", "-p", "PORT", "--script", "ssl-cert", "HOST"]),
    ]


class Recorder:
    """Captures of clients that talk to a server of ours on loopback; what it starts it stops by its process id."""

    def __init__(self, program, temp):
        self.program, self.temp = program, temp
        self.cert, self.key = os.path.join(temp, "cert.pem"), os.path.join(temp, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", self.key, "-out", self.cert], check=True, capture_output=True)

    def free_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def start(self, *command, ready=None):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if ready is None:
            line = child.stderr.readline()
            if "listening" not in line:
                child.kill()
                raise RuntimeError("%s: %s" % (command[0], line.strip()))
        for _ in range(100 if ready else 0):
            try:
                socket.create_connection(("127.0.0.1", ready), 1).close()
                return child
            except OSError:
                time.sleep(0.05)
        return child

    def stop(self, child):
        child.send_signal(signal.SIGINT)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def record(self, name, commands):
        """Runs commands one after the other against one server; the capture's path."""
        port, capture = self.free_port(), os.path.join(self.temp, name + ".pcap")
        server = self.start("openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert", self.cert, "-key", self.key, "-www", "-quiet",
                            "-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1", ready=port)
        dump = self.start("tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "32768", "-w", capture, "tcp port %d" % port)
        time.sleep(1)
        try:
            for host, command in commands:
                words = []
                for word in command:
                    if word == "SNI":
                        words += ["-servername", host] if host != "127.0.0.1" else ["-noservername"]
                    else:
                        words.append(word.replace("HOST", host).replace("PORT", str(port)))
                try:
                    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, env={**os.environ, "LC_ALL": "C"})
                except subprocess.TimeoutExpired:
                    pass
            time.sleep(1.5)
        finally:
            self.stop(dump)
            self.stop(server)
        return capture

    def hellos(self, capture):
        """The tls events of a capture."""
        out = capture + ".out"
        subprocess.run([self.program, "replay", "-q", "-e", "tls", "--scope", "all", "--force", "-o", out, capture], check=True)
        text = subprocess.run(["zstd", "-dcq", os.path.join(out, "events.ndjson.zst")], capture_output=True, check=True).stdout
        return [json.loads(line)["tls"] for line in text.splitlines()]


def version_of(command):
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30)
        words = re.sub(r"\x1b\[[0-9;]*m", "", said.stdout + said.stderr).strip().split("\n")[0].split()
        return " ".join(words[:3] if len(words) > 1 else command[:1] + words).rstrip(",")
    except (OSError, subprocess.TimeoutExpired):
        return None


def patterns(found):
    """One for hellos with and without a name: only the letter for SNI and the number of extensions differ."""
    both = {f[:3] + "?" + f[4:6] + "??" + f[8:] for f in found}
    return both if len(found) == 2 and len(both) == 1 else found


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--program", default=os.path.join(HERE, "..", "build", "tellscope"))
    ap.add_argument("--keep", help="leave the captures in this folder")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    for tool in ("openssl", "tcpdump", "zstd"):
        if shutil.which(tool) is None:
            sys.exit("no %s" % tool)
    temp = args.keep or tempfile.mkdtemp(prefix="client-types-")
    os.makedirs(temp, exist_ok=True)
    recorder = Recorder(os.path.abspath(args.program), temp)
    print("client_types:")
    for name, title, version, command in client_list(temp):
        if (args.names and name not in args.names) or shutil.which(command[0]) is None:
            continue
        found = []
        for host in ("localhost", "127.0.0.1"):
            hellos = [h["ja4"] for h in recorder.hellos(recorder.record(name + "-" + host, [(host, command)])) if "ja4" in h]
            found += [hellos[0]] if hellos and hellos[0] not in found else []
        for ja4 in patterns(found):
            print("  - ja4: %s\n    name: %s\n    source: \"run on loopback: %s\"" % (ja4, json.dumps(title), version_of(version)))
        if not found:
            print("  # %s: no hello" % title)
    if not args.keep:
        shutil.rmtree(temp)


if __name__ == "__main__":
    main()
