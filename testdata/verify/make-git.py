#!/usr/bin/env python3
"""Makes git/cases.bundle, git/sha256.bundle, git/keys and git/cases.json.

Needs git, gpg 2.2, ssh-keygen and the Python package `cryptography`. Private
keys are made in a temporary folder and thrown away: nothing made here can be
signed again. Every case is a branch or a tag of one repository.
"""
import base64, hashlib, json, os, shutil, struct, subprocess, sys, tempfile

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "git")
work = tempfile.mkdtemp()
home = os.path.join(work, "gpg"); os.mkdir(home, 0o700)
repo = os.path.join(work, "repo")
keys = os.path.join(here, "keys")
shutil.rmtree(keys, ignore_errors=True); os.makedirs(keys)
ENV = {"PATH": os.environ["PATH"], "HOME": work, "GNUPGHOME": home, "GIT_CONFIG_NOSYSTEM": "1",
       "GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "T",
       "GIT_COMMITTER_EMAIL": "t@example.org", "GIT_AUTHOR_DATE": "1750000000 +0000", "GIT_COMMITTER_DATE": "1750000000 +0000"}
# Keys and signatures are of this time; the cases are asked for LATER.
THEN, LATER = "20250615T120000", "2026-01-01T00:00:00Z"

def run(*a, stdin=None, check=True):
    p = subprocess.run(a, input=stdin, capture_output=True, env=ENV)
    if check and p.returncode: sys.exit(f"{a}: {p.stderr.decode()}")
    return p.stdout
def git(*a, stdin=None): return run("git", "-C", repo, *a, stdin=stdin).strip().decode()
def gpg(*a, stdin=None, time=THEN): return run("gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", time + "!", *a, stdin=stdin)
def fpr(uid): return [l.split(b":")[9].decode() for l in gpg("--with-colons", "--list-keys", uid).splitlines() if l.startswith(b"fpr")]

def pgp(name, algo, usage="sign", expire="never", time=THEN):
    gpg("--quick-gen-key", f"{name}@example.org", algo, usage, expire, time=time); return fpr(name + "@")[0]
def export(name, *uids, binary=False):
    out = gpg(*([] if binary else ["--armor"]), "--export", *[u + "@" for u in (uids or (name,))])
    open(os.path.join(keys, name + (".gpg" if binary else ".asc")), "wb").write(out); return name + ".asc"
def sign(payload, uid, *extra, time=THEN): return gpg("--armor", "--detach-sign", "-u", uid, *extra, stdin=payload, time=time)

cases = []
def case(ref, keys, signer=None, rule=None, says=None, mode="HEAD", now=None):
    c = {"ref": ref, "keys": keys if isinstance(keys, list) else [keys], "mode": mode}
    if now: c["now"] = now
    if signer: c["signer"] = signer
    else: c.update(rule=rule, says=says)
    cases.append(c)
def payload(message, extra=""):
    return f"tree {tree}\nauthor T <t@example.org> 1750000000 +0000\ncommitter T <t@example.org> 1750000000 +0000\n{extra}\n{message}\n".encode()
def put(branch, raw):
    id = git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw); git("update-ref", f"refs/heads/{branch}", id); return id
def with_signature(raw, *signatures, header="gpgsig"):
    head, body = raw.split(b"\n\n", 1)
    for s in signatures: head += b"\n" + header.encode() + b" " + s.strip().replace(b"\n", b"\n ")
    return head + b"\n\n" + body
def commit(branch, make, extra=""):
    raw = payload(branch, extra); return put(branch, with_signature(raw, make(raw)))
def tag(name, make=None, target=None, kind="commit", inside=None, ref=None, message="a tag"):
    raw = f"object {target or plain}\ntype {kind}\ntag {inside or name}\ntagger T <t@example.org> 1750000000 +0000\n\n{message}\n".encode()
    id = git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", stdin=raw + (make(raw) if make else b""))
    git("update-ref", f"refs/tags/{ref or name}", id); return id

