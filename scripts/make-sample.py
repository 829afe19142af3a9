#!/usr/bin/env python3
"""Writes samples/fleet.pcap: one hour in a made-up home with three gateways, byte for byte the same on every run.

    python3 scripts/make-sample.py [FILE]

The story (2018-02-28, a home behind an IPS router, 192.168.1.0/24):
  * three gateways resolve 0..3.openwrt.pool.ntp.org and poll the servers they got, 193.11.114.43 among them;
  * gateway .23 (old firmware) asks api.telldus.com over HTTP for its server and keeps a TLS 1.0 session there, without SNI;
    it also tries a host that speaks only SSLv3 with 3DES;
  * gateway .24 talks TLS 1.2 to pa-api.telldus.com, gateway .25 TLS 1.3; one handshake fails with an alert;
  * a laptop, which is no gateway, runs TelldusCenter (TLS 1.0), browses, and after the router's alert looks up the accused
    address: its reverse name is tor1.mdfnet.se, and that name does not exist.
Addresses of servers are documentation addresses but for 193.11.114.43; all keys, randoms and encrypted bytes are made up.
"""
import base64
import hashlib
import heapq
import struct
import sys

START = 1519819200  # 2018-02-28T12:00:00Z
ROUTER = ("192.168.1.1", "2c:56:dc:10:20:30")
GATEWAYS = [
    ("192.168.1.23", "ac:ca:54:00:70:15"),
    ("192.168.1.24", "ac:ca:54:01:a9:93"),
    ("192.168.1.25", "ac:ca:54:03:00:c6"),
]
LAPTOP = ("192.168.1.50", "3c:15:c2:0a:0b:0c")
MACS = dict([ROUTER, LAPTOP] + GATEWAYS)

API, PA_API, FIRMWARE, LIVE, LEGACY, WEB = (
    "203.0.113.10", "203.0.113.12", "203.0.113.11", "203.0.113.20", "203.0.113.30", "203.0.113.80")
POOL = [
    ["193.11.114.43", "198.51.100.11", "198.51.100.12", "198.51.100.13"],
    ["198.51.100.21", "198.51.100.22", "198.51.100.23", "198.51.100.24"],
    ["198.51.100.31", "198.51.100.32", "198.51.100.33", "198.51.100.34"],
    ["198.51.100.41", "198.51.100.42", "198.51.100.43", "198.51.100.44"],
]

# Self-signed for api.telldus.com and pa-api.telldus.com, RSA 2048, June 2017 to June 2019; its key was thrown away.
CERTIFICATE = base64.b64decode("""
MIIDATCCAemgAwIBAgICIBgwDQYJKoZIhvcNAQELBQAwGjEYMBYGA1UEAwwPYXBpLnRlbGxkdXMuY29tMB4XDTE3MDYwMTAwMDAw
MFoXDTE5MDYwMTAwMDAwMFowGjEYMBYGA1UEAwwPYXBpLnRlbGxkdXMuY29tMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC
AQEAspi8olswPI45W/5q+5+TvrlUkJAGePmHJyZG6wLn1LyMNetitQRL5xLy5FyvuQU9pz7T+qrxan5dGdEHHb4uW/P9BUFVVNrd
GSHRZsqk3PiqnX3DKtR2zSLEK4vDkJxErjdgMCt9xvMdhddfS7XVJUHnE8DFumcIQlX2uAsddmVCzBwlrmk6e25iK8qEXP/uu2Pd
Ow9oIvqc8b0JM5otd0ugLMB1hcQQH6tEUHJxFQfR8qe/QHU0bYDMHmvZj0+528pJohfAgvpBuvG8VueEaAjjvgcEHvv0MasaS12J
WYXna3aa0kizK9xPKtWKGJisk6MD+Wdifx5SHwzAtdCu0QIDAQABo1EwTzAuBgNVHREEJzAlgg9hcGkudGVsbGR1cy5jb22CEnBh
LWFwaS50ZWxsZHVzLmNvbTAdBgNVHQ4EFgQUaVMtgM1nMtCzy9Xp3v9N2xGOpJkwDQYJKoZIhvcNAQELBQADggEBAIrj/796fblY
IYVXfJRVa9xWNMV/95giN3IJmpfaJG9XD0AwR4ZUm3YMmh7l+6HEK75OR8sCrhbvPRIGqeUlyHbhKt0HCwIE0RXCFjW47ScbfqGm
2aDk47Azw9/imWGCgRlEyCgdNMfAoFs/imyRTTZlSnwrx/2LTMOFNyX1HR0WhwCqakBGydtjSiSpokMNdTunBz6TFhR7CEYojjPN
dCJXxUEGDxq0+Cv+Dr2mUrZDhkXCcfpObzsAHd+Se5Wt1r4d2Cgd/QRN2z7yXUUb2di2lW3Llj778CFUKmFuNzADmwTj8L/7RHaU
kBWAzZBvOTPwwOxJ2U2UGKjlPU4EOGY=
""")


