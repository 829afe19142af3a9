#!/usr/bin/env python3
"""Writes enrich/tls_suites_table.h: what each TLS cipher suite is made of, read from its registered name.

  scripts/make-suites.py IANA.csv [OTHER.csv] > enrich/tls_suites_table.h

IANA.csv:  "TLS Cipher Suites" of https://www.iana.org/assignments/tls-parameters/ (tls-parameters-4.csv; public domain, CC0).
OTHER.csv: "value,hex,name,..." of code points in use that the registry does not list (drafts, EXPORT1024, Netscape's FIPS suites).
"""
import csv, re, sys

KX = [("PSK_DHE", "DHE"), ("ECDHE", "ECDHE"), ("ECDH_anon", "ECDHE"), ("ECDH_", "ECDH"), ("DHE", "DHE"), ("DH_anon", "DHE"), ("DH_", "DH"), ("RSA_PSK", "RSA"),
      ("RSA", "RSA"), ("PSK", "PSK"), ("KRB5", "KRB5"), ("SRP", "SRP"), ("ECCPWD", "ECCPWD"), ("GOSTR", "GOST"), ("NULL", "NULL")]
ENC = [("3DES", "3DES"), ("DES40", "DES40"), ("DES", "DES"), ("RC4", "RC4"), ("RC2", "RC2"), ("IDEA", "IDEA"), ("28147", "GOST"), ("MAGMA", "MAGMA"),
       ("KUZNYECHIK", "KUZNYECHIK"), ("CHACHA20", "CHACHA20"), ("AES_128", "AES128"), ("AES_256", "AES256"), ("CAMELLIA", "CAMELLIA"), ("ARIA", "ARIA"),
       ("SEED", "SEED"), ("SM4", "SM4"), ("AEGIS", "AEGIS"), ("ASCON", "ASCON"), ("FORTEZZA", "OTHER"), ("NULL", "NULL"), ("SHA256_SHA256", "NULL"),
       ("SHA384_SHA384", "NULL")]


def suite(name):
    body = re.sub(r"^(TLS|SSL)_", "", name)
    kx_text, rest = body.split("_WITH_") if "_WITH_" in body else ("", body)
    kx_text, flags = kx_text.replace("SSL_", ""), set()
    kx = "TLS13" if kx_text == "" else next((k for p, k in KX if kx_text.startswith(p)), "OTHER")
    enc = next((k for p, k in ENC if p in rest), "OTHER")
    if "anon" in kx_text:
        auth = "ANON"
    elif kx_text == "":
        auth = "TLS13"
    elif "ECDSA" in kx_text:
        auth = "ECDSA"
    elif "DSS" in kx_text:
        auth = "DSS"
    elif kx_text == "PSK_DHE" or kx_text.endswith("PSK") and not kx_text.startswith("RSA"):
        auth = "PSK"
    elif "RSA" in kx_text:
        auth = "RSA"
    else:
        auth = "NULL" if kx == "NULL" else "OTHER"
    if "EXPORT" in kx_text or enc == "DES40":
        flags.add("EXPORT")
    aead = any(x in rest for x in ("GCM", "CCM", "POLY1305", "OCB", "AEGIS", "ASCON", "MGM"))
    if aead:
        flags.add("AEAD")
    if "CBC" in rest:
        flags.add("CBC")
    if rest.endswith("MD5"):
        flags.add("MD5")
    if rest.endswith("_SHA"):
        flags.add("SHA1")
    if "CCM_8" in rest:
        flags.add("TAG64")
    # RFC 5246 and the documents of AEAD suites: these are for TLS 1.2 only
    if kx != "TLS13" and (aead or re.search(r"SHA(256|384|512)$", rest)):
        flags.add("TLS12")
    return kx, auth, enc, flags


def read(paths):
    found = {}
    with open(paths[0], newline="") as f:
        for row in csv.DictReader(f):
            m = re.fullmatch(r"0x([0-9A-F]{2}),0x([0-9A-F]{2})", row["Value"])
            if m and re.match(r"TLS_", row["Description"]) and not row["Description"].endswith("_SCSV"):
                found[int(m[1] + m[2], 16)] = row["Description"]
    for path in paths[1:]:
        with open(path, newline="") as f:
            for row in csv.DictReader(f):
                code = int(row["value"])
                if code <= 0xffff and "_WITH_" in row["name"] and re.match(r"(TLS|SSL)_", row["name"]):
                    found.setdefault(code, row["name"])
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    found = read(sys.argv[1:])
    print("/* Made by scripts/make-suites.py from the IANA registry \"TLS Cipher Suites\" (public domain, CC0; as\n"
          " * of January 2026) and code points in use that it does not list. %d rows, sorted by code; for\n"
          " * enrich/tls_suites.c only. */" % len(found))
    for code in sorted(found):
        kx, auth, enc, flags = suite(found[code])
        text = " | ".join("SUITE_" + f for f in sorted(flags)) or "0"
        print("{0x%04x, KX_%s, AUTH_%s, ENC_%s, %s}," % (code, kx, auth, enc, text))


main()
