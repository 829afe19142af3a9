"""TLS as bytes, for what no peer speaks any more: hellos, server flights, certificates (DER, with a signature that is none) and whole sessions."""
import struct
import harness

GOOD_FROM, GOOD_TO = "180201000000Z", "180601000000Z"
EMS, RENEG, TICKET = (23, b""), (0xFF01, b"\0"), (35, b"")
MODULUS = {}


def block(body, n):
    return struct.pack("!I", len(body))[4 - n:] + body


# ---- certificates

def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else struct.pack("!BH", 0x82, n)) + body


def der_int(v):
    return der(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = [int(x) for x in text.split(".")]
    out = bytes([40 * first + second])
    for v in rest:
        digits = [v & 127]
        while v > 127:
            v >>= 7
            digits.insert(0, v & 127 | 128)
        out += bytes(digits)
    return der(6, out)


def modulus(bits, seed=1):
    """A number of so many bits: nobody factors it here."""
    x = seed
    for _ in range(bits // 16 + 2):
        x = (x * 6364136223846793005 + 1442695040888963407) << 16 ^ x >> 7
    return x % (1 << bits) | 1 << (bits - 1) | 1


def name(text):
    return der(0x30, der(0x31, der(0x30, oid("2.5.4.3"), der(12, text.encode()))))


def cert(san="server.example", bits=2048, seed=1, n=None, sig="1.2.840.113549.1.1.11", begin=GOOD_FROM, end=GOOD_TO, subject=None, issuer="Some CA"):
    algorithm = der(0x30, oid(sig), der(5))
    key = der(0x30, der_int(n or modulus(bits, seed)), der_int(65537))
    spki = der(0x30, der(0x30, oid("1.2.840.113549.1.1.1"), der(5)), der(3, b"\0" + key))
    sans = der(0x30, oid("2.5.29.17"), der(4, der(0x30, der(0x82, san.encode()))))
    tbs = der(0x30, der(0xA0, der_int(2)), der_int(seed + 1), algorithm, name(issuer), der(0x30, der(23, begin.encode()), der(23, end.encode())),
              name(subject or san), spki, der(0xA3, der(0x30, sans)))
    return der(0x30, tbs, algorithm, der(3, b"\0" + bytes(64)))


# ---- messages

def message(kind, body):
    return bytes([kind]) + block(body, 3)


def extensions(pairs):
    return block(b"".join(struct.pack("!H", t) + block(b, 2) for t, b in pairs), 2) if pairs else b""


def client_hello(sni="server.example", version=0x0303, ciphers=(0xC02F, 0xC030), ext=(EMS, RENEG), versions=(), session=b"", groups=(29, 23)):
    every = []
    if sni:
        every.append((0, block(b"\0" + block(sni.encode(), 2), 2)))
    if version > 0x0300:
        every += [(10, block(b"".join(struct.pack("!H", g) for g in groups), 2)), (13, block(b"\x04\x01\x08\x04\x04\x03", 2))]
        every += list(ext)
    if versions:
        every.append((43, block(b"".join(struct.pack("!H", v) for v in versions), 1)))
    body = struct.pack("!H", version) + b"C" * 32 + block(session, 1) + block(b"".join(struct.pack("!H", c) for c in ciphers), 2) + b"\1\0"
    return message(1, body + extensions(every))


def server_hello(version=0x0303, cipher=0xC02F, ext=(EMS, RENEG), session=b"", compression=0, random=b"S" * 32):
    return message(2, struct.pack("!H", version) + random + block(session, 1) + struct.pack("!HB", cipher, compression) + extensions(ext))


def certificate(*certs):
    return message(11, block(b"".join(block(c, 3) for c in certs), 3))


def ske_ecdhe(point, curve=23, sig=0x0804, signed=True):
    body = b"\x03" + struct.pack("!H", curve) + block(point, 1)
    return message(12, body + ((struct.pack("!H", sig) if sig else b"") + block(bytes(256), 2) if signed else b""))


def ske_dhe(p, ys, sig=0x0804, signed=True):
    body = block(p, 2) + block(b"\2", 2) + block(ys, 2)
    return message(12, body + ((struct.pack("!H", sig) if sig else b"") + block(bytes(256), 2) if signed else b""))


def ske_rsa(n):
    return message(12, block(n, 2) + block(b"\1\0\1", 2) + block(bytes(128), 2))


def new_ticket(ticket, lifetime=3600):
    return message(4, struct.pack("!I", lifetime) + block(ticket, 2))


def heartbeat(kind, claims, has, padding=16):
    return bytes([kind]) + struct.pack("!H", claims) + b"h" * has + b"p" * padding


DONE, CKE = message(14, b""), message(16, block(bytes(64), 2))


class Session:
    """One TLS session up to 1.2, step by step; `said` are its segments: (side, bytes)."""

    def __init__(self, version=0x0303):
        self.version, self.said = version, []

    def records(self, side, *bodies, kind=22):
        self.said.append((side, b"".join(harness.tls_record(kind, b, self.version) for b in bodies)))
        return self

    def hellos(self, client, *flight):
        self.said.append((0, harness.tls_record(22, client, min(self.version, 0x0301))))
        return self.records(1, *flight)

    def finish(self, server_first=False, ticket=None):
        """ChangeCipherSpec and Finished both ways; a ticket before the server's."""
        def end(side):
            more = harness.tls_record(22, ticket, self.version) if side and ticket else b""
            self.said.append((side, more + harness.tls_record(20, b"\1", self.version) + harness.tls_record(22, b"\xee" * 40, self.version)))
        if server_first:
            end(1)
        else:
            self.records(0, CKE)
        end(0)
        if not server_first:
            end(1)
        return self

    def data(self, side, n=120):
        return self.records(side, b"\xdd" * n, kind=23)

    def alert(self, side, level, what):
        return self.records(side, bytes([level, what]), kind=21)

    def raw(self, side, data):
        self.said.append((side, data))
        return self


def sslv2_client(kinds=(0x010080, 0x0700C0), version=0x0002):
    body = struct.pack("!BHHHH", 1, version, 3 * len(kinds), 0, 16) + b"".join(struct.pack("!I", k)[1:] for k in kinds) + b"c" * 16
    return struct.pack("!H", 0x8000 | len(body)) + body


def sslv2_server(cert_der, kinds=(0x010080, 0x0700C0)):
    body = struct.pack("!BBBHHHH", 4, 0, 1, 0x0002, len(cert_der), 3 * len(kinds), 16) + cert_der
    body += b"".join(struct.pack("!I", k)[1:] for k in kinds) + b"i" * 16
    return struct.pack("!H", 0x8000 | len(body)) + body


def roca_modulus():
    """Of two primes as Infineon's RSALib made them: k * M + 65537^a mod M, M the product of the first 39 primes (here any k, prime or not)."""
    m = 1
    for p in range(2, 168):
        if all(p % q for q in range(2, p)):
            m *= p
    return (37 * m + pow(65537, 31337, m)) * (((1 << 37) + 91) * m + pow(65537, 4711, m))