class Noise:
    """Bytes that look random and are the same each time."""

    def __init__(self, name):
        self.name, self.n = name.encode(), 0

    def bytes(self, n):
        out = b""
        while len(out) < n:
            out += hashlib.sha256(self.name + struct.pack(">Q", self.n)).digest()
            self.n += 1
        return out[:n]

    def below(self, n):
        return int.from_bytes(self.bytes(8), "big") % n


NOISE = Noise("fleet")
PACKETS = []  # heap of (microseconds, order, bytes)


def ip_bytes(text):
    return bytes(int(part) for part in text.split("."))


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_of(ip):
    if ip == "255.255.255.255":
        return b"\xff" * 6
    return mac_bytes(MACS.get(ip, ROUTER[1]))  # what is not here is behind the router


def frame(t, dst_mac, src_mac, ethertype, payload):
    heapq.heappush(PACKETS, (int(t * 1000000), len(PACKETS), dst_mac + src_mac + struct.pack(">H", ethertype) + payload))


def ipv4(t, src, dst, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), NOISE.below(65536), 0x4000, 64 if src in MACS else 55,
                       protocol, 0, ip_bytes(src), ip_bytes(dst))
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    frame(t, mac_of(dst), mac_of(src), 0x0800, head + payload)


def transport_sum(src, dst, protocol, segment):
    return checksum(ip_bytes(src) + ip_bytes(dst) + struct.pack(">BBH", 0, protocol, len(segment)) + segment)


def udp(t, src, sport, dst, dport, payload):
    head = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    total = transport_sum(src, dst, 17, head + payload) or 0xFFFF
    ipv4(t, src, dst, 17, head[:6] + struct.pack(">H", total) + payload)


def arp(t, who, whom):
    (ip, mac), (target, target_mac) = who, whom
    ask = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + mac_bytes(mac) + ip_bytes(ip) + b"\0" * 6 + ip_bytes(target)
    say = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + mac_bytes(target_mac) + ip_bytes(target) + mac_bytes(mac) + ip_bytes(ip)
    frame(t, b"\xff" * 6, mac_bytes(mac), 0x0806, ask)
    frame(t + 0.0004, mac_bytes(mac), mac_bytes(target_mac), 0x0806, say)