os.makedirs(repo); run("git", "init", "-q", "--bare", repo)
tree = git("mktree", stdin=b"")
plain = put("plain", payload("plain"))
git("symbolic-ref", "HEAD", "refs/heads/plain")

# OpenPGP: kinds of keys.
for algo in ["rsa2048", "rsa4096", "dsa2048", "dsa3072", "ed25519", "nistp256", "nistp384", "nistp521"]:
    f = pgp(algo, algo); k = export(algo); commit("pgp/" + algo, lambda p: sign(p, f)); case("pgp/" + algo, k, f)
for algo, curve in [("secp256k1", "secp256k1"), ("brainpoolP384r1", "brainpoolP384r1")]:
    f = pgp(algo, algo); k = export(algo); commit("pgp/" + algo, lambda p: sign(p, f)); case("pgp/" + algo, k, rule="trust/unsupported", says=curve)
main = fpr("ed25519@")[0]
for digest in ["SHA224", "SHA256", "SHA384", "SHA512"]:
    commit("pgp/" + digest, lambda p: sign(p, main, "--digest-algo", digest)); case("pgp/" + digest, "ed25519.asc", main)
commit("pgp/sha1", lambda p: sign(p, main, "--digest-algo", "SHA1", "--allow-weak-digest-algos")); case("pgp/sha1", "ed25519.asc", rule="trust/weak", says="SHA1")
commit("pgp/textmode", lambda p: sign(p, main, "--textmode")); case("pgp/textmode", "ed25519.asc", main)
commit("pgp/encoding-header", lambda p: sign(p, main), extra="encoding ISO-8859-1\n"); case("pgp/encoding-header", "ed25519.asc", main)
commit("pgp/mergetag-header", lambda p: sign(p, main), extra="mergetag object 1\n type commit\n tag x\n \n text\n"); case("pgp/mergetag-header", "ed25519.asc", main)

# OpenPGP: keys and subkeys that may not.
f = pgp("certify", "ed25519", "cert")
gpg("--quick-add-key", f, "ed25519", "sign", "never"); sub = fpr("certify@")[1]; k = export("certify")
commit("pgp/subkey", lambda p: sign(p, sub + "!")); case("pgp/subkey", k, f)
gpg("--quick-add-key", f, "ed25519", "sign", "2025-07-01"); old = fpr("certify@")[2]
commit("pgp/subkey-expired", lambda p: sign(p, old + "!"))
gpg("--armor", "--export", "certify@"); export("subkeys", "certify"); case("pgp/subkey-expired", "subkeys.asc", rule="trust/expired", says="2025-07-01")
f = pgp("revoked-subkey", "ed25519", "cert"); gpg("--quick-add-key", f, "ed25519", "sign", "never"); sub = fpr("revoked-subkey@")[1]
commit("pgp/subkey-revoked", lambda p: sign(p, sub + "!"))
gpg("--command-fd", "0", "--edit-key", f, stdin=b"key 1\nrevkey\ny\n1\nstolen laptop\n\ny\nsave\n")
case("pgp/subkey-revoked", export("revoked-subkey"), rule="trust/revoked", says="its subkey was revoked (Key material has been compromised: stolen laptop)")
f = pgp("revoked-uid", "ed25519"); commit("pgp/uid-revoked", lambda p: sign(p, f)); gpg("--quick-add-uid", f, "Other <other@example.org>"); gpg("--quick-revoke-uid", f, "revoked-uid@example.org")
case("pgp/uid-revoked", export("revoked-uid"), f)
f = pgp("expiring", "ed25519", expire="2025-12-01"); k = export("expiring"); commit("pgp/key-expired", lambda p: sign(p, f))
case("pgp/key-expired", k, rule="trust/expired", says="the key expired on 2025-12-01"); case("pgp/key-expired", k, f, now="2025-11-30T00:00:00Z")
commit("pgp/signature-expired", lambda p: sign(p, main, "--default-sig-expire", "10d")); case("pgp/signature-expired", "ed25519.asc", rule="trust/expired", says="expired on 2025-06-25")
commit("pgp/signature-of-tomorrow", lambda p: sign(p, main, time="20270101T000000")); case("pgp/signature-of-tomorrow", "ed25519.asc", rule="trust/future", says="in the future")
f = pgp("tomorrow", "ed25519", time="20270101T000000"); commit("pgp/key-of-tomorrow", lambda p: sign(p, f, "--ignore-time-conflict"))
gpg("--armor", "--export", "tomorrow@", time="20270102T000000"); open(os.path.join(keys, "tomorrow.asc"), "wb").write(gpg("--armor", "--export", "tomorrow@", time="20270102T000000"))
case("pgp/key-of-tomorrow", "tomorrow.asc", rule="trust/bad-signature", says="later than the signature", now="2028-01-01T00:00:00Z")
f = pgp("encrypting", "rsa2048", "encr,cert"); case("pgp/ed25519", export("encrypting"), rule="trust/unknown-key", says="none of the keys given")

