#!/usr/bin/env python3
"""Makes git/copies.bundle, git/copies.json and their keys: keys of which several
copies are given, and SSH signatures that are not written as they should be.

Needs git, gpg 2.2, ssh-keygen and the Python package `cryptography`. Private keys
are made in a temporary folder and thrown away.
"""
import base64, hashlib, json, os, shutil, struct, subprocess, sys, tempfile

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "git")
work = tempfile.mkdtemp()
home = os.path.join(work, "gpg"); os.mkdir(home, 0o700)
repo = os.path.join(work, "repo")
ENV = {"PATH": os.environ["PATH"], "HOME": work, "GNUPGHOME": home, "GIT_CONFIG_NOSYSTEM": "1"}
THEN, LATER = "20250615T120000", "2026-01-01T00:00:00Z"

def run(*a, stdin=None, check=True):
    p = subprocess.run(a, input=stdin, capture_output=True, env=ENV)
    if check and p.returncode: sys.exit(f"{a}: {p.stderr.decode()}")
    return p.stdout
def git(*a, stdin=None): return run("git", "-C", repo, *a, stdin=stdin).strip().decode()
def gpg(*a, stdin=None, time=THEN): return run("gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", time + "!", *a, stdin=stdin)
def fpr(uid): return [l.split(b":")[9].decode() for l in gpg("--with-colons", "--list-keys", uid).splitlines() if l.startswith(b"fpr")]
def save(name, content): open(os.path.join(here, "keys", name), "wb").write(content); return name
def export(name, uid, time=THEN): return save(f"copies-{name}.asc", gpg("--armor", "--export", uid + "@", time=time))
def sign(payload, uid, time=THEN): return gpg("--armor", "--detach-sign", "-u", uid, stdin=payload, time=time)

cases = []
def case(ref, keys, signer=None, rule=None, says=None):
    c = {"bundle": "copies.bundle", "ref": ref, "keys": keys, "mode": "HEAD"}
    c.update({"signer": signer} if signer else {"rule": rule, "says": says}); cases.append(c)
def commit(branch, make):
    raw = f"tree {tree}\nauthor T <t@example.org> 1750000000 +0000\ncommitter T <t@example.org> 1750000000 +0000\n\n{branch}\n".encode()
    head, body = raw.split(b"\n\n", 1)
    content = head + b"\ngpgsig " + make(raw).strip().replace(b"\n", b"\n ") + b"\n\n" + body
    id = git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=content); git("update-ref", f"refs/heads/{branch}", id)

run("git", "init", "-q", "--bare", repo); tree = git("mktree", stdin=b"")

# A copy of a key that was made before the key was revoked.
gpg("--quick-gen-key", "revoked@example.org", "ed25519", "sign", "never"); f = fpr("revoked@")[0]
commit("revoked", lambda p: sign(p, f)); old = export("revoked-old", "revoked")
text = open(f"{home}/openpgp-revocs.d/{f}.rev").read(); gpg("--import", stdin=text[text.index(":-----BEGIN") + 1:].encode()); new = export("revoked", "revoked")
case("revoked", [old], f)
for keys in [new], [old, new], [new, old]: case("revoked", keys, rule="trust/revoked", says="the key was revoked")
# Both in one block.
packets = run("gpg", "--dearmor", stdin=open(os.path.join(here, "keys", old), "rb").read()) + run("gpg", "--dearmor", stdin=open(os.path.join(here, "keys", new), "rb").read())
both = save("copies-both.asc", run("gpg", "--enarmor", stdin=packets).replace(b"PGP ARMORED FILE", b"PGP PUBLIC KEY BLOCK"))
case("revoked", [both], rule="trust/revoked", says="the key was revoked")

# A subkey that was revoked since.
gpg("--quick-gen-key", "subkey@example.org", "ed25519", "cert", "never"); f = fpr("subkey@")[0]
gpg("--quick-add-key", f, "ed25519", "sign", "never"); sub = fpr("subkey@")[1]
commit("subkey", lambda p: sign(p, sub + "!")); old = export("subkey-old", "subkey")
gpg("--command-fd", "0", "--edit-key", f, stdin=b"key 1\nrevkey\ny\n0\n\ny\nsave\n"); new = export("subkey", "subkey")
case("subkey", [old, new], rule="trust/revoked", says="its subkey was revoked")