class Tcp:
    """A TCP connection: SYN, data both ways with acknowledgements, FIN."""

    def __init__(self, t, client, cport, server, sport, rtt=0.02):
        self.ends = {"c": (client, cport), "s": (server, sport)}
        self.seq = {"c": NOISE.below(1 << 31), "s": NOISE.below(1 << 31)}
        self.t, self.rtt = t, rtt
        self.segment("c", 0x02, options=b"\x02\x04\x05\xb4")
        self.t += rtt
        self.segment("s", 0x12, options=b"\x02\x04\x05\xb4")
        self.t += 0.0003
        self.segment("c", 0x10)

    def segment(self, side, flags, payload=b"", options=b""):
        other = "s" if side == "c" else "c"
        (src, sport), (dst, dport) = self.ends[side], self.ends[other]
        ack = self.seq[other] if flags & 0x10 else 0
        head = struct.pack(">HHIIBBHHH", sport, dport, self.seq[side], ack, (5 + len(options) // 4) << 4, flags, 29200, 0, 0)
        head += options
        total = transport_sum(src, dst, 6, head + payload)
        ipv4(self.t, src, dst, 6, head[:16] + struct.pack(">H", total) + head[18:] + payload)
        self.seq[side] = (self.seq[side] + len(payload) + bool(flags & 0x03)) & 0xFFFFFFFF

    def send(self, side, data, wait=None):
        self.t += self.rtt / 2 if wait is None else wait
        for at in range(0, len(data), 1460):
            self.segment(side, 0x18, data[at:at + 1460])
            self.t += 0.0002
        self.segment("s" if side == "c" else "c", 0x10)

    def close(self):
        self.t += 0.01
        self.segment("c", 0x11)
        self.t += self.rtt
        self.segment("s", 0x11)
        self.t += 0.0003
        self.segment("c", 0x10)


# ---- DNS

def dns_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(rtype, ttl, data, owner=b"\xc0\x0c"):
    return owner + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data


def dns(t, client, name, qtype, answers=(), rcode=0, authority=b"", latency=0.012):
    ident, port = NOISE.below(65536), 32768 + NOISE.below(28000)
    question = dns_name(name) + struct.pack(">HH", qtype, 1)
    udp(t, client, port, ROUTER[0], 53, struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + question)
    head = struct.pack(">HHHHHH", ident, 0x8180 | rcode, 1, len(answers), 1 if authority else 0, 0)
    udp(t + latency, ROUTER[0], 53, client, port, head + question + b"".join(answers) + authority)


def resolve(t, client, name, addresses, ttl=300):
    dns(t, client, name, 1, [record(1, ttl, ip_bytes(a)) for a in addresses])


def soa(zone):
    return record(6, 3600, dns_name("ns." + zone) + dns_name("hostmaster." + zone) + struct.pack(">5I", 2018022801, 7200, 1800, 1209600, 300),
                  dns_name(zone))


# ---- NTP

def ntp_time(t):
    return struct.pack(">II", int(t) + 2208988800, int((t % 1) * (1 << 32)))


def ntp_polls(client, server, first, until, offset, delay, silent=()):
    """Polls as BusyBox ntpd does: random transmit time, interval doubling from 64 to 1024 s."""
    t, poll, n, port = first, 6, 0, 40000 + NOISE.below(20000)
    while t < until:
        cookie = NOISE.bytes(8)
        udp(t, client, port, server, 123, struct.pack(">BBbb", 0x23, 0, poll, -6) + b"\0" * 36 + cookie)
        n += 1
        if n not in silent:
            there = t + delay / 2 + offset
            reply = struct.pack(">BBbbII4s", 0x24, 2, poll, -23, 0x0000_0312, 0x0000_0a21, ip_bytes("198.51.100.250"))
            reply += ntp_time(there - 117.25) + cookie + ntp_time(there) + ntp_time(there + 0.00004)
            udp(t + delay, server, 123, client, port, reply)
        t += (1 << poll) + NOISE.below(3000) / 1000
        if n % 4 == 0 and poll < 10:
            poll += 1


# ---- TLS

def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def tls_record(kind, version, data):
    out = b""
    for at in range(0, len(data), 16384):
        out += struct.pack(">BH", kind, version) + vector(2, data[at:at + 16384])
    return out


def handshake(kind, body):
    return bytes([kind]) + vector(3, body)


def extension(kind, data=b""):
    return struct.pack(">H", kind) + vector(2, data)


def shorts(values):
    return b"".join(struct.pack(">H", v) for v in values)


def sni(name):
    return extension(0, vector(2, b"\0" + vector(2, name.encode())))


def client_hello(version, suites, extensions, session=b""):
    body = struct.pack(">H", version) + NOISE.bytes(32) + vector(1, session) + vector(2, shorts(suites)) + b"\x01\x00"
    if extensions:
        body += vector(2, b"".join(extensions))
    return handshake(1, body)


def server_hello(version, suite, extensions, session=b""):
    body = struct.pack(">H", version) + NOISE.bytes(32) + vector(1, session) + struct.pack(">HB", suite, 0)
    if extensions:
        body += vector(2, b"".join(extensions))
    return handshake(2, body)


CERTIFICATES = handshake(11, vector(3, vector(3, CERTIFICATE)))
GROUPS = extension(10, vector(2, shorts([29, 23, 24])))
POINTS = extension(11, vector(1, b"\0"))
RENEGOTIATION = extension(0xFF01, b"\0")
MASTER_SECRET = extension(23)
SIGNATURES = extension(13, vector(2, shorts([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0201])))
OLD_SUITES = [0xC014, 0xC00A, 0x0039, 0x0035, 0xC013, 0xC009, 0x0033, 0x002F, 0x0005, 0x0004, 0x000A, 0x00FF]
NEW_SUITES = [0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035]


def finish(c, version):
    """Key exchange is over: ChangeCipherSpec and Finished from both sides."""
    c.send("c", tls_record(20, version, b"\x01") + tls_record(22, version, NOISE.bytes(48)))
    c.send("s", tls_record(20, version, b"\x01") + tls_record(22, version, NOISE.bytes(48)))


def tls_old(t, client, cport, server, sport, version, suite, name=None):
    """SSL 3.0 or TLS 1.0 with RSA key exchange: the whole handshake."""
    c = Tcp(t, client, cport, server, sport)
    extensions = [] if version == 0x0300 else [POINTS, GROUPS, extension(35), extension(15, b"\x01")]
    if name:
        extensions.insert(0, sni(name))
    suites = [0x0035, 0x002F, 0x000A, 0x0005, 0x00FF] if version == 0x0300 else OLD_SUITES
    c.send("c", tls_record(22, version, client_hello(version, suites, extensions)))
    answer = [] if version == 0x0300 else [RENEGOTIATION]
    c.send("s", tls_record(22, version, server_hello(version, suite, answer, NOISE.bytes(32)) + CERTIFICATES + handshake(14, b"")))
    premaster = NOISE.bytes(256) if version == 0x0300 else vector(2, NOISE.bytes(256))
    c.send("c", tls_record(22, version, handshake(16, premaster)))
    finish(c, version)
    return c


def tls12(t, client, cport, server, name):
    c = Tcp(t, client, cport, server, 443)
    offered = [sni(name), MASTER_SECRET, RENEGOTIATION, GROUPS, POINTS, extension(35), SIGNATURES]
    c.send("c", tls_record(22, 0x0301, client_hello(0x0303, NEW_SUITES, offered)))
    exchange = b"\x03\x00\x17" + vector(1, b"\x04" + NOISE.bytes(64)) + b"\x04\x01" + vector(2, NOISE.bytes(256))
    flight = server_hello(0x0303, 0xC02F, [RENEGOTIATION, MASTER_SECRET, POINTS], NOISE.bytes(32)) + CERTIFICATES
    c.send("s", tls_record(22, 0x0303, flight + handshake(12, exchange) + handshake(14, b"")))
    c.send("c", tls_record(22, 0x0303, handshake(16, vector(1, b"\x04" + NOISE.bytes(64)))))
    finish(c, 0x0303)
    return c


def tls13(t, client, cport, server, name, grease=True):
    c = Tcp(t, client, cport, server, 443)
    session = NOISE.bytes(32)
    share = (b"\x2a\x2a\x00\x01\x00" if grease else b"") + b"\x00\x1d" + vector(2, NOISE.bytes(32))
    versions = ([0x3A3A] if grease else []) + [0x0304, 0x0303]
    offered = [sni(name), MASTER_SECRET, RENEGOTIATION, GROUPS, POINTS, extension(16, vector(2, b"\x02h2\x08http/1.1")), SIGNATURES,
               extension(51, vector(2, share)), extension(45, b"\x01\x01"), extension(43, vector(1, shorts(versions)))]
    suites = ([0x1A1A] if grease else []) + [0x1301, 0x1302, 0x1303] + NEW_SUITES
    c.send("c", tls_record(22, 0x0301, client_hello(0x0303, suites, offered, session)))
    answer = [extension(43, b"\x03\x04"), extension(51, b"\x00\x1d" + vector(2, NOISE.bytes(32)))]
    c.send("s", tls_record(22, 0x0303, server_hello(0x0303, 0x1301, answer, session)) + tls_record(20, 0x0303, b"\x01")
           + tls_record(23, 0x0303, NOISE.bytes(1290)))
    c.send("c", tls_record(20, 0x0303, b"\x01") + tls_record(23, 0x0303, NOISE.bytes(53)))
    return c


def talk(c, version, times, ask, answer, wait):
    for _ in range(times):
        c.send("c", tls_record(23, version, NOISE.bytes(ask)), wait)
        c.send("s", tls_record(23, version, NOISE.bytes(answer)))


# ---- the hour

def http_call(t, client, cport, server, host, target, body, kind="text/xml"):
    c = Tcp(t, client, cport, server, 80)
    c.send("c", ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Python-urllib/2.7\r\nConnection: close\r\n\r\n" % (target, host)).encode())
    c.send("s", ("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                 % (kind, len(body), body)).encode())
    c.close()


def gateway_ntp(base, client, offset):
    for i, servers in enumerate(POOL):
        resolve(base + 0.1 * i, client, "%d.openwrt.pool.ntp.org" % i, servers, ttl=150)
        silent = (3,) if i == 2 else ()
        ntp_polls(client, servers[0], base + 2 + i, START + 3590, offset + 0.0011 * i, 0.011 + 0.004 * i, silent)


def main():
    (old, old_mac), (mid, mid_mac), (new, _) = GATEWAYS
    for i, who in enumerate(GATEWAYS + [LAPTOP]):
        for minute in range(0, 60, 20):
            arp(START + 4 + i + 60 * minute, who, ROUTER)
    for i, (ip, _) in enumerate(GATEWAYS):
        gateway_ntp(START + 6.5 + 3 * i, ip, 0.002 * i - 0.001)

    # Firmware: assign call in clear, then the pinned TLS 1.0 session with a ping every two minutes.
    assign = '<?xml version="1.0"?><servers><server address="live.telldus.com" port="50000" /></servers>'
    for i, (ip, mac) in enumerate([GATEWAYS[0], GATEWAYS[1]]):
        base = START + 20 + 7 * i
        resolve(base, ip, "api.telldus.com", [API])
        http_call(base + 0.1, ip, 41000 + i, API, "api.telldus.com", "/server/assign?protocolVersion=3&mac=" + mac.replace(":", "").upper(), assign)
        resolve(base + 1, ip, "live.telldus.com", [LIVE])
        session = tls_old(base + 1.1, ip, 42000 + i, LIVE, 50000, 0x0301, 0x0035)
        talk(session, 0x0301, 25, 96, 64, 120)
    resolve(START + 300, old, "fw.telldus.com", [FIRMWARE])
    http_call(START + 300.1, old, 41010, FIRMWARE, "fw.telldus.com", "/versions.xml?mac=%s&hw=2&product=tellstick-znet-lite"
              % old_mac.replace(":", "").upper(), '<?xml version="1.0"?><firmware><version>1.1.1</version></firmware>')
    tls_old(START + 420, old, 43000, LEGACY, 443, 0x0300, 0x000A).close()

    resolve(START + 90, mid, "pa-api.telldus.com", [PA_API])
    for i in range(3):
        session = tls12(START + 91 + 900 * i, mid, 44000 + i, PA_API, "pa-api.telldus.com")
        talk(session, 0x0303, 2, 220, 700, 0.2)
        session.close()
    resolve(START + 95, new, "pa-api.telldus.com", [PA_API])
    for i in range(4):
        session = tls13(START + 96 + 700 * i, new, 45000 + i, PA_API, "pa-api.telldus.com", grease=False)
        talk(session, 0x0303, 2, 260, 800, 0.2)
        session.close()
    refused = Tcp(START + 500, mid, 44100, LEGACY, 443)
    refused.send("c", tls_record(22, 0x0301, client_hello(0x0303, NEW_SUITES, [sni("legacy.telldus.com"), GROUPS, SIGNATURES])))
    refused.send("s", tls_record(21, 0x0303, b"\x02\x28"))
    refused.close()

    # The laptop: discovery, TelldusCenter, the web, and the look-up of the accused address.
    udp(START + 600, LAPTOP[0], 51000, "255.255.255.255", 30303, b"D")
    for i, (ip, mac) in enumerate(GATEWAYS):
        udp(START + 600.01 + i / 1000, ip, 30303, LAPTOP[0], 51000, ("TellStickZnetLite:%s:1.1.1" % mac.replace(":", "").upper()).encode())
    resolve(START + 605, LAPTOP[0], "api.telldus.com", [API])
    session = tls_old(START + 605.1, LAPTOP[0], 52000, API, 443, 0x0301, 0x002F, "api.telldus.com")
    talk(session, 0x0301, 3, 180, 900, 1)
    session.close()
    resolve(START + 700, LAPTOP[0], "www.example.com", [WEB])
    session = tls13(START + 700.1, LAPTOP[0], 52010, WEB, "www.example.com")
    talk(session, 0x0303, 2, 500, 2400, 0.1)
    session.close()
    dns(START + 1800, LAPTOP[0], "43.114.11.193.in-addr.arpa", 12, [record(12, 3600, dns_name("tor1.mdfnet.se"))], latency=0.08)
    dns(START + 1802, LAPTOP[0], "tor1.mdfnet.se", 1, rcode=3, authority=soa("mdfnet.se"), latency=0.09)

    path = sys.argv[1] if len(sys.argv) > 1 else "samples/fleet.pcap"
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        while PACKETS:
            us, _, data = heapq.heappop(PACKETS)
            data += b"\0" * (60 - len(data))  # Ethernet's least length
            out.write(struct.pack("<IIII", us // 1000000, us % 1000000, len(data), len(data)) + data)


main()
