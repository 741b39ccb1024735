#!/usr/bin/env python3
"""Makes cosign/cases.json: OCI layouts, signed with keys and without, good and spoilt.

Needs the Python package `cryptography` and openssl. Private keys, the
certificate authority, the logs and the timestamp authority are made on the spot
and thrown away. A case lists the files of its layout that differ from the first
one's (null: left out).
"""
import base64, copy, datetime as dt, hashlib, json, os, shutil, struct, subprocess, sys, tempfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cosign")
b64 = lambda b: base64.b64encode(b).decode()
def dumps(o): return json.dumps(o, separators=(",", ":")).encode()
def sha(b): return "sha256:" + hashlib.sha256(b).hexdigest()
PEM, DER, SPKI = serialization.Encoding.PEM, serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
def spki(k): return k.public_key().public_bytes(DER, SPKI)
def pem(k): return k.public_key().public_bytes(PEM, SPKI).decode()
def sign(k, data, h=hashes.SHA256()):
    if isinstance(k, ed25519.Ed25519PrivateKey): return k.sign(data)
    if isinstance(k, rsa.RSAPrivateKey): return k.sign(data, padding.PKCS1v15(), h)
    return k.sign(data, ec.ECDSA(h))

class Layout:
    """An OCI layout with one artifact, tagged 1.0."""
    def __init__(self):
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}; self.index = []
        layer = self.blob(b"layer"); config = self.blob(b"{}")
        self.image = self.manifest({"config": {"mediaType": "application/x", "digest": config, "size": 2}, "layers": [{"mediaType": "application/y", "digest": layer, "size": 5}]}, "1.0")
    def blob(self, data): d = sha(data); self.files["blobs/sha256/" + d[7:]] = data; return d
    def manifest(self, m, tag=None, listed=True):
        data = dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", **m}); d = self.blob(data)
        entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": d, "size": len(data)}
        if tag: entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        if tag or listed == "bare": self.index.append(entry)
        self.last = entry; return d
    def bundle(self, *contents, how="tag"):
        kind = "application/vnd.dev.sigstore.bundle.v0.3+json"; entries = []
        for content in contents:
            data = content if isinstance(content, bytes) else dumps(content)
            self.manifest({"artifactType": kind, "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": self.blob(b"{}"), "size": 2}, "layers": [{"mediaType": kind, "digest": self.blob(data), "size": len(data)}],
                           "subject": {"digest": self.image, "size": 1}}, listed="bare" if how == "subject" else None)
            entries.append({**self.last, "artifactType": kind})
        if how == "tag": self.manifest({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}, "sha256-" + self.image[7:])
        return self
    def simple(self, *signatures):
        layers = [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": self.blob(p), "size": len(p), "annotations": a} for p, a in signatures]
        self.manifest({"config": {"mediaType": "x", "digest": self.blob(b"{}"), "size": 2}, "layers": layers}, "sha256-" + self.image[7:] + ".sig"); return self
    def done(self): self.files["index.json"] = dumps({"schemaVersion": 2, "manifests": self.index}); return self.files
plain = Layout(); IMAGE = plain.image; BASE = plain.done()

cases = []
def case(name, layout, keys=None, signer=None, rule=None, says=None, tag="1.0", keyless=None):
    files = layout if isinstance(layout, dict) else layout.done()
    extra = {p: c.decode() for p, c in files.items() if BASE.get(p) != c}; extra.update({p: None for p in BASE if p not in files})
    c = {"name": name, "tag": tag, "files": extra}
    if keyless: c.update(keyless)
    else: c["keys"] = keys
    c.update({"signer": signer} if signer else {"rule": rule, "says": says}); cases.append(c)

def statement(digest=IMAGE, predicate="https://sigstore.dev/cosign/sign/v1", **kw): return dumps({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": digest[7:]}}], "predicateType": predicate, "predicate": {}, **kw})
def pae(payload, kind="application/vnd.in-toto+json"): return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
def bundle(key, payload=None, signed=None, kind="application/vnd.in-toto+json", material=None, h=hashes.SHA256()):
    payload = statement() if payload is None else payload
    return {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": material or {"publicKey": {"hint": b64(hashlib.sha256(spki(key)).digest())}},
            "dsseEnvelope": {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": b64(sign(key, signed or pae(payload, kind), h))}]}}
def claim(digest=IMAGE, kind="cosign container image signature"): return dumps({"critical": {"identity": {"docker-reference": "r"}, "image": {"docker-manifest-digest": digest}, "type": kind}, "optional": None})
def simple(key, payload=None, over=None): payload = payload or claim(); return (payload, {"dev.cosignproject.cosign/signature": b64(sign(key, over or payload))})
def who(k): return "SHA256:" + hashlib.sha256(spki(k)).hexdigest()

KEYS = {"p256": ec.generate_private_key(ec.SECP256R1()), "p384": ec.generate_private_key(ec.SECP384R1()), "p521": ec.generate_private_key(ec.SECP521R1()), "ed25519": ed25519.Ed25519PrivateKey.generate(), "rsa2048": rsa.generate_private_key(65537, 2048), "rsa4096": rsa.generate_private_key(65537, 4096)}
for name, k in KEYS.items():
    case("bundle-" + name, Layout().bundle(bundle(k)), [pem(k)], who(k)); case("simple-" + name, Layout().simple(simple(k)), [pem(k)], who(k))
k, other = KEYS["p256"], KEYS["p384"]; r = KEYS["rsa2048"]
pkcs1 = r.public_key().public_bytes(PEM, serialization.PublicFormat.PKCS1).decode()
case("rsa-public-key-block", Layout().bundle(bundle(r)), [pkcs1], "SHA256:" + hashlib.sha256(r.public_key().public_bytes(DER, serialization.PublicFormat.PKCS1)).hexdigest())
case("second-key", Layout().bundle(bundle(k)), [pem(other), pem(k)], who(k)); case("first-block-only", Layout().bundle(bundle(k)), [pem(other) + pem(k)], rule="trust/unknown-key", says="none of the keys given")
for name, weird, rule, says in [("rsa1024", pem(rsa.generate_private_key(65537, 1024)), "trust/weak", "1024 bits"), ("secp256k1", pem(ec.generate_private_key(ec.SECP256K1())), "trust/unsupported", "secp256k1"), ("p224", pem(ec.generate_private_key(ec.SECP224R1())), "trust/unsupported", "P-224"),
    ("private", k.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(), "trust/key-file", "holds a private key"), ("no-pem", "cosign.pub", "trust/key-file", "no PEM block"), ("empty", "", "trust/key-file", "is empty"),
    ("broken", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "trust/key-file", "malformed"), ("certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "trust/key-file", "`CERTIFICATE`")]:
    case("key-" + name, Layout().bundle(bundle(k)), [weird], rule=rule, says=says)

# Bundles.
P = [pem(k)]
case("bundle-by-subject", Layout().bundle(bundle(k), how="subject"), P, who(k)); case("two-bundles", Layout().bundle(bundle(other), bundle(k)), P, who(k))
case("unsigned", Layout(), P, rule="trust/unsigned", says="not signed"); case("tag-missing", Layout(), P, tag="2.0", rule="ref/missing", says="`2.0`")
case("bundle-other-key", Layout().bundle(bundle(other)), P, rule="trust/unknown-key", says=who(other)); case("bundle-changed", Layout().bundle(bundle(k, statement(), pae(statement(x=1)))), P, rule="trust/bad-signature", says="changed")
case("bundle-other-artifact", Layout().bundle(bundle(k, statement("sha256:" + "0" * 64))), P, rule="trust/digest", says="another artifact")
case("attestation", Layout().bundle(bundle(k, statement(predicate="https://spdx.dev/Document"))), P, rule="trust/unsigned", says="attestation"); case("provenance", Layout().bundle(bundle(k, statement(predicate="https://slsa.dev/provenance/v1"))), P, who(k))
case("bundle-not-in-toto", Layout().bundle(bundle(k, kind="text/plain")), P, rule="trust/bad-signature", says="`text/plain`"); case("bundle-no-subject", Layout().bundle(bundle(k, statement(subject=[]))), P, rule="trust/digest", says="it has none")
two = bundle(k); two["dsseEnvelope"]["signatures"] *= 2; case("envelope-two-signatures", Layout().bundle(two), P, rule="trust/bad-signature", says="2 signatures")
none = bundle(k); none["dsseEnvelope"]["signatures"] = []; case("envelope-no-signature", Layout().bundle(none), P, rule="trust/bad-signature", says="0 signatures")
old = bundle(k); old["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.9+json"; case("bundle-of-tomorrow", Layout().bundle(old), P, rule="trust/unsupported", says="v0.9")
case("bundle-no-json", Layout().bundle(b"{"), P, rule="trust/bad-signature", says="malformed"); case("bundle-before-simple", Layout().bundle(bundle(other)).simple(simple(k)), P, rule="trust/unknown-key", says=who(other))
two = Layout().bundle(bundle(other), bundle(k, statement("sha256:" + "1" * 64))); case("two-bundles-two-reasons", two, P, rule="trust/unknown-key", says="none of its 2 signatures")
# The older scheme.
case("simple-other-key", Layout().simple(simple(other)), P, rule="trust/unknown-key", says="another key"); case("simple-changed", Layout().simple(simple(k, claim(), b"x")), P, rule="trust/unknown-key", says="changed")
case("simple-other-artifact", Layout().simple(simple(k, claim("sha256:" + "0" * 64))), P, rule="trust/digest", says="another artifact"); case("simple-other-type", Layout().simple(simple(k, claim(kind="x"))), P, rule="trust/bad-signature", says="`x`")
case("simple-no-annotation", Layout().simple((claim(), {})), P, rule="trust/bad-signature", says="missing"); case("simple-no-base64", Layout().simple((claim(), {"dev.cosignproject.cosign/signature": "%"})), P, rule="trust/bad-signature", says="base64")
case("simple-no-json", Layout().simple(simple(k, b"text")), P, rule="trust/bad-signature", says="no claim"); case("simple-two", Layout().simple(simple(other), simple(k)), P, who(k)); case("simple-none", Layout().simple(), P, rule="trust/unsigned", says="not signed")
# The layout.
def spoilt(change): l = Layout().bundle(bundle(k)); f = l.done(); change(l, f); return f
layer = "blobs/sha256/" + hashlib.sha256(b"layer").hexdigest()
case("layer-changed", spoilt(lambda l, f: f.update({layer: b"Layer"})), P, rule="trust/digest", says="does not match its name"); case("layer-missing", spoilt(lambda l, f: f.pop(layer)), P, rule="trust/digest", says="cannot be read")
case("manifest-changed", spoilt(lambda l, f: f.update({"blobs/sha256/" + IMAGE[7:]: b"{}"})), P, rule="trust/digest", says="does not match its name"); case("index-no-json", spoilt(lambda l, f: f.update({"index.json": b"["})), P, rule="oci/invalid", says="index.json")
def double(l, f): l.manifest({"config": {"digest": IMAGE}}, "1.0"); l.done()
case("tag-twice", spoilt(double), P, rule="trust/digest", says="2 images"); case("index-missing", spoilt(lambda l, f: f.pop("index.json")), P, rule="ref/missing", says="index.json")
l = Layout(); child = l.image; l.index.clear(); l.image = l.manifest({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{"digest": child, "size": 0}]}, "1.0"); INDEX = l.image
case("image-index", l.bundle(bundle(k, statement(INDEX))), P, who(k))
l = Layout(); child = l.image; l.index.clear(); l.image = l.manifest({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{"digest": child, "size": 0}]}, "1.0"); f = l.bundle(bundle(k, statement(l.image))).done(); f[layer] = b"Layer"
case("image-index-layer-changed", f, P, rule="trust/digest", says="does not match its name")

# Keyless: an authority, a log of certificates, a log of signatures and a timestamp authority of our own.
T0 = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc); T = int(T0.timestamp())
TIMESTAMPS = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
def name(cn): return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)] if cn else [])
def certificate(cn, key, issuer=None, issuer_key=None, ca=False, use=ExtendedKeyUsageOID.CODE_SIGNING, start=T0 - dt.timedelta(minutes=1), minutes=10, extensions=(), h=hashes.SHA256(), path=None):
    b = x509.CertificateBuilder().subject_name(name(cn)).issuer_name(name(issuer or cn)).public_key(key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + dt.timedelta(minutes=minutes))
    b = b.add_extension(x509.BasicConstraints(ca, path if ca else None), True).add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True)
    if use: b = b.add_extension(x509.ExtendedKeyUsage([use]), use == ExtendedKeyUsageOID.TIME_STAMPING)
    for e, critical in extensions: b = b.add_extension(e, critical)
    ik = issuer_key or key; return b.sign(ik, None if isinstance(ik, ed25519.Ed25519PrivateKey) else h)
YEARS = 60 * 24 * 365 * 10; EARLY = T0 - dt.timedelta(days=900)
root_key, mid_key, log_key, ct_key, tsa_root_key = (ec.generate_private_key(c()) for c in (ec.SECP384R1, ec.SECP384R1, ec.SECP256R1, ec.SECP256R1, ec.SECP256R1)); tsa_key = ec.generate_private_key(ec.SECP256R1())
root = certificate("root", root_key, ca=True, use=None, start=EARLY, minutes=YEARS, h=hashes.SHA384()); mid = certificate("authority", mid_key, "root", root_key, ca=True, start=EARLY, minutes=YEARS, h=hashes.SHA384(), path=0)
tsa_root = certificate("tsa root", tsa_root_key, ca=True, use=None, start=EARLY, minutes=YEARS); tsa = certificate("tsa", tsa_key, "tsa root", tsa_root_key, use=ExtendedKeyUsageOID.TIME_STAMPING, start=EARLY, minutes=YEARS)
der = lambda c: c.public_bytes(DER); log_id = lambda k: hashlib.sha256(spki(k)).digest()
def trusted(**kw):
    valid = {"start": "2024-01-01T00:00:00Z"}; log = lambda k, u: {"baseUrl": u, "hashAlgorithm": "SHA2_256", "publicKey": {"rawBytes": b64(spki(k)), "keyDetails": "x", "validFor": valid}, "logId": {"keyId": b64(log_id(k))}}
    chain = lambda *c: {"uri": "x", "certChain": {"certificates": [{"rawBytes": b64(der(x))} for x in c]}, "validFor": valid}
    return {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": [log(log_key, "https://log.example.org")], "ctlogs": [log(ct_key, "https://ct.example.org")], "certificateAuthorities": [chain(mid, root)], "timestampAuthorities": [chain(tsa, tsa_root)], **kw}
SUBJECT, ISSUER = "https://github.com/org/repo/.github/workflows/release.yml@refs/heads/main", "https://token.actions.githubusercontent.com"
def leaf(key, subject=SUBJECT, issuer=ISSUER, sct_key=None, sct_over=None, sct=True, by=("authority", mid_key, mid), old_issuer=False, san=None, **kw):
    utf8 = lambda s: bytes([12, len(s)]) + s.encode()
    ext = [(san or x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject)]), True), (x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), issuer.encode()) if old_issuer else x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), utf8(issuer)), False)] + list(kw.pop("more", []))
    make = lambda extra: certificate("", key, by[0], by[1], extensions=ext + extra, h=hashes.SHA384() if isinstance(by[1], ec.EllipticCurvePrivateKey) and by[1].curve.name == "secp384r1" else hashes.SHA256(), **kw)
    if not sct: return make([])
    serial_fixed = {}
    def with_sct(signature):
        one = b"\0" + log_id(ct_key) + struct.pack(">Q", T * 1000) + b"\0\0" + b"\4\3" + struct.pack(">H", len(signature)) + signature
        inner = struct.pack(">H", len(one)) + one; listed = struct.pack(">H", len(inner)) + inner
        return x509.UnrecognizedExtension(TIMESTAMPS, (bytes([4, 0x81, len(listed)]) if len(listed) > 127 else bytes([4, len(listed)])) + listed)
    old = x509.random_serial_number; serial = old(); x509.random_serial_number = lambda: serial
    draft = make([(with_sct(b"x"), False)]); tbs = (sct_over or draft).tbs_precertificate_bytes
    signed = b"\0\0" + struct.pack(">Q", T * 1000) + b"\0\1" + hashlib.sha256(by[2].public_key().public_bytes(DER, SPKI)).digest() + struct.pack(">I", len(tbs))[1:] + tbs + b"\0\0"
    made = make([(with_sct(sign(sct_key or ct_key, signed)), False)]); x509.random_serial_number = old; return made