# The newer of two words on how long a key is good.
for name, first, then in [("extended", "2025-12-01", "2030-01-01"), ("shortened", "2030-01-01", "2025-12-01")]:
    gpg("--quick-gen-key", f"{name}@example.org", "ed25519", "sign", first); f = fpr(name + "@")[0]
    commit(name, lambda p: sign(p, f)); old = export(name + "-old", name)
    gpg("--quick-set-expire", f, then, time="20250701T120000"); new = export(name, name, time="20250701T120000")
    for keys in [old, new], [new, old]:
        if name == "extended": case(name, keys, f)
        else: case(name, keys, rule="trust/expired", says="the key expired on 2025-12-01")

# SSH signatures.
def ssh(name, *args): run("ssh-keygen", "-q", "-N", "", "-C", name, "-f", os.path.join(work, name), *args); return save(f"copies-{name}.sshpub", open(os.path.join(work, name + ".pub"), "rb").read())
def ssh_sign(raw):
    f = os.path.join(work, "payload"); open(f, "wb").write(raw)
    if os.path.exists(f + ".sig"): os.remove(f + ".sig")
    run("ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", os.path.join(work, "ed"), f); return open(f + ".sig", "rb").read()
def armored(blob):
    text = base64.b64encode(blob).decode()
    return ("-----BEGIN SSH SIGNATURE-----\n" + "\n".join(text[i:i + 70] for i in range(0, len(text), 70)) + "\n-----END SSH SIGNATURE-----\n").encode()
def changed(change): return lambda raw: armored(change(base64.b64decode(b"".join(ssh_sign(raw).splitlines()[1:-1]))))
def put(at, bytes): return lambda blob: blob[:at] + bytes + blob[at + len(bytes):]
ed = ssh("ed", "-t", "ed25519")
commit("ssh/two", lambda p: ssh_sign(p) + ssh_sign(p)); case("ssh/two", [ed], rule="trust/bad-signature", says="more than one signature")
commit("ssh/more", lambda p: ssh_sign(p) + b"more"); case("ssh/more", [ed], rule="trust/bad-signature", says="follows its last line")
for version in 0, 2:
    name = f"ssh/version-{version}"; commit(name, changed(put(6, struct.pack(">I", version)))); case(name, [ed], rule="trust/bad-signature", says=f"of version {version}")
# A length within the key that is larger than the key.
commit("ssh/length", changed(put(29, struct.pack(">I", 0x10020)))); case("ssh/length", [ed], rule="trust/bad-signature", says="malformed")
commit("ssh/digest", changed(lambda b: b.replace(b"sha512", b"sha999"))); case("ssh/digest", [ed], rule="trust/bad-signature", says="`sha999`")
commit("ssh/no-ssh", changed(put(0, b"SSHGIS"))); case("ssh/no-ssh", [ed], rule="trust/bad-signature", says="does not begin")

# RSA over SHA-1, which ssh-keygen no longer makes.
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
rsa = ssh("rsa", "-t", "rsa", "-b", "2048")
private = serialization.load_ssh_private_key(open(os.path.join(work, "rsa"), "rb").read(), None)
public = base64.b64decode(open(os.path.join(work, "rsa.pub")).read().split()[1])
def s(b): return struct.pack(">I", len(b)) + b
def rsa_sign(raw, digest, algorithm, hash):
    d = hashlib.new(digest, raw).digest(); signed = b"SSHSIG" + s(b"git") + s(b"") + s(digest.encode()) + s(d)
    inner = private.sign(signed, padding.PKCS1v15(), hash)
    return armored(b"SSHSIG" + struct.pack(">I", 1) + s(public) + s(b"git") + s(b"") + s(digest.encode()) + s(s(algorithm) + s(inner)))
name = "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
commit("ssh/rsa-sha2", lambda p: rsa_sign(p, "sha512", b"rsa-sha2-256", hashes.SHA256())); case("ssh/rsa-sha2", [rsa], name)
commit("ssh/rsa-sha1", lambda p: rsa_sign(p, "sha512", b"ssh-rsa", hashes.SHA1())); case("ssh/rsa-sha1", [rsa], rule="trust/weak", says="SHA-1")
commit("ssh/over-sha1", lambda p: rsa_sign(p, "sha1", b"rsa-sha2-256", hashes.SHA256())); case("ssh/over-sha1", [rsa], rule="trust/weak", says="SHA-1")

git("bundle", "create", os.path.join(here, "copies.bundle"), "--all")
json.dump({"now": LATER, "cases": cases}, open(os.path.join(here, "copies.json"), "w"), indent=1); open(os.path.join(here, "copies.json"), "a").write("\n")
run("gpgconf", "--kill", "all", check=False); shutil.rmtree(work)
print(len(cases), "cases")
