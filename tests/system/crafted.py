#!/usr/bin/env python3
"""Every class of weak TLS as crafted traffic, through 'replay -o': the exact set of findings, and with each class its near miss, the same traffic
without the flaw, which gives none. What needs more than a window (tickets' keys) through 'show' of all segments."""
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness
from tlswire import *

t = harness.Test(__doc__, shared=False)
NOON, HOUR, DAY = 1519905600, 3600, 86400          # 2018-03-01T12:00:00Z
CLIENT = ("02:00:00:00:00:01", "192.168.1.10")
ETM, EARLY = (22, b""), (42, b"")
GOOD = cert()
OAKLEY2 = bytes.fromhex("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
                        "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF")
fresh = iter(range(1, 1 << 30))


def number(bits):
    return modulus(bits, 77).to_bytes(bits // 8, "big")


def point():
    return b"\4" + struct.pack("!Q", next(fresh)) * 8


def value(n):
    return struct.pack("!Q", next(fresh)) * (n // 8)


def dhe(p, **more):
    return ske_dhe(p, value(len(p)), **more)


def tls(cipher=0xC02F, version=0x0303, ext=(EMS, RENEG), server_ext=None, certs=(GOOD,), ske="ecdhe", ticket=None, end=True, **client):
    """A session that is clean but for what is asked for."""
    chosen = server_ext if server_ext is not None else ext
    random = client.pop("random", b"S" * 32)
    compression = client.pop("compression", 0)
    offered = client.pop("ciphers", (cipher, 0xC030))
    s = Session(version)
    if ske == "ecdhe":
        ske = ske_ecdhe(point(), sig=0x0804 if version == 0x0303 else 0)
    flight = [server_hello(version, cipher, chosen, random=random, compression=compression)]
    flight += [certificate(*certs)] if certs else []
    flight += [ske] if ske else []
    s.hellos(client_hello(version=client.pop("offers", version), ciphers=offered, ext=ext, **client), *flight, DONE)
    return s.finish(ticket=ticket).data(0).data(1) if end else s


def rsa(cipher, **more):
    return tls(cipher, ske=more.pop("ske", None), **more)


def refused(client, level=2, what=40):
    return Session().raw(0, harness.tls_record(22, client, 0x0301)).alert(1, level, what)


def tls13(cipher=0x1301, more=(), group=29, psk=False, versions=(0x0304, 0x0303)):
    share = [] if group is None else [(51, struct.pack("!H", group) + block(bytes(32), 2))]
    chosen = [(43, b"\3\4")] + share + ([(41, b"\0\0")] if psk else [])
    s = Session().hellos(client_hello(ciphers=(cipher, 0xC02F), versions=versions, ext=(EMS, RENEG) + tuple(more)), server_hello(cipher=cipher, ext=chosen))
    return s.records(1, b"\1", kind=20).data(1, 900).records(0, b"\1", kind=20).data(0).data(1)


def sslv2(kinds=(0x010080, 0x0700C0), der_cert=None, answer=None):
    """With a key of its own: others that had it would be open to DROWN."""
    der_cert = der_cert or cert(seed=999)
    s = Session().raw(0, sslv2_client(kinds)).raw(1, sslv2_server(der_cert, answer or kinds))
    return s.raw(0, b"\x80\x40" + bytes(64)).raw(1, b"\x80\x20" + bytes(32)).raw(0, b"\x80\x20" + bytes(32)).raw(1, b"\x80\x20" + bytes(32))


def beats(*pairs, before_ccs=True):
    """Heartbeats of a session that negotiated them: (side, body), in clear or as long protected records."""
    s = tls(server_ext=(EMS, RENEG, (15, b"\1")), ext=(EMS, RENEG, (15, b"\1")), end=False)
    if before_ccs:
        for side, body in pairs:
            s.records(side, body, kind=24)
        return s.finish().data(0).data(1)
    s.finish().data(0).data(1)
    for side, body in pairs:
        s.records(side, body, kind=24)
    return s.data(0)


def lines(*texts):
    s = Session()
    for text in texts:
        s.raw(0 if text[0] == ">" else 1, text[1:].encode("latin1"))
    return s


def after(s, *texts):
    """TLS after lines in clear."""
    first = lines(*texts)
    first.said += s.said
    return first


def at(port, s, wait=0):
    s.port, s.wait = port, wait
    return s


def secret(n=1):
    return cert(seed=1000 + n)


def asked(*more):
    return ("<220 mail.example ESMTP\r\n", ">EHLO me\r\n", "<250-mail.example\r\n250 STARTTLS\r\n", ">STARTTLS\r\n") + more


HTTP_GET = ">GET / HTTP/1.1\r\nHost: server.example\r\n\r\n"
HTTP_OK = "<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OLD, LEGACY = "OLD_CLIENT/offered/medium", (EMS, RENEG, ETM)
HB = "HEARTBEAT_NEG/accepted/low"

# name, sessions, what is found: RULE/basis/severity and, where it is not 1, in how many sessions
CASES = [
    ("clean TLS 1.2", [tls()], ""),
    ("clean TLS 1.3", [tls13()], ""),
    ("SSL 2.0", [sslv2()], "SSLV2_NEG/accepted/critical SSLV2_OFFER/offered/high " + OLD),
    ("SSL 2.0 with export ciphers", [sslv2((0x010080, 0x020080), answer=(0x010080,))],
     "SSLV2_NEG/accepted/critical SSLV2_OFFER/offered/high SSLV2_EXPORT/offered/critical " + OLD),
    ("SSL 2.0 whose server has export ciphers", [sslv2((0x010080,), answer=(0x010080, 0x040080))],
     "SSLV2_NEG/accepted/critical SSLV2_OFFER/offered/high SSLV2_EXPORT/accepted/critical " + OLD),
    ("a hello of SSLv2 format", [Session().raw(0, sslv2_client((0xC02F, 0xFF), 0x0303)).records(1, server_hello(ext=(RENEG,)), certificate(GOOD), ske_ecdhe(point()), DONE)
                                 .finish().data(0).data(1)], "SSLV2_COMPAT_HELLO/offered/low NO_EMS/accepted/low"),
    ("POODLE", [rsa(0x002F, version=0x0300, ext=(RENEG, ETM), ciphers=(0x002F, 0xFF))],
     "SSLV3_NEG/accepted/high POODLE/accepted/critical STATIC_RSA/accepted/medium " + OLD),
    ("SSL 3.0 with RC4", [rsa(0x0005, version=0x0300, ext=(RENEG,), ciphers=(0x0005, 0xFF))],
     "SSLV3_NEG/accepted/high RC4/accepted/high STATIC_RSA/accepted/medium " + OLD),
    ("TLS 1.0", [tls(0xC013, version=0x0301, ext=LEGACY)], "TLS10/accepted/medium " + OLD),
    ("TLS 1.0, the client could do more", [tls(0xC013, version=0x0301, offers=0x0303, ext=LEGACY)], "TLS10/accepted/medium"),
    ("TLS 1.1", [tls(0xC013, version=0x0302, ext=LEGACY)], "TLS11/accepted/medium " + OLD),
    ("TLS 1.2 with the same suite", [tls(0xC013, ext=LEGACY)], ""),
    ("TLS 1.0 refused by the client", [tls(0xC013, version=0x0301, offers=0x0303, ext=LEGACY, end=False).alert(0, 2, 70)], "TLS10/attempted/medium"),
    ("TLS 1.0, end not seen", [tls(0xC013, version=0x0301, offers=0x0303, ext=LEGACY, end=False)], "TLS10/negotiated/medium"),
    ("TLS 1.0 offered, refused", [refused(client_hello(version=0x0301))], OLD),
    ("TLS 1.2 offered, refused", [refused(client_hello())], ""),
    ("in the middle, TLS 1.0", [Session(0x0301).data(0).data(1).data(0).data(1)], "TLS10/record_version/medium"),
    ("in the middle, SSL 3.0", [Session(0x0300).data(0).data(1).data(0).data(1)], "SSLV3_NEG/record_version/high"),
    ("in the middle, 0x0303", [Session(0x0303).data(0).data(1).data(0).data(1)], ""),
    ("FREAK", [tls(0x0003, ske=ske_rsa(number(512)))], "FREAK/accepted/critical EXPORT/accepted/critical RC4/accepted/high"),
    ("FREAK by a short key", [tls(0x009C, ske=ske_rsa(number(512)))], "FREAK/accepted/critical STATIC_RSA/accepted/medium"),
    ("an RSA key that is not so short", [tls(0x009C, ske=ske_rsa(number(1024)))], "STATIC_RSA/accepted/medium"),
    ("Logjam", [tls(0x009E, ske=dhe(number(512)))], "LOGJAM_EXPORT/accepted/critical DH_SHORT/accepted/critical"),
    ("a prime of 768 bits", [tls(0x009E, ske=dhe(number(768)))], "DH_SHORT/accepted/critical"),
    ("a prime of 1024 bits", [tls(0x009E, ske=dhe(number(1024)))], "DH_SHORT/accepted/high"),
    ("a prime of 2048 bits", [tls(0x009E, ske=dhe(number(2048)))], "DH_SHORT/accepted/low"),
    ("Oakley group 2", [tls(0x009E, ske=dhe(OAKLEY2))], "DH_SHORT/accepted/high DH_COMMON/accepted/high"),
    ("static RSA", [rsa(0x009C)], "STATIC_RSA/accepted/medium"),
    ("static DH", [rsa(0x00A0)], "STATIC_DH/accepted/medium"),
    ("static ECDH", [rsa(0xC031)], "STATIC_ECDH/accepted/medium"),
    ("NULL", [rsa(0x003B)], "NULL_ENC/accepted/critical STATIC_RSA/accepted/medium"),
    ("anonymous", [tls(0xC018, ext=LEGACY, certs=(), ske=ske_ecdhe(point(), signed=False))], "ANON/accepted/critical"),
    ("RC4", [tls(0xC011)], "RC4/accepted/high"),
    ("RC4 offered", [tls(ciphers=(0xC02F, 0xC011))], "RC4/offered/low"),
    ("3DES", [tls(0xC012, ext=LEGACY)], "SWEET32/accepted/medium"),
    ("AES in its place", [tls(0xC014, ext=LEGACY)], ""),
    ("DES", [rsa(0x0009, ext=LEGACY)], "SINGLE_DES/accepted/critical SWEET32/accepted/medium STATIC_RSA/accepted/medium"),
    ("CBC", [tls(0xC013)], "CBC_NO_ETM/accepted/low"),
    ("compression", [tls(compression=1)], "COMPRESSION/accepted/high"),
    ("the server knows no renegotiation_info", [tls(server_ext=(EMS,))], "INSECURE_RENEG/accepted/medium"),
    ("the client does not", [tls(ext=(EMS,))], "CLIENT_NO_RENEG_INFO/offered/low"),
    ("no extended master secret", [tls(server_ext=(RENEG,))], "NO_EMS/accepted/low"),
    ("a fallback", [refused(client_hello()), at(443, tls(0xC013, version=0x0302, ext=LEGACY), 2)], "FALLBACK_NO_SCSV/accepted/medium TLS11/accepted/medium " + OLD),
    ("a fallback with its SCSV", [refused(client_hello()), at(443, tls(0xC013, version=0x0302, ext=LEGACY, ciphers=(0xC013, 0x5600)), 2)], "TLS11/accepted/medium " + OLD),
    ("a fallback a minute later", [refused(client_hello()), at(443, tls(0xC013, version=0x0302, ext=LEGACY), 60)], "TLS11/accepted/medium " + OLD),
    ("a lower version after a success", [tls(), at(443, tls(0xC013, version=0x0302, ext=LEGACY), 2)], "TLS11/accepted/medium " + OLD),
    ("a fallback refused", [refused(client_hello(ciphers=(0xC02F, 0x5600)), what=86)], "FALLBACK_REJECTED/attempted/info"),
    ("a fallback refused, with a farewell", [refused(client_hello(ciphers=(0xC02F, 0x5600)), what=86).alert(0, 1, 0)], "FALLBACK_REJECTED/attempted/info"),
    ("a downgrade", [tls(versions=(0x0304, 0x0303), random=b"S" * 24 + b"DOWNGRD\1")], "DOWNGRADE_SENTINEL/accepted/high"),
    ("an older client", [tls(random=b"S" * 24 + b"DOWNGRD\1")], "DOWNGRADE_SENTINEL/accepted/info"),
    ("an older server", [tls(versions=(0x0304, 0x0303))], ""),
    ("signed with MD5", [tls(ske=ske_ecdhe(point(), sig=0x0101))], "SIG_MD5/accepted/high"),
    ("signed with SHA-1", [tls(ske=ske_ecdhe(point(), sig=0x0201))], "SIG_SHA1/accepted/medium"),
    ("signed with SHA-224", [tls(ske=ske_ecdhe(point(), sig=0x0301))], ""),
    ("a certificate signed with MD5", [tls(certs=[cert(sig="1.2.840.113549.1.1.4")])], "CERT_SIG_MD5/accepted/critical"),
    ("with SHA-1", [tls(certs=[cert(sig="1.2.840.113549.1.1.5")])], "CERT_SIG_SHA1/accepted/high"),
    ("its issuer's with SHA-1", [tls(certs=[GOOD, cert("Some CA", sig="1.2.840.113549.1.1.5", seed=2, issuer="Root")])], "CERT_SIG_SHA1/accepted/high"),
    ("a good issuer", [tls(certs=[GOOD, cert("Some CA", seed=2, issuer="Root")])], ""),
    ("RSA 768", [tls(certs=[cert(bits=768)])], "CERT_RSA_SHORT/accepted/critical"),
    ("RSA 1024", [tls(certs=[cert(bits=1024)])], "CERT_RSA_SHORT/accepted/high"),
    ("RSA 4096", [tls(certs=[cert(bits=4096)])], ""),
    ("ROCA", [tls(certs=[cert(n=roca_modulus())])], "CERT_ROCA/accepted/high CERT_RSA_SHORT/accepted/critical"),
    ("nearly ROCA", [tls(certs=[cert(n=roca_modulus() + 2)])], "CERT_RSA_SHORT/accepted/critical"),
    ("expired", [tls(certs=[cert(end="180228235959Z")])], "CERT_EXPIRED/accepted/medium"),
    ("expires tonight", [tls(certs=[cert(end="180301235959Z")])], ""),
    ("not valid yet", [tls(certs=[cert(begin="180302000000Z")])], "CERT_NOT_YET/accepted/medium"),
    ("valid since today", [tls(certs=[cert(begin="180301000000Z")])], ""),
    ("self-issued", [tls(certs=[cert(issuer="server.example")])], "CERT_SELF_SIGNED/accepted/medium"),
    ("another name", [tls(certs=[cert("other.example")])], "CERT_NAME_MISMATCH/accepted/medium"),
    ("a wildcard", [tls(certs=[cert("*.example")])], ""),
    ("399 days", [tls(certs=[cert(begin="180201000000Z", end="190307000000Z")])], "CERT_LONG/accepted/info"),
    ("398 days", [tls(certs=[cert(begin="180201000000Z", end="190306000000Z")])], ""),
    ("heartbeats", [beats((0, heartbeat(1, 20, 20)), (1, heartbeat(2, 20, 20)))], HB),
    ("Heartbleed, in clear", [beats((0, heartbeat(1, 16384, 0, 0)))], "HEARTBLEED/attempted/critical " + HB),
    ("Heartbleed, answered", [beats((0, heartbeat(1, 16384, 0, 0)), (1, heartbeat(2, 16384, 3000)))], "HEARTBLEED/accepted/critical " + HB),
    ("a heartbeat of one byte too many", [beats((0, heartbeat(1, 21, 20)), (1, heartbeat(2, 20, 20)))], "HEARTBLEED/attempted/critical " + HB),
    ("Heartbleed under protection", [beats((0, b"e" * 40), (1, b"e" * 1000), before_ccs=False)], "HEARTBLEED/accepted/critical " + HB),
    ("heartbeats under protection", [beats((0, b"e" * 400), (1, b"e" * 400), before_ccs=False)], HB),
    ("an answer less than three times as long", [beats((0, b"e" * 400), (1, b"e" * 1199), before_ccs=False)], HB),
    ("an answer of no more than 200 bytes", [beats((0, b"e" * 40), (1, b"e" * 200), before_ccs=False)], HB),
    ("P-192", [tls(ske=ske_ecdhe(point(), 19))], "WEAK_CURVE/accepted/high"),
    ("P-224", [tls(ske=ske_ecdhe(point(), 21))], ""),
    ("a ticket for eight days", [tls(ticket=new_ticket(b"A" * 160, 8 * DAY))], "TICKET_ODD/accepted/medium"),
    ("a ticket for seven", [tls(ticket=new_ticket(b"B" * 160, 7 * DAY))], ""),
    ("early data", [tls13(more=[EARLY])], "EARLY_DATA/offered/info"),
    ("PSK without DHE", [tls(0x00A8, certs=(), ske=None)], "PSK_NO_DHE/accepted/medium"),
    ("PSK with ECDHE", [tls(0xD001, certs=(), ske=None)], ""),
    ("PSK of TLS 1.3 without key share", [tls13(psk=True, group=None)], "PSK_NO_DHE/accepted/medium"),
    ("PSK of TLS 1.3 with one", [tls13(psk=True)], ""),
    ("one DH value twice", [tls(0x009E, ske=ske_dhe(number(2048), b"Y" * 256)), at(443, tls(0x009E, ske=ske_dhe(number(2048), b"Y" * 256)), 60)],
     "DH_REUSE/negotiated/medium*2 DH_SHORT/accepted/low*2"),
    ("two DH values", [tls(0x009E, ske=ske_dhe(number(2048), b"X" * 256)), at(443, tls(0x009E, ske=ske_dhe(number(2048), b"Z" * 256)), 60)], "DH_SHORT/accepted/low*2"),
    ("one ECDH point twice", [tls(ske=ske_ecdhe(b"\4" + b"P" * 64)), at(443, tls(ske=ske_ecdhe(b"\4" + b"P" * 64)), 60)], "DH_REUSE/negotiated/medium*2"),
    ("STARTTLS", [at(25, after(tls(), *asked("<220 go\r\n")))], ""),
    ("STARTTLS, agreed and clear", [at(25, lines(*asked("<220 go\r\n", ">MAIL FROM:<a@example>\r\n")))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("STARTTLS, refused and clear", [at(587, lines(*asked("<454 no TLS\r\n", ">AUTH PLAIN AGEAYg==\r\n")))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("STARTTLS, refused and left", [at(25, lines(*asked("<454 no TLS\r\n", ">QUIT\r\n")))], ""),
    ("no STARTTLS", [at(25, lines("<220 mail.example ESMTP\r\n", ">EHLO me\r\n", "<250 mail.example\r\n", ">MAIL FROM:<a@example>\r\n"))], ""),
    ("IMAP", [at(143, lines("<* OK ready\r\n", ">a1 STARTTLS\r\n", "<a1 BAD no\r\n", ">a2 LOGIN a b\r\n"))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("IMAP, left", [at(143, lines("<* OK ready\r\n", ">a1 STARTTLS\r\n", "<a1 BAD no\r\n", ">a2 LOGOUT\r\n"))], ""),
    ("IMAP with TLS", [at(143, after(tls(), "<* OK ready\r\n", ">a1 STARTTLS\r\n", "<a1 OK go\r\n"))], ""),
    ("POP3", [at(110, lines("<+OK ready\r\n", ">STLS\r\n", "<-ERR no\r\n", ">USER a\r\n"))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("POP3 with TLS", [at(110, after(tls(), "<+OK ready\r\n", ">STLS\r\n", "<+OK go\r\n"))], ""),
    ("FTP", [at(21, lines("<220 ftp\r\n", ">AUTH TLS\r\n", "<502 no\r\n", ">AUTH SSL\r\n", "<502 no\r\n", ">USER a\r\n"))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("FTP with TLS", [at(21, after(tls(), "<220 ftp\r\n", ">AUTH TLS\r\n", "<234 go\r\n"))], ""),
    ("XMPP with TLS", [at(5222, after(tls(), "><?xml version='1.0'?><stream:stream>", "<<stream:stream><stream:features/>", "><starttls xmlns='x'/>", "<<proceed/>"))], ""),
    ("MySQL with TLS", [at(3306, after(tls(), "<\x4a\0\0\0\x0a8.0.36\0" + "x" * 66, ">\x20\0\0\1\0\x08\0\0" + "\0" * 28))], ""),
    ("LDAP with TLS", [at(389, after(tls(), ">\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "<\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0"))], ""),
    ("SOCKS", [at(1080, after(tls(), ">\5\1\0", "<\5\0", ">\5\1\0\3\x0eserver.example\1\xbb", "<\5\0\0\1\0\0\0\0\0\0"))], ""),
    ("XMPP", [at(5222, lines("><stream:stream to='x'>", "<<stream:stream><stream:features/>", "><starttls xmlns='x'/>", "<<failure/>", "><auth mechanism='PLAIN'>x</auth>"))],
     "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("PostgreSQL", [at(5432, lines(">\0\0\0\x08\x04\xd2\x16\x2f", "<N", ">\0\0\0\x0d\0\3\0\0user\0\0"))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("PostgreSQL with TLS", [at(5432, after(tls(), ">\0\0\0\x08\x04\xd2\x16\x2f", "<S"))], ""),
    ("LDAP", [at(389, lines(">\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "<\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\0\x04\0",
                            ">\x30\x11\x02\x01\x02\x60\x0c\x02\x01\x03\x04\x01a\x80\x04pass"))], "PLAINTEXT_AFTER_STARTTLS/accepted/medium"),
    ("LDAP, unbound", [at(389, lines(">\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "<\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\0\x04\0",
                                     ">\x30\x05\x02\x01\x02\x42\0"))], ""),
    ("HTTP on port 443", [lines(HTTP_GET, HTTP_OK)], "HTTP_ON_443/accepted/medium"),
    ("HTTP on port 443, refused", [lines(HTTP_GET, "<HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")], ""),
    ("HTTP on port 443, not answered", [lines(HTTP_GET)], ""),
    ("HTTP on port 80", [at(80, lines(HTTP_GET, HTTP_OK))], ""),
    ("a proxy on port 443", [after(tls(), ">CONNECT server.example:443 HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\n\r\n")], ""),
    ("a login in clear", [at(80, lines(">GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic YTpi\r\n\r\n", HTTP_OK))], "HTTP_LOGIN/accepted/medium"),
    ("a token in clear, in two segments", [at(8080, lines(">GET / HTTP/1.1\r\nHost: a.example\r\nauthor", ">ization: bearer abc\r\n\r\n", HTTP_OK))], "HTTP_LOGIN/accepted/medium"),
    ("a digest", [at(80, lines('>GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: Digest username="a"\r\n\r\n', HTTP_OK))], ""),
    ("two logins on a connection", [at(80, lines(*(">GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic YTpi\r\n\r\n", HTTP_OK) * 2))], "HTTP_LOGIN/accepted/medium"),
    # DROWN: servers of the fleet that share a key with one that speaks SSL 2.0
    ("DROWN: SSL 2.0", [at(465, sslv2(der_cert=secret(1)))], "SSLV2_NEG/accepted/critical SSLV2_OFFER/offered/high " + OLD),
    ("DROWN: static RSA", [rsa(0x009C, certs=[secret(1)])], "DROWN_SHARED_KEY/accepted/critical STATIC_RSA/accepted/medium"),
    ("DROWN: ECDHE, another certificate", [tls(certs=[cert(seed=1001, end="180501000000Z")])], "DROWN_SHARED_KEY/accepted/high"),
    ("DROWN: another key", [rsa(0x009C, certs=[secret(2)])], "STATIC_RSA/accepted/medium"),
    ("DROWN: TLS 1.3 hides its certificate", [tls13()], ""),
]


def server_of(i):
    return ("02:00:00:00:01:00", "93.184.%d.%d" % (1 + i // 200, 1 + i % 200))


def packets_of(i, sessions, begin=NOON):
    for k, s in enumerate(sessions):
        c = harness.Conversation(CLIENT, server_of(i), 20000 + (100 * i + k) % 40000, getattr(s, "port", 443), int((begin + i + getattr(s, "wait", 0)) * 1000000))
        if s.said[0][1][:3] in (b"\x17\x03\x00", b"\x17\x03\x01", b"\x17\x03\x03"):    # began before
            c.packets = []
        for side, data in s.said:
            c.say(side, data)
        yield from c.packets


pcap, out = t.path("crafted.pcap"), t.path("out", "")
harness.write_pcap(pcap, sorted(p for i, (_, sessions, _) in enumerate(CASES) for p in packets_of(i, sessions)))
t.replay("-c", t.config("any-client.yaml"), "-o", out, pcap)
found, judged, weak = {}, {}, {}
for segment in harness.segments(out):
    for row in harness.rows(segment.replace("/summary-", "/flags-")):
        address = row.get("server", {}).get("addr")
        if row["kind"] == "finding":
            n = row.get("sessions", 0)
            found.setdefault(address, []).append("%s/%s/%s%s" % (row["rule"], row["basis"], row["severity"], "" if n == 1 else "*%d" % n))
            if row["severity"] != "info" and row["basis"] in ("accepted", "negotiated", "record_version"):
                weak[row["rule"]] = weak.get(row["rule"], 0) + n
        elif row["kind"] == "judged":
            judged[address] = judged.get(address, 0) + row.get("sessions", 0)
for i, (name, sessions, want) in enumerate(CASES):
    have = sorted(found.get(server_of(i)[1], []))
    t.check(have == sorted(want.split()), "%s: found %s, not %s", name, have, sorted(want.split()))
    if any(s.said[0][1][:1] in b"\x16\x17\x80" for s in sessions):
        t.check(judged.get(server_of(i)[1]) == len(sessions), "%s: judged: %s", name, judged.get(server_of(i)[1]))
    elif not any(r[:1] == b"\x16" for s in sessions for _, r in s.said):
        t.check(server_of(i)[1] not in judged, "%s: no session, and judged: %s", name, judged.get(server_of(i)[1]))
totals = t.show(out)
t.check(totals["tls"]["weak"] == weak, "weak sessions of the totals: %s, of the findings: %s", totals["tls"]["weak"], weak)
rules = {x.split("/")[0] for _, _, want in CASES for x in want.split()}
every = {line.split(":")[0].strip() for line in open(t.config("policy-default.yaml")).read().split("\nrules:\n")[1].splitlines()}
t.check(rules == every, "classes without a case: %s", sorted(every - rules))

# What a session is told to have come after.
VIA = {"STARTTLS": "smtp", "IMAP with TLS": "imap", "POP3 with TLS": "pop3", "FTP with TLS": "ftp", "XMPP with TLS": "xmpp", "PostgreSQL with TLS": "postgresql",
       "LDAP with TLS": "ldap", "MySQL with TLS": "mysql", "SOCKS": "socks", "a proxy on port 443": "http_connect", "clean TLS 1.2": None}
tls_rows = {(r["peer"], r["outcome"]): r for s in harness.segments(out) for r in harness.rows(s) if r["kind"] == "tls"}
for i, (name, _, _) in enumerate(CASES):
    if name in VIA:
        row = tls_rows.get((server_of(i)[1], "established"), {"via": "no session"})
        t.check(row.get("via") == VIA[name], "%s: via %s", name, row.get("via"))

# Resumed sessions have the certificates of the first one only between the same two, within a day, in one capture.
SESSION_ID = b"resume me, resume me, resume me!"


def resumed(wait):
    s = Session().hellos(client_hello(session=SESSION_ID), server_hello(session=SESSION_ID))
    return at(443, s.finish(server_first=True).data(0).data(1), wait)


def conversation(i, s, client=CLIENT):
    c = harness.Conversation(client, server_of(i), 20000 + next(fresh) % 40000, 443, int((NOON + s.wait) * 1000000))
    for side, data in s.said:
        c.say(side, data)
    return c.close().packets


first = lambda: at(443, Session().hellos(client_hello(), server_hello(session=SESSION_ID), certificate(GOOD), ske_ecdhe(point()), DONE).finish().data(0).data(1), 0)
OTHER = ("02:00:00:00:00:02", "192.168.1.11")
RESUMED = [
    ("the same two", [[conversation(1, first()), conversation(1, resumed(60))]], {"seen": 2}),
    ("within a day", [[conversation(1, first()), conversation(1, resumed(23 * HOUR))]], {"seen": 2}),
    ("a day later", [[conversation(1, first()), conversation(1, resumed(25 * HOUR))]], {"seen": 1, "resumed": 1}),
    ("another client", [[conversation(1, first()), conversation(1, resumed(60), OTHER)]], {"seen": 1, "resumed": 1}),
    ("another server", [[conversation(1, first()), conversation(2, resumed(60))]], {"seen": 1, "resumed": 1}),
    ("another capture", [[conversation(1, first())], [conversation(1, resumed(60))]], {"seen": 1, "resumed": 1}),
]
for k, (name, captures, want) in enumerate(RESUMED):
    folder = t.path("resumed%d" % k, "")
    paths = [harness.write_pcap(t.path("resumed%d-%d.pcap" % (k, n)), sorted(p for c in cs for p in c)) for n, cs in enumerate(captures)]
    t.replay("-c", t.config("any-client.yaml"), "-o", folder, *paths)
    r = json.loads(t.run("show", "--findings", "--json", folder).stdout)
    certs, judged_as = {}, {}
    for row in r["judged"]:
        for to, values in ((certs, row["certificates"]), (judged_as, {x: row[x] for x in ("clean", "unknown") if x in row})):
            for x, n in values.items():
                to[x] = to.get(x, 0) + n
    t.check(certs == want and judged_as == ({"clean": 2} if want == {"seen": 2} else {"clean": 1, "unknown": 1}), "resumed, %s: %s %s", name, certs, judged_as)

# Ticket keys: one for more than a day, at two servers, of zeros; and their near misses. Each by itself, over all its segments.
TICKETS = [
    ("a key for 25 hours", [(0, 1, b"k" * 16), (25 * HOUR, 1, b"k" * 16)], "one ticket key for more than a day"),
    ("a key for 23 hours", [(0, 1, b"k" * 16), (23 * HOUR, 1, b"k" * 16)], None),
    ("a key that rotates", [(0, 1, b"k" * 16), (25 * HOUR, 1, b"l" * 16)], None),
    ("a key at two servers", [(0, 1, b"k" * 16), (60, 2, b"k" * 16)], "one ticket key at several servers"),
    ("two keys at two servers", [(0, 1, b"k" * 16), (60, 2, b"l" * 16)], None),
    ("a key named by zeros", [(0, 1, b"\0" * 16)], "a ticket key named by zeros"),
]
for k, (name, sessions, want) in enumerate(TICKETS):
    packets = [p for wait, server, key in sessions for p in packets_of(server, [at(443, tls(ticket=new_ticket(key + bytes([server]) * 144)), wait)])]
    folder = t.path("tickets%d" % k, "")
    t.replay("-c", t.config("any-client.yaml"), "-o", folder, harness.write_pcap(t.path("tickets%d.pcap" % k), sorted(packets)))
    r = t.run("show", "--fail-on", "TICKET_ODD", folder)
    t.check(r.returncode == (6 if want else 0), "%s: exit status %d", name, r.returncode)
    t.check(want is None or want.encode() in r.stdout, "%s: not said why", name)
    t.check(want is not None or b"TICKET_ODD" not in r.stdout, "%s: found", name)
print("%d cases, %d of ticket keys" % (len(CASES), len(TICKETS)))
t.end()