def leaf_hash(b): return hashlib.sha256(b"\0" + b).digest()
def node(a, b): return hashlib.sha256(b"\1" + a + b).digest()
def entry(b, cert, kind="dsse", time=T, promise=True, proof=True, log=None, note=None, change=lambda e: None):
    payload = base64.b64decode(b["dsseEnvelope"]["payload"]); sig = b["dsseEnvelope"]["signatures"][0]["sig"]; certificate = b64(cert.public_bytes(PEM)); log = log or log_key
    if kind == "dsse": body = {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"envelopeHash": {"algorithm": "sha256", "value": "0"}, "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}, "signatures": [{"signature": sig, "verifier": certificate}]}}
    elif kind == "intoto": body = {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {"envelope": {"payloadType": "x", "signatures": [{"publicKey": certificate, "sig": b64(sig.encode())}]}, "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}}}}
    elif kind == "v2": body = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {"data": {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(pae(payload)).digest())}, "signature": {"content": sig, "verifier": {"keyDetails": "x", "x509Certificate": {"rawBytes": b64(der(cert))}}}}}}
    else: body = {"apiVersion": "0.0.1", "kind": kind, "spec": {}}
    change(body); raw = dumps(body); id = log_id(log)
    e = {"logIndex": "7", "logId": {"keyId": b64(id)}, "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]}, "integratedTime": str(time) if promise else "0", "canonicalizedBody": b64(raw)}
    if promise: e["inclusionPromise"] = {"signedEntryTimestamp": b64(sign(log, dumps({"body": b64(raw), "integratedTime": time, "logID": id.hex(), "logIndex": 7})))}
    if proof:
        first, third = leaf_hash(b"first"), leaf_hash(b"third"); top = node(node(first, leaf_hash(raw)), third)
        text = f"{note or 'log.example.org - 42'}\n3\n{b64(top)}\n"; line = f"\u2014 log.example.org {b64(id[:4] + sign(log, text.encode()))}\n"
        e["inclusionProof"] = {"logIndex": "1", "rootHash": b64(top), "treeSize": "3", "hashes": [b64(first), b64(third)], "checkpoint": {"envelope": text + "\n" + line}}
    return e

work = tempfile.mkdtemp(); w = lambda n: os.path.join(work, n)
open(w("conf"), "w").write("[tsa]\ndefault_tsa=t\n[t]\nserial=" + w("serial") + "\ncrypto_device=builtin\nsigner_digest=sha256\ndefault_policy=1.2.3\nother_policies=1.2.3\ndigests=sha256,sha512\naccuracy=secs:1\n")
def timestamp(signature, key=tsa_key, cert=tsa, fake=T):
    open(w("serial"), "w").write("01\n"); open(w("data"), "wb").write(signature); open(w("key"), "wb").write(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())); open(w("cert"), "wb").write(cert.public_bytes(PEM))
    subprocess.run(["openssl", "ts", "-query", "-data", w("data"), "-sha256", "-cert", "-no_nonce", "-out", w("q")], check=True, capture_output=True)
    subprocess.run(["openssl", "ts", "-reply", "-config", w("conf"), "-queryfile", w("q"), "-signer", w("cert"), "-inkey", w("key"), "-out", w("r")], check=True, capture_output=True, env={**os.environ, "FAKETIME": ""})
    return open(w("r"), "rb").read()