# OpenPGP: what is wrong with the signature.
raw = payload("pgp/two-headers"); put("pgp/two-headers", with_signature(raw, sign(raw, main), sign(raw, fpr("rsa2048@")[0]))); case("pgp/two-headers", ["ed25519.asc", "rsa2048.asc"], rule="trust/bad-signature", says="2 signatures")
raw = payload("pgp/two-signers"); put("pgp/two-signers", with_signature(raw, gpg("--armor", "--detach-sign", "-u", main, "-u", fpr("rsa2048@")[0], stdin=raw))); case("pgp/two-signers", ["ed25519.asc", "rsa2048.asc"], rule="trust/bad-signature", says="2 signatures")
raw = payload("pgp/changed"); put("pgp/changed", with_signature(raw + b"more\n", sign(raw, main))); case("pgp/changed", "ed25519.asc", rule="trust/bad-signature", says="does not match")
raw = payload("pgp/inline"); put("pgp/inline", with_signature(raw, gpg("--armor", "--sign", "-u", main, stdin=raw))); case("pgp/inline", "ed25519.asc", rule="trust/unsupported", says="no detached signature")
raw = payload("pgp/cut"); put("pgp/cut", with_signature(raw, sign(raw, main)[:120])); case("pgp/cut", "ed25519.asc", rule="trust/bad-signature", says="malformed")
put("pgp/empty-block", with_signature(payload("e"), b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----")); case("pgp/empty-block", "ed25519.asc", rule="trust/bad-signature", says="malformed")
put("other/unknown-format", with_signature(payload("u"), b"-----BEGIN MINISIGN-----\nAA\n-----END MINISIGN-----")); case("other/unknown-format", "ed25519.asc", rule="trust/unsupported", says="unknown type")
put("other/x509", with_signature(payload("x"), b"-----BEGIN SIGNED MESSAGE-----\nAA\n-----END SIGNED MESSAGE-----")); case("other/x509", "ed25519.asc", rule="trust/unsupported", says="X.509")
case("plain", "ed25519.asc", rule="trust/unsigned", says="not signed")

# OpenPGP: key files.
export("team", "ed25519", "rsa2048"); case("pgp/ed25519", "team.asc", main); case("pgp/ed25519", "rsa2048.asc", rule="trust/unknown-key", says=main)
blocks = b"".join(open(os.path.join(keys, n + ".asc"), "rb").read() for n in ["rsa2048", "ed25519"]); open(os.path.join(keys, "blocks.asc"), "wb").write(blocks)
case("pgp/rsa2048", "blocks.asc", fpr("rsa2048@")[0]); case("pgp/ed25519", "blocks.asc", rule="trust/unknown-key", says="only the first armored block")
export("binary", "ed25519", binary=True); case("pgp/ed25519", "binary.gpg", rule="trust/key-file", says="binary keyring")
open(os.path.join(keys, "empty.asc"), "w").close(); case("pgp/ed25519", "empty.asc", rule="trust/key-file", says="is empty")
open(os.path.join(keys, "text.asc"), "w").write("my key\n"); case("pgp/ed25519", "text.asc", rule="trust/key-file", says="holds no OpenPGP key"); case("pgp/ed25519", ["text.asc", "ed25519.asc"], main)
open(os.path.join(keys, "before.asc"), "wb").write(b"Alice's key:\n\n" + open(os.path.join(keys, "ed25519.asc"), "rb").read() + b"\nregards\n"); case("pgp/ed25519", "before.asc", main)
case("pgp/ed25519", [], rule="trust/unknown-key", says="no keys are given")

# SSH.
def ssh(name, *args, comment=None):
    run("ssh-keygen", "-q", "-N", "", "-C", comment or name, "-f", os.path.join(work, name), *args)
    pub = open(os.path.join(work, name + ".pub")).read(); open(os.path.join(keys, name + ".sshpub"), "w").write(pub)
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(pub.split()[1])).digest()).decode().rstrip("=")
def ssh_sign(name, raw, namespace="git", *args):
    f = os.path.join(work, "payload"); open(f, "wb").write(raw)
    if os.path.exists(f + ".sig"): os.remove(f + ".sig")
    run("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", os.path.join(work, name), *args, f); return open(f + ".sig", "rb").read()
