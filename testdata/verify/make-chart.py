#!/usr/bin/env python3
"""Makes chart/cases.json: provenance files signed by gpg, good and spoilt.

Needs gpg 2.2. Private keys are thrown away. The archive is `archive` as it
stands there: what is signed are bytes.
"""
import base64, hashlib, json, os, shutil, subprocess, sys, tempfile

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chart")
home = tempfile.mkdtemp()
b64 = lambda b: base64.b64encode(b).decode()
def gpg(*a, stdin=None, time="20250615T120000"):
    p = subprocess.run(["gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", time + "!", *a], input=stdin, capture_output=True, env={"PATH": os.environ["PATH"], "GNUPGHOME": home})
    if p.returncode: sys.exit(f"{a}: {p.stderr.decode()}")
    return p.stdout
def fpr(uid): return [l.split(b":")[9].decode() for l in gpg("--with-colons", "--list-keys", uid + "@").splitlines() if l.startswith(b"fpr")]
def key(name, algo="ed25519", use="sign", expire="never"): gpg("--quick-gen-key", f"{name}@example.org", algo, use, expire); return fpr(name)[0]
def export(*names, armor=False): return gpg(*(["--armor"] if armor else []), "--export", *[n + "@" for n in names])
ARCHIVE = b"archive"; DIGEST = "sha256:" + hashlib.sha256(ARCHIVE).hexdigest()
def text(digest=DIGEST, name="web-1.0.0.tgz"): return f"apiVersion: v2\nkeywords:\n- a\n- b  \nname: web\nversion: 1.0.0\n\n...\nfiles:\n  {name}: {digest}\n".encode()
def sign(uid, body=None, *a, **kw): return gpg("--clearsign", "-u", uid, *a, stdin=body or text(), **kw).decode()
cases = []
def case(name, prov, ring, signer=None, rule=None, says=None, file="web-1.0.0.tgz", archive=None):
    cases.append({"name": name, "provenance": prov, "keyring": b64(ring), "file": file, "archive": (archive or ARCHIVE).decode(), **({"signer": signer} if signer else {"rule": rule, "says": says})})
main, big = key("main"), key("big", "rsa3072"); ring = export("main", "big"); good = sign(main)
case("good", good, ring, main); case("rsa", sign(big), ring, big); case("armored", good, export("main", armor=True), main); case("several-armored", good, export("big", "main", armor=True), main)
case("blocks", good, export("big", armor=True) + export("main", armor=True), rule="trust/unknown-key", says="only the first armored block")
case("crlf", good.replace("\n", "\r\n"), ring, main); case("text-around", "before\n" + good + "after\n", ring, main); case("sha256", sign(main, None, "--digest-algo", "SHA256"), ring, main)
case("sha1", sign(main, None, "--digest-algo", "SHA1", "--allow-weak-digest-algos"), ring, rule="trust/weak", says="SHA1")
case("empty-keyring", good, b"", rule="trust/unknown-key", says=main); case("other-keyring", good, export("big"), rule="trust/unknown-key", says=main); case("keyring-of-text", good, b"keys", rule="trust/key-file", says="holds no OpenPGP key")
old = key("old", expire="2025-12-01"); case("expired", sign(old), export("old"), rule="trust/expired", says="2025-12-01")
f = key("cert", use="cert"); case("certify-only", good, export("cert"), rule="trust/unknown-key", says="none of the keys"); gpg("--quick-add-key", f, "ed25519", "sign", "never"); case("subkey", sign(fpr("cert")[1] + "!"), export("cert"), f)
rev = key("rev"); signed = sign(rev); cert = open(os.path.join(home, "openpgp-revocs.d", rev + ".rev")).read().replace(":-----BEGIN", "-----BEGIN"); gpg("--import", stdin=cert.encode()); case("revoked", signed, export("rev"), rule="trust/revoked", says="was revoked")
case("other-archive", good, ring, archive=b"Archive", rule="trust/digest", says="does not match its provenance"); case("renamed", good, ring, file="app-1.0.0.tgz", rule="trust/digest", says="no digest for a file named `app-1.0.0.tgz`"); case("other-file-listed", sign(main, text(name="app-1.0.0.tgz")), ring, rule="trust/digest", says="no digest for a file named `web-1.0.0.tgz`")
case("text-changed", good.replace("version: 1.0.0", "version: 1.0.1"), ring, rule="trust/bad-signature", says="does not match"); case("digest-changed", good.replace(DIGEST, "sha256:" + "0" * 64), ring, rule="trust/bad-signature", says="does not match")
case("no-list", sign(main, b"name: web\n"), ring, rule="trust/digest", says="list of files"); case("unsigned-list-before", "files:\n  web-1.0.0.tgz: x\n...\n" + sign(main, b"a\n"), ring, rule="trust/digest", says="list of files")
case("empty", "", ring, rule="trust/bad-signature", says="is empty"); case("no-signature", text().decode(), ring, rule="trust/bad-signature", says="signed text is missing"); case("cut", good[:-60], ring, rule="trust/bad-signature", says="cut off")
case("header", good.replace("Hash:", "Comment: x\nHash:"), ring, rule="trust/bad-signature", says="header"); case("two-signers", gpg("--clearsign", "-u", main, "-u", big, stdin=text()).decode(), ring, rule="trust/bad-signature", says="2 signatures")
json.dump({"now": "2026-01-01T00:00:00Z", "cases": cases}, open(os.path.join(here, "cases.json"), "w"), indent=1); open(os.path.join(here, "cases.json"), "a").write("\n")
subprocess.run(["gpgconf", "--kill", "all"], env={"PATH": os.environ["PATH"], "GNUPGHOME": home}); shutil.rmtree(home); print(len(cases), "cases")