def keyless(key, cert, payload=None, signed=None, entries=None, stamps=(), h=hashes.SHA256(), **kw):
    b = bundle(key, payload, signed, material={"certificate": {"rawBytes": b64(der(cert))}}, h=h)
    b["verificationMaterial"]["tlogEntries"] = [entry(b, cert, **kw)] if entries is None else entries
    if stamps: b["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": b64(s)} for s in stamps]}
    return b
ROOT = trusted(); WHO = {"identity": "^https://github.com/org/repo/", "issuer": "^" + ISSUER + "$"}
def kcase(name, b, root=None, rule=None, says=None, signer=None, layout=None, **kw):
    c = {**WHO, **kw}
    if root: c["root"] = root
    case("keyless-" + name, layout or Layout().bundle(b), keyless=c, signer=None if rule else signer or SUBJECT, rule=rule, says=says)
k = ec.generate_private_key(ec.SECP256R1()); good = leaf(k)
for kind in ["dsse", "intoto"]: kcase(kind, keyless(k, good, kind=kind))
kcase("promise-only", keyless(k, good, proof=False)); kcase("issuer-in-old-extension", keyless(k, leaf(k, old_issuer=True)))
kcase("address", keyless(k, leaf(k, san=x509.SubjectAlternativeName([x509.RFC822Name("dev@example.org")]))), signer="dev@example.org", identity="@example.org$")
utf8 = lambda s: bytes([12, len(s)]) + s.encode()
kcase("other-name", keyless(k, leaf(k, san=x509.SubjectAlternativeName([x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), utf8("dev!example"))]))), signer="dev!example", identity="^dev!example$")
for n, key, h in [("p384", ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()), ("p384-sha256", ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()), ("ed25519", ed25519.Ed25519PrivateKey.generate(), None), ("rsa", rsa.generate_private_key(65537, 3072), hashes.SHA256())]: kcase(n, keyless(key, leaf(key), h=h))
# Signed timestamps are made by openssl, which uses the clock: certificates of now.
now = dt.datetime.now(dt.timezone.utc); fresh = leaf(k, start=now - dt.timedelta(minutes=1), minutes=10); b = bundle(k); b["verificationMaterial"] = {"certificate": {"rawBytes": b64(der(fresh))}}
sig = base64.b64decode(b["dsseEnvelope"]["signatures"][0]["sig"])
def stamped(kind="v2", sig=sig, entries=True, **kw):
    c = copy.deepcopy(b); c["verificationMaterial"]["tlogEntries"] = [entry(c, fresh, kind=kind, promise=False, note="log.example.org", **kw)] if entries else []; c["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": b64(timestamp(sig))}]}; return c