for name, args in [("ssh-ed25519", ["-t", "ed25519"]), ("ssh-rsa2048", ["-t", "rsa", "-b", "2048"]), ("ssh-rsa8192", ["-t", "rsa", "-b", "8192"]), ("ssh-ecdsa256", ["-t", "ecdsa", "-b", "256"]), ("ssh-ecdsa384", ["-t", "ecdsa", "-b", "384"]), ("ssh-ecdsa521", ["-t", "ecdsa", "-b", "521"])]:
    f = ssh(name, *args); commit(name.replace("ssh-", "ssh/"), lambda p: ssh_sign(name, p)); case(name.replace("ssh-", "ssh/"), name + ".sshpub", f)
f = ssh("ssh-rsa1024", "-t", "rsa", "-b", "1024"); commit("ssh/rsa1024", lambda p: ssh_sign("ssh-rsa1024", p)); case("ssh/rsa1024", "ssh-rsa1024.sshpub", rule="trust/weak", says="1024 bits")
ed = "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(open(os.path.join(keys, "ssh-ed25519.sshpub")).read().split()[1])).digest()).decode().rstrip("=")
commit("ssh/sha256-digest", lambda p: ssh_sign("ssh-ed25519", p, "git", "-O", "hashalg=sha256")); case("ssh/sha256-digest", "ssh-ed25519.sshpub", ed)
commit("ssh/file-namespace", lambda p: ssh_sign("ssh-ed25519", p, "file")); case("ssh/file-namespace", "ssh-ed25519.sshpub", rule="trust/namespace", says="`file`")
case("ssh/ed25519", "ssh-ecdsa256.sshpub", rule="trust/unknown-key", says=ed); case("ssh/ed25519", "ed25519.asc", rule="trust/unknown-key", says="no SSH keys")
raw = payload("ssh/changed"); put("ssh/changed", with_signature(raw + b"more\n", ssh_sign("ssh-ed25519", raw))); case("ssh/changed", "ssh-ed25519.sshpub", rule="trust/bad-signature", says="does not match")
raw = payload("ssh/cut"); put("ssh/cut", with_signature(raw, ssh_sign("ssh-ed25519", raw)[:100])); case("ssh/cut", "ssh-ed25519.sshpub", rule="trust/bad-signature", says="last line is missing")
pub = open(os.path.join(keys, "ssh-ed25519.sshpub")).read().strip()
def keyfile(name, text): open(os.path.join(keys, name), "w").write(text); return name
case("ssh/ed25519", keyfile("options.sshpub", "# team\n\n" + 'no-pty,command="echo \\"a b\\"" ' + pub + "\r\n"), ed)
case("ssh/ed25519", keyfile("allowed-signers.sshpub", "t@example.org " + pub + "\n"), ed)
case("ssh/ed25519", keyfile("kind-differs.sshpub", "ecdsa-sha2-nistp256 " + pub.split()[1] + "\n"), rule="trust/key-file", says="line 1")
case("ssh/ed25519", keyfile("bad-line.sshpub", pub + "\nnot a key\n"), rule="trust/key-file", says="line 2")
case("ssh/ed25519", keyfile("no-suffix.pub", pub + "\n"), rule="trust/key-file", says="`*.sshpub`")
case("ssh/ed25519", keyfile("only-comments.sshpub", "# nothing\n"), rule="trust/key-file", says="holds no keys")

