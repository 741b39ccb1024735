#!/usr/bin/env python3
"""Makes git/curves.bundle, its keys in git/keys and git/curves.json: commits
signed by OpenPGP keys on curves that are seldom used.

Needs git, gpg 2.2 and, for Ed448 as RFC 9580 writes it, the Python package
`cryptography`. Private keys are thrown away.
"""
import base64, hashlib, json, os, struct, subprocess, sys, tempfile
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "git")
keys = os.path.join(here, "keys")
work = tempfile.mkdtemp()
home = os.path.join(work, "gpg"); os.mkdir(home, 0o700)
repo = os.path.join(work, "repo")
ENV = {"PATH": os.environ["PATH"], "HOME": work, "GNUPGHOME": home, "GIT_CONFIG_NOSYSTEM": "1"}
THEN, LATER, MADE = "20250615T120000", "2026-01-01T00:00:00Z", 1749988800

def run(*a, stdin=None):
    p = subprocess.run(a, input=stdin, capture_output=True, env=ENV)
    if p.returncode: sys.exit(f"{a}: {p.stderr.decode()}")
    return p.stdout
def git(*a, stdin=None): return run("git", "-C", repo, *a, stdin=stdin).strip().decode()
def gpg(*a, stdin=None): return run("gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", THEN + "!", *a, stdin=stdin)

os.makedirs(repo); run("git", "init", "-q", "--bare", repo)
tree = git("mktree", stdin=b"")
cases = []
def case(name, key, sign, **wanted):
    open(os.path.join(keys, name + ".asc"), "wb").write(key)
    raw = f"tree {tree}\nauthor T <t@example.org> 1750000000 +0000\ncommitter T <t@example.org> 1750000000 +0000\n\n{name}\n".encode()
    head, body = raw.split(b"\n\n", 1)
    signed = head + b"\ngpgsig " + sign(raw).strip().replace(b"\n", b"\n ") + b"\n\n" + body
    git("update-ref", "refs/heads/curves/" + name, git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed))
    cases.append({"bundle": "curves.bundle", "ref": "curves/" + name, "keys": [name + ".asc"], "mode": "HEAD", **wanted})

for curve in ["brainpoolP256r1", "brainpoolP512r1"]:
    gpg("--quick-gen-key", curve + "@example.org", curve, "sign", "never")
    key = gpg("--armor", "--export", curve + "@")
    case(curve, key, lambda raw: gpg("--armor", "--detach-sign", "-u", curve + "@", stdin=raw), rule="trust/unsupported", says=curve)

# Ed448, key and signatures of version 4, algorithm 28.
secret = ed448.Ed448PrivateKey.generate()
public = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
def packet(tag, body): return bytes([0xC0 | tag]) + (bytes([len(body)]) if len(body) < 192 else bytes([192 + (len(body) - 192 >> 8), len(body) - 192 & 255])) + body
def armor(kind, data):
    crc = 0xB704CE
    for b in data:
        crc ^= b << 16
        for _ in range(8): crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
        crc &= 0xFFFFFF
    text = base64.b64encode(data).decode(); lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN PGP {kind}-----", "", *lines, "=" + base64.b64encode(crc.to_bytes(3, "big")).decode(), f"-----END PGP {kind}-----", ""]).encode()
key = b"\x04" + struct.pack(">I", MADE) + b"\x1c" + public
framed = b"\x99" + struct.pack(">H", len(key)) + key
fingerprint = hashlib.sha1(framed).digest()
def signature(kind, data, more=b""):
    hashed = b"\x05\x02" + struct.pack(">I", MADE) + b"\x16\x21\x04" + fingerprint + more
    start = bytes([4, kind, 28, 10]) + struct.pack(">H", len(hashed)) + hashed
    digest = hashlib.sha512(data + start + b"\x04\xff" + struct.pack(">I", len(start))).digest()
    return packet(2, start + b"\x00\x00" + digest[:2] + secret.sign(digest))
user = b"ed448@example.org"
binding = signature(0x13, framed + b"\xb4" + struct.pack(">I", len(user)) + user, b"\x02\x1b\x03")
case("ed448", armor("PUBLIC KEY BLOCK", packet(6, key) + packet(13, user) + binding), lambda raw: armor("SIGNATURE", signature(0, raw)), signer=fingerprint.hex().upper())

open(os.path.join(here, "curves.json"), "w").write(json.dumps({"now": LATER, "cases": cases}, indent=1) + "\n")
bundle = os.path.join(here, "curves.bundle")
git("bundle", "create", bundle, "--branches")