kcase("timestamp", stamped()); kcase("timestamp-of-other", stamped(sig=b"other"), rule="trust/timestamp", says="another signature"); kcase("timestamp-without-log", stamped(entries=False), rule="trust/log", says="no entry")
tsa2 = ec.generate_private_key(ec.SECP256R1()); c = stamped(); c["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"] = b64(timestamp(sig, tsa2, certificate("tsa", tsa2, use=ExtendedKeyUsageOID.TIME_STAMPING, start=EARLY, minutes=YEARS))); kcase("timestamp-of-stranger", c, rule="trust/timestamp", says="no timestamp that counts")
c = stamped(); raw = bytearray(base64.b64decode(c["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"])); raw[-3] ^= 1; c["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"] = b64(bytes(raw)); kcase("timestamp-changed", c, rule="trust/timestamp", says="no timestamp that counts")
c = stamped(); del c["verificationMaterial"]["timestampVerificationData"]; kcase("no-time", c, rule="trust/timestamp", says="nothing vouches for the time")
late = copy.deepcopy(ROOT); late["timestampAuthorities"][0]["validFor"] = {"end": "2020-01-01T00:00:00Z"}; kcase("timestamp-authority-ended", stamped(), root=late, rule="trust/timestamp", says="no authority")
# Spoilt, part by part.
kcase("other-identity", keyless(k, leaf(k, "https://github.com/other/repo/x")), rule="trust/identity", says="https://github.com/other/repo/x"); kcase("other-issuer", keyless(k, leaf(k, issuer="https://accounts.example.org")), rule="trust/identity", says="https://accounts.example.org")
kcase("expired", keyless(k, good, time=T + 3600), rule="trust/expired", says="has expired"); kcase("not-yet-valid", keyless(k, good, time=T - 3600), rule="trust/expired", says="not yet valid")
stray = ec.generate_private_key(ec.SECP384R1()); kcase("other-authority", keyless(k, leaf(k, by=("authority", stray, certificate("authority", stray, ca=True, start=EARLY, minutes=YEARS)))), rule="trust/chain", says="not signed by an authority")
kcase("not-for-code", keyless(k, leaf(k, use=ExtendedKeyUsageOID.SERVER_AUTH)), rule="trust/key-usage", says="not for signing code"); kcase("critical-extension", keyless(k, leaf(k, more=[(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), True)])), rule="trust/unsupported", says="1.2.3.4")
sub = ec.generate_private_key(ec.SECP384R1()); below = certificate("below", sub, "authority", mid_key, ca=True, start=EARLY, minutes=YEARS, h=hashes.SHA384()); c = keyless(k, leaf(k, by=("below", sub, below))); c["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"; c["verificationMaterial"]["x509CertificateChain"] = {"certificates": [c["verificationMaterial"].pop("certificate"), {"rawBytes": b64(der(below))}]}
kcase("path-too-long", c, rule="trust/chain", says="not signed by an authority")
kcase("no-sct", keyless(k, leaf(k, sct=False)), rule="trust/log", says="no timestamp of one"); kcase("sct-by-stranger", keyless(k, leaf(k, sct_key=ec.generate_private_key(ec.SECP256R1()))), rule="trust/log", says="does not match"); kcase("sct-of-other", keyless(k, leaf(k, sct_over=good)), rule="trust/log", says="does not match")
kcase("signature-changed", keyless(k, good, signed=b"x"), rule="trust/bad-signature", says="does not match"); kcase("other-artifact", keyless(k, good, statement("sha256:" + "0" * 64)), rule="trust/digest", says="another artifact")
kcase("no-log-entry", keyless(k, good, entries=[]), rule="trust/log", says="no entry"); kcase("log-of-stranger", keyless(k, good, log=ec.generate_private_key(ec.SECP256R1())), rule="trust/log", says="does not know")
def sub_entry(f): c = keyless(k, good); f(c["verificationMaterial"]["tlogEntries"][0]); return c
kcase("promise-changed", sub_entry(lambda e: e.update(integratedTime=str(T + 1))), rule="trust/log", says="promise"); kcase("index-changed", sub_entry(lambda e: e.update(logIndex="8")), rule="trust/log", says="promise")
kcase("proof-index-changed", sub_entry(lambda e: e["inclusionProof"].update(logIndex="0")), rule="trust/log", says="does not lead"); kcase("proof-hash-changed", sub_entry(lambda e: e["inclusionProof"]["hashes"].reverse()), rule="trust/log", says="does not lead"); kcase("proof-size-changed", sub_entry(lambda e: e["inclusionProof"].update(treeSize="4")), rule="trust/log", says="another tree")
kcase("checkpoint-changed", sub_entry(lambda e: e["inclusionProof"]["checkpoint"].update(envelope=e["inclusionProof"]["checkpoint"]["envelope"].replace("\n3\n", "\n4\n"))), rule="trust/log", says="did not sign"); kcase("checkpoint-of-other-log", keyless(k, good, note="evil.example.org - 1"), rule="trust/log", says="evil.example.org")
kcase("neither-promise-nor-proof", sub_entry(lambda e: (e.pop("inclusionPromise"), e.pop("inclusionProof"))), rule="trust/log", says="neither")
kcase("entry-of-other-signature", keyless(k, good, change=lambda e: e["spec"]["signatures"][0].update(signature=b64(b"x"))), rule="trust/log", says="another signature"); kcase("entry-of-other-certificate", keyless(k, good, change=lambda e: e["spec"]["signatures"][0].update(verifier=b64(leaf(k).public_bytes(PEM)))), rule="trust/log", says="another certificate")
kcase("entry-over-other-payload", keyless(k, good, change=lambda e: e["spec"]["payloadHash"].update(value="00")), rule="trust/log", says="digest does not match"); kcase("entry-of-other-kind", keyless(k, good, kind="rpm"), rule="trust/unsupported", says="`rpm`")
ended = copy.deepcopy(ROOT); ended["tlogs"][0]["publicKey"]["validFor"] = {"start": "2024-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}; kcase("log-ended", keyless(k, good), root=ended, rule="trust/log", says="not valid")
ended = copy.deepcopy(ROOT); ended["ctlogs"][0]["publicKey"]["validFor"] = {"end": "2025-01-01T00:00:00Z"}; kcase("ct-log-ended", keyless(k, good), root=ended, rule="trust/log", says="not valid"); ended = copy.deepcopy(ROOT); ended["certificateAuthorities"][0]["validFor"] = {"end": "2025-01-01T00:00:00Z"}; kcase("authority-ended", keyless(k, good), root=ended, rule="trust/chain", says="names no authority")
for n, change, says in [("not-a-root", lambda r: r.update(mediaType="x"), "it is a `x`"), ("no-logs", lambda r: r.update(tlogs=[]), "no transparency log"), ("no-ct-logs", lambda r: r.update(ctlogs=[]), "no certificate transparency log"), ("no-authorities", lambda r: r.update(certificateAuthorities=[]), "no certificate authority")]:
    r = copy.deepcopy(ROOT); change(r); kcase("root-" + n, keyless(k, good), root=r, rule="trust/root", says=says)
kcase("signed-with-a-key", bundle(k), rule="trust/unknown-key", says="signed with a key"); kcase("empty-pattern", keyless(k, good), identity="", rule="trust/identity", says="match anybody"); kcase("bad-pattern", keyless(k, good), identity="(", rule="trust/identity", says="malformed")
case("keyed-by-certificate", Layout().bundle(keyless(k, good)), [pem(other)], rule="trust/unknown-key", says="key of a certificate")
# The older scheme.
def annotated(time=T, change=lambda a: None):
    payload = claim(); signature = b64(sign(k, payload)); body = b64(dumps({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {"data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}}, "signature": {"content": signature, "publicKey": {"content": b64(good.public_bytes(PEM))}}}}))
    promise = {"body": body, "integratedTime": time, "logID": log_id(log_key).hex(), "logIndex": 7}
    a = {"dev.cosignproject.cosign/signature": signature, "dev.sigstore.cosign/certificate": good.public_bytes(PEM).decode(), "dev.sigstore.cosign/chain": (mid.public_bytes(PEM) + root.public_bytes(PEM)).decode(), "dev.sigstore.cosign/bundle": dumps({"SignedEntryTimestamp": b64(sign(log_key, dumps(promise))), "Payload": promise}).decode()}
    change(a); return Layout().simple((payload, a))
kcase("simple", None, layout=annotated()); kcase("simple-expired", None, layout=annotated(T + 3600), rule="trust/expired", says="has expired"); kcase("simple-no-bundle", None, layout=annotated(change=lambda a: a.pop("dev.sigstore.cosign/bundle")), rule="trust/log", says="no entry"); kcase("simple-no-certificate", None, layout=annotated(change=lambda a: a.pop("dev.sigstore.cosign/certificate")), rule="trust/unknown-key", says="signed with a key")

shutil.rmtree(work)
json.dump({"digest": IMAGE, "files": {p: c.decode() for p, c in BASE.items()}, "root": ROOT, "cases": cases}, open(os.path.join(here, "cases.json"), "w"), indent=0); open(os.path.join(here, "cases.json"), "a").write("\n")
print(len(cases), "cases")