# SSH security keys: the private half is a plain key here.
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
def s(b): return struct.pack(">I", len(b)) + b
def mpint(n): b = n.to_bytes(n.bit_length() // 8 + 1, "big"); return s(b)
APP = b"ssh:"
ed_key, ec_key = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
raw_ed = ed_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
raw_ec = ec_key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
SK = {"sk-ed25519": (b"sk-ssh-ed25519@openssh.com", s(raw_ed) + s(APP)), "sk-ecdsa": (b"sk-ecdsa-sha2-nistp256@openssh.com", s(b"nistp256") + s(raw_ec) + s(APP))}
def sk_sign(kind, raw, flags):
    name, public = SK[kind]
    signed = b"SSHSIG" + s(b"git") + s(b"") + s(b"sha512") + s(hashlib.sha512(raw).digest())
    trailer = bytes([flags]) + struct.pack(">I", 7)
    data = hashlib.sha256(APP).digest() + trailer + hashlib.sha256(signed).digest()
    if kind == "sk-ed25519": inner = ed_key.sign(data)
    else: r, v = utils.decode_dss_signature(ec_key.sign(data, ec.ECDSA(hashes.SHA256()))); inner = mpint(r) + mpint(v)
    blob = b"SSHSIG" + struct.pack(">I", 1) + s(s(name) + public) + s(b"git") + s(b"") + s(b"sha512") + s(s(name) + s(inner) + trailer)
    text = base64.b64encode(blob).decode()
    return ("-----BEGIN SSH SIGNATURE-----\n" + "\n".join(text[i:i + 70] for i in range(0, len(text), 70)) + "\n-----END SSH SIGNATURE-----\n").encode()
for kind, (name, public) in SK.items():
    blob = s(name) + public; keyfile(kind + ".sshpub", name.decode() + " " + base64.b64encode(blob).decode() + " token\n")
    f = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    commit("ssh/" + kind, lambda p: sk_sign(kind, p, 1)); case("ssh/" + kind, kind + ".sshpub", f)
    commit("ssh/" + kind + "-untouched", lambda p: sk_sign(kind, p, 0)); case("ssh/" + kind + "-untouched", kind + ".sshpub", rule="trust/weak", says="not touched")

# Tags.
T = lambda name: {"tag": name}
tag("v1.0.0", lambda p: sign(p, main)); case(T("v1.0.0"), "ed25519.asc", main, mode="Tag"); case(T("v1.0.0"), "ed25519.asc", mode="TagAndHEAD", rule="trust/unsigned", says="commit")
tag("v1.1.0", lambda p: ssh_sign("ssh-ed25519", p)); case(T("v1.1.0"), "ssh-ed25519.sshpub", ed, mode="Tag")
tag("v1.2.0"); case(T("v1.2.0"), "ed25519.asc", mode="Tag", rule="trust/unsigned", says="not signed")
git("update-ref", "refs/tags/v1.3.0", plain); case(T("v1.3.0"), "ed25519.asc", mode="Tag", rule="trust/unsigned", says="lightweight")
tag("v9.0.0", lambda p: sign(p, main), inside="v0.1.0"); case(T("v9.0.0"), "ed25519.asc", mode="Tag", rule="trust/bad-signature", says="signed tag `v0.1.0`, which is another")
inner = tag("inner", lambda p: sign(p, main)); tag("v2.0.0", lambda p: sign(p, main), target=inner, kind="tag"); case(T("v2.0.0"), "ed25519.asc", main, mode="Tag")
tag("quoted", lambda p: sign(p, main), message="as in\n-----BEGIN PGP SIGNATURE-----\nAA\n-----END PGP SIGNATURE-----\nthat"); case(T("quoted"), "ed25519.asc", main, mode="Tag")
case({"semver": "~1"}, "ed25519.asc", mode="Tag", rule="trust/unsigned", says="lightweight"); case({"semver": "1.0.x"}, "ed25519.asc", main, mode="Tag")
case({"semver": ">=3 <4"}, "ed25519.asc", mode="Tag", rule="ref/missing", says="no tag matches"); case({"semver": "much"}, "ed25519.asc", mode="Tag", rule="git/reference", says="no range")
case({"name": "refs/tags/v1.0.0^{}"}, "ed25519.asc", main, mode="Tag"); case({"name": "refs/heads/pgp/ed25519"}, "ed25519.asc", main)
case({"commit": git("rev-parse", "refs/heads/pgp/ed25519")}, "ed25519.asc", main); case({"commit": git("rev-parse", "refs/heads/pgp/ed25519"), "branch": "plain"}, "ed25519.asc", rule="ref/missing", says="not in the history of branch `plain`")
case({"commit": git("rev-parse", "refs/heads/pgp/ed25519")[:12]}, "ed25519.asc", rule="git/reference", says="no name of a commit"); case({"tag": "v1.0.0", "branch": "pgp/rsa2048"}, "ed25519.asc", mode="Tag", signer=main)
case({"branch": "plane"}, "ed25519.asc", rule="ref/missing", says="refs/heads/plane"); case("plain", "ed25519.asc", mode="Tag", rule="trust/mode", says="names no tag")
refs = git("for-each-ref", "--format=%(refname)").split()
git("bundle", "create", os.path.join(here, "cases.bundle"), "HEAD", *refs)

# A tag of a tree spoils ranges of versions: in a repository of its own.
sha1 = repo; repo = os.path.join(work, "tree"); run("git", "init", "-q", "--bare", repo); git("mktree", stdin=b""); put("plain", payload("plain"))
tag("a-tree", lambda p: sign(p, main), target=tree, kind="tree"); git("bundle", "create", os.path.join(here, "tree.bundle"), "--all")
cases.append({"bundle": "tree.bundle", "ref": T("a-tree"), "keys": ["ed25519.asc"], "mode": "Tag", "rule": "git/reference", "says": "a tree, not a commit"})
cases.append({"bundle": "tree.bundle", "ref": {"semver": "*"}, "keys": ["ed25519.asc"], "mode": "Tag", "rule": "git/reference", "says": "a tree, not a commit"})
# SHA-256.
repo = os.path.join(work, "sha256"); run("git", "init", "-q", "--bare", "--object-format=sha256", repo); tree = git("mktree", stdin=b"")
raw = payload("sha256"); plain = put("main", with_signature(raw, sign(raw, main), header="gpgsig-sha256")); put("sha1-header", with_signature(raw, sign(raw, main)))
tag("v1.0.0", lambda p: ssh_sign("ssh-ed25519", p)); git("bundle", "create", os.path.join(here, "sha256.bundle"), "--all")
for ref, k, mode, want in [("main", "ed25519.asc", "HEAD", {"signer": main}), (T("v1.0.0"), "ssh-ed25519.sshpub", "Tag", {"signer": ed}), ("sha1-header", "ed25519.asc", "HEAD", {"rule": "trust/unsigned", "says": "not signed"})]:
    cases.append({"bundle": "sha256.bundle", "ref": ref, "keys": [k], "mode": mode, **want})

json.dump({"now": LATER, "cases": cases}, open(os.path.join(here, "cases.json"), "w"), indent=1); open(os.path.join(here, "cases.json"), "a").write("\n")
run("gpgconf", "--kill", "all", check=False); shutil.rmtree(work)
print(len(cases), "cases")
