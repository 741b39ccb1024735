#!/usr/bin/env python3
"""Makes files/, expected/, keys/ and cases.json: see SOURCE.

    make.py SOPS AGE_KEYGEN

Takes gpg and ssh-keygen from PATH. Every run makes new keys.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOPS, AGE_KEYGEN = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
HOME = tempfile.mkdtemp()
ENV = {"PATH": os.environ["PATH"], "HOME": HOME, "GNUPGHOME": HOME}
CASES = []


def run(*args, stdin=b"", env=None):
    result = subprocess.run(args, input=stdin, capture_output=True, env={**ENV, **(env or {})})
    if result.returncode:
        raise SystemExit(f"{args}: {result.stderr.decode()}")
    return result.stdout


def path(*parts):
    return os.path.join(HERE, *parts)


def put(name, content):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "wb") as file:
        file.write(content)


for folder in ["files", "expected", "keys"]:
    shutil.rmtree(path(folder), ignore_errors=True)

# Keys.

PUBLIC = {}


def age_key(name, *options):
    text = run(AGE_KEYGEN, *options)
    put(f"keys/{name}.agekey", text)
    line = next(l for l in text.decode().splitlines() if "public key" in l)
    PUBLIC[name] = line.split()[-1]


def ssh_key(name, *options):
    run("ssh-keygen", "-q", "-N", "", "-C", name, "-f", path("keys", name), *options)
    PUBLIC[name] = " ".join(open(path("keys", name + ".pub")).read().split()[:2])
    os.remove(path("keys", name + ".pub"))


def pgp_key(name, primary, subkey, passphrase="", file=None):
    user = f"{name} <{name}@example.org>"
    batch = ["gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase]
    run(*batch, "--quick-gen-key", user, primary, "sign", "0")
    listed = run("gpg", "--list-keys", "--with-colons", user).decode().splitlines()
    fingerprint = next(l.split(":")[9] for l in listed if l.startswith("fpr"))
    run(*batch, "--quick-add-key", fingerprint, subkey, "encr", "0")
    put(f"keys/{name}.asc", run(*batch, "--armor", "--export-secret-keys", fingerprint))
    PUBLIC[name] = fingerprint


os.makedirs(path("keys"), exist_ok=True)
age_key("one")
age_key("two")
age_key("hybrid", "-pq")
ssh_key("ssh-ed25519", "-t", "ed25519")
ssh_key("ssh-rsa", "-t", "rsa", "-b", "2048")
ssh_key("ssh-rsa-pem", "-t", "rsa", "-b", "2048", "-m", "PEM")
ssh_key("ssh-ecdsa", "-t", "ecdsa")
put("keys/several.agekey", open(path("keys/two.agekey"), "rb").read() + b"\n# and\n" + open(path("keys/one.agekey"), "rb").read())
put("keys/recipient.agekey", PUBLIC["one"].encode() + b"\n")
put("keys/plugin.agekey", b"AGE-PLUGIN-YUBIKEY-1QQPSYQVZFZ7\n")
put("keys/empty.agekey", b"# nothing\n")
for algorithms in [("rsa", "rsa2048", "rsa2048"), ("ed25519", "ed25519", "cv25519"), ("nistp256", "nistp256", "nistp256"),
                   ("nistp384", "nistp384", "nistp384"), ("nistp521", "nistp521", "nistp521"),
                   ("brainpool", "brainpoolP256r1", "brainpoolP256r1"), ("elgamal", "dsa2048", "elg2048")]:
    pgp_key(*algorithms)
pgp_key("locked", "ed25519", "cv25519", passphrase="x")
put("keys/public.asc", run("gpg", "--armor", "--export", PUBLIC["rsa"]))
put("keys/rsa.gpg", run("gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--export-secret-keys", PUBLIC["rsa"]))


# Files.

YAML = """\
# above all
apiVersion: v1
kind: Secret # behind
metadata:
    name: app
stringData:
    # above a value
    password: p4ss # behind a value
    "true": "yes"
    empty: ""
    lines: |
        one
        two
    list:
        # above an item
        - a
        - 1
        - 2.5
        - 1e3
        - true
        - null
        - {x: y}
    octal: 0o17
    date: 2026-01-02
    text: "2026-01-02"
    note_unencrypted: clear
    token_enc: t0ken
# below
"""
JSON = """{"data": {"a": "x<y>&\\u2028", "n": [1, 2.5, 1e21, true, null, {}], "b_enc": "s", "e": ""}, "kind": "clear"}"""
DOTENV = "# a comment\nNAME=value\nSPACED=a b = c\n\nEMPTY=\nLINES=one\\ntwo\nQUOTED='x'\n"
INI = "; above all\n[first]\n; above a key\nname = value\nquoted = \"a ; b\"\nother: 5\n\n[second section]\nempty =\n"


def encrypt(name, content, age=(), pgp=(), **rule):
    """Encrypts a file under a rule of .sops.yaml; for the key `one` if no other is named."""
    put(f"files/{name}", content if isinstance(content, bytes) else content.encode())
    if "key_groups" not in rule:
        age = age or (() if pgp else ("one",))
        rule |= {"age": ",".join(PUBLIC[k] for k in age), "pgp": ",".join(PUBLIC[k] for k in pgp)}
    rules = os.path.join(HOME, "sops.yaml")
    with open(rules, "w") as file:
        json.dump({"creation_rules": [rule]}, file)
    run(SOPS, "--config", rules, "encrypt", "--in-place", path("files", name))


def case(file, keys, rule=None, says=None, output=None):
    """What sops prints, or the rule and some words of the refusal."""
    entry = {"file": file, "keys": keys}
    if output:
        entry["output"] = output
    if rule:
        entry.update(rule=rule, says=says)
    else:
        env = {}
        for key in keys:
            if key.endswith((".asc", ".gpg")):
                run("gpg", "--batch", "--import", path("keys", key))
            elif "ssh" in key:
                env["SOPS_AGE_SSH_PRIVATE_KEY_FILE"] = path("keys", key)
            else:
                env["SOPS_AGE_KEY_FILE"] = path("keys", key)
        plain = run(SOPS, "decrypt", *(["--output-type", output] if output else []), path("files", file), env=env)
        entry["expected"] = f"{file}.{output}" if output else file
        put(f"expected/{entry['expected']}", plain)
    CASES.append(entry)


def change(file, name, edit):
    text = open(path("files", file)).read()
    changed = edit(text)
    assert changed != text, name
    put(f"files/{name}", changed.encode())


one = ["one.agekey"]
for name, content in [("all.yaml", YAML), ("all.json", JSON), ("all.env", DOTENV), ("all.ini", INI),
                      ("all.bin", bytes(range(256))), ("all.txt", "text\n"), ("two.yaml", "a: 1\n---\nb: # behind\n    c: 2\n")]:
    encrypt(name, content)
    case(name, one)
case("all.yaml", one, output="json")
case("all.json", one, output="yaml")
case("all.env", one, output="json")
case("all.env", one, output="yaml")
case("all.bin", one, output="json")
for name, rule in [
        ("regex", {"encrypted_regex": "^(password|list)$"}), ("unregex", {"unencrypted_regex": "^(apiVersion|kind|metadata)$"}),
        ("suffix", {"encrypted_suffix": "_enc"}), ("unsuffix", {"unencrypted_suffix": "_enc"}),
        ("comment", {"encrypted_comment_regex": "above a value"}), ("uncomment", {"unencrypted_comment_regex": "above"}),
        ("mac", {"encrypted_regex": "^password$", "mac_only_encrypted": True})]:
    encrypt(f"{name}.yaml", YAML, **rule)
    case(f"{name}.yaml", one)
encrypt("suffix.json", JSON, encrypted_suffix="_enc")
case("suffix.json", one)

SMALL = "a: hello\nb: 1\n"
for name in ["hybrid", "ssh-ed25519", "ssh-rsa", "ssh-rsa-pem"]:
    encrypt(f"{name}.yaml", SMALL, age=[name])
    case(f"{name}.yaml", [name if "ssh" in name else f"{name}.agekey"])
for name in ["rsa", "ed25519", "nistp256", "nistp384", "nistp521"]:
    encrypt(f"pgp-{name}.yaml", SMALL, pgp=[name])
    case(f"pgp-{name}.yaml", [f"{name}.asc"])
case("pgp-rsa.yaml", ["rsa.gpg"])
encrypt("pgp-brainpool.yaml", SMALL, pgp=["brainpool"])
case("pgp-brainpool.yaml", ["brainpool.asc"], "sops/key", "on the curve brainpoolP256r1, which is not supported")
encrypt("pgp-elgamal.yaml", SMALL, pgp=["elgamal"])
case("pgp-elgamal.yaml", ["elgamal.asc"], "sops/key", "an ElGamal key, which is not supported")

encrypt("both.yaml", SMALL, age=["one", "two"], pgp=["ed25519"])
for keys in [one, ["two.agekey"], ["several.agekey"], ["ed25519.asc"]]:
    case("both.yaml", keys)
groups = [{"age": [PUBLIC["one"]]}, {"age": [PUBLIC["two"]]}, {"pgp": [PUBLIC["rsa"]]}]
encrypt("shamir-of-2.yaml", SMALL, key_groups=groups[:2])
case("shamir-of-2.yaml", ["several.agekey"])
case("shamir-of-2.yaml", ["two.agekey"], "sops/key", "open 1 of 2 key groups, and it takes 2")
encrypt("shamir-2-of-3.yaml", SMALL, key_groups=groups, shamir_threshold=2)
for keys in [["one.agekey", "rsa.asc"], ["several.agekey"]]:
    case("shamir-2-of-3.yaml", keys)
case("shamir-2-of-3.yaml", ["rsa.asc"], "sops/key", "open 1 of 3 key groups, and it takes 2")

# Keys that are none.
for key, rule, says in [("two.agekey", "sops/key", "none of the keys given"), ("recipient.agekey", "sops/key-file", "recipient"),
                        ("plugin.agekey", "sops/key-file", "plugin"), ("empty.agekey", "sops/key-file", "holds no keys"),
                        ("ssh-ecdsa", "sops/key-file", "of a kind that age does not know"), ("public.asc", "sops/key-file", "public key alone"),
                        ("locked.asc", "sops/key-file", "passphrase"), (None, "sops/key", "no key is given")]:
    case("all.yaml", [key] if key else [], rule, says)

# What was changed.

sealed = re.compile(r"ENC\[AES256_GCM,data:[^\]]*type:str\]")


def swapped(text):
    first, second = sealed.findall(text)[:2]
    return text.replace(first, "@").replace(second, first).replace("@", second)


def flipped(text):
    return re.sub(r"(    password: ENC\[AES256_GCM,data:)(.)", lambda m: m[1] + ("B" if m[2] != "B" else "C"), text)


for name, base, edit, rule, says in [
        ("flipped.yaml", "all.yaml", flipped, "sops/tampered", "tampered with"),
        ("swapped.yaml", "all.yaml", swapped, "sops/tampered", "moved"),
        ("clear-changed.yaml", "regex.yaml", lambda t: t.replace("name: app", "name: other"), "sops/mac", "the values are not those"),
        ("clear-added.yaml", "regex.yaml", lambda t: t.replace("    name: app\n", "    name: app\n    more: x\n"), "sops/mac", "the values are not those"),
        ("sealed-removed.yaml", "all.yaml", lambda t: re.sub(r"    lines: ENC.*\n", "", t), "sops/mac", "the values are not those"),
        ("clear-in-sealed.yaml", "all.yaml", lambda t: re.sub(r"(    lines:) ENC.*\n", r"\1 clear\n", t), "sops/tampered", "stringData.lines"),
        ("mac-removed.yaml", "all.yaml", lambda t: re.sub(r"    mac: .*\n", "", t), "sops/mac", "the file has none"),
        ("mac-of-other.yaml", "regex.yaml", lambda t: re.sub(r"    mac: .*", next(l for l in open(path("files/all.yaml")).read().splitlines() if l.startswith("    mac:")), t), "sops/mac", "cannot be decrypted"),
        ("date-changed.yaml", "all.yaml", lambda t: re.sub(r'lastmodified: "20', 'lastmodified: "19', t), "sops/mac", "cannot be decrypted"),
        ("date-none.yaml", "all.yaml", lambda t: re.sub(r'    lastmodified: .*\n', '', t), "sops/metadata", "`lastmodified` is missing"),
        ("no-keys.yaml", "all.yaml", lambda t: re.sub(r"    age:\n(        .*\n)+", "", t), "sops/metadata", "names no keys"),
        ("plain.yaml", "all.yaml", lambda t: "a: 1\n", "sops/not-encrypted", "no sops metadata"),
        ("twice.yaml", "all.yaml", lambda t: t + "sops: {}\n", "sops/format", "stands twice"),
        ("list.yaml", "all.yaml", lambda t: "- 1\n", "sops/format", "a list"),
        ("changed.env", "all.env", lambda t: t + "MORE=x\n", "sops/tampered", "MORE"),
        ("changed.json", "suffix.json", lambda t: t.replace('"clear"', '"other"'), "sops/mac", "the values are not those"),
        ("cut.json", "all.json", lambda t: t[:200], "sops/format", "does not end")]:
    change(base, name, edit)
    case(name, one, rule, says)

# With a MAC over encrypted values alone, those in clear may change.
change("mac.yaml", "mac-clear-changed.yaml", lambda t: t.replace("name: app", "name: other"))
case("mac-clear-changed.yaml", one)

for name, block in [("kms", "    kms:\n        - arn: arn:aws:kms:eu-west-1:1:key/x\n          created_at: \"2026-01-01T00:00:00Z\"\n          enc: AQ\n"),
                    ("vault", "    hc_vault:\n        - vault_address: https://vault.example.org\n          engine_path: sops\n          key_name: x\n          created_at: \"2026-01-01T00:00:00Z\"\n          enc: AQ\n")]:
    change("all.yaml", f"{name}.yaml", lambda t: re.sub(r"    age:\n(        .*\n)+", block, t))
    case(f"{name}.yaml", one, "sops/key", {"kms": "AWS KMS", "vault": "Vault `https://vault.example.org/sops/x`"}[name])

# A repository whose secrets go wherever secrets can go.

FLUX = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {}\n  namespace: flux-system\nspec:\n  interval: 1h\n  path: ./{}\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n{}"
DECRYPT = "  decryption:\n    provider: sops\n"
CANARY = {
    # What is encrypted.
    "secrets/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata:\n    name: canary\n    namespace: flux-system\nstringData:\n    CANARY: canary-7d1f-value\n    PORT: \"58417\"\n    NAME: canary-name-93b2\n    SPOILT: 'canary-spoilt-77e1: ['\n    VALUES: |\n        password: canary-chart-e5e5\n        name: canary-release-2b8a\n        list:\n            - canary-list-c7c7\n        port: 58417\n    TREE: '{canary-key-55aa: [canary-item-0c3e]}'\n    KEY: |\n        -----BEGIN KEY-----\n        canary-line-31c5\n        -----END KEY-----\n",
    "secrets/widget.yaml": "apiVersion: example.org/v1\nkind: Widget\nmetadata:\n    name: widget\nspec:\n    clear: shown\n    data:\n        token: canary-widget-44f0\n        count: 48151623\n",
    "secrets/app.env": "CANARY_ENV=canary-env-6a6e\nOTHER_unencrypted=shown\n",
    "secrets/file.json": '{"auth": "canary-json-b0d7"}\n',
    "secrets/blob.txt": "canary-blob-1e9d\n",
    "secrets/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n    name: patched\ndata:\n    password: canary-patch-f00c\n",
    "packed.yaml": "a: canary-packed-9c21\n",
    # What is in clear.
    "cluster/secrets.yaml": FLUX.format("secrets", "secrets", DECRYPT),
    "cluster/apps.yaml": FLUX.format("apps", "apps", "  postBuild:\n    substituteFrom:\n    - kind: Secret\n      name: canary\n"),
    "secrets/kustomization.yaml": "resources: [secret.yaml, widget.yaml, patched.yaml, packed.yaml]\nsecretGenerator:\n- name: env\n  envs: [app.env]\n- name: files\n  files: [file.json, renamed=blob.txt]\nconfigMapGenerator:\n- name: same-file\n  files: [blob.txt]\npatches:\n- path: patch.yaml\nreplacements:\n- source:\n    kind: ConfigMap\n    name: patched\n    fieldPath: data.password\n  targets:\n  - select: {kind: ConfigMap, name: patched}\n    fieldPaths: [data.url]\n    options: {delimiter: '@', index: 0}\n",
    "secrets/patched.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: patched\ndata:\n  clear: shown\n  url: user@example.org\n",
    "apps/objects.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config\ndata:\n  clear: shown\n  value: is ${CANARY}\n  part: ${CANARY:7:4}\n  nested: ${MISSING:=${CANARY}}\n  upper: ${CANARY^^}\n  tree: ${TREE}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: ${NAME}\nspec:\n  ports:\n  - port: ${PORT}\n---\n"
    + FLUX.format("child", "child", "  patches:\n  - target: {kind: ConfigMap}\n    patch: |\n      - op: add\n        path: /data/patched\n        value: ${CANARY}\n  postBuild:\n    substitute:\n      HANDED: on ${CANARY}\n"),
    "apps/release.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: release\n  namespace: flux-system\nspec:\n  interval: 1h\n  chart:\n    spec:\n      chart: ./chart\n      sourceRef:\n        kind: GitRepository\n        name: flux-system\n  valuesFrom:\n  - kind: Secret\n    name: canary\n    valuesKey: VALUES\n  - kind: Secret\n    name: canary\n    valuesKey: CANARY\n    targetPath: single\n  values:\n    inline: of ${CANARY}\n    clear: shown\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: canary\nversion: 1.0.0\n",
    "chart/values.yaml": "password: none\nclear: none\n",
    "chart/templates/all.yaml": "{{- $v := .Values }}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ $v.name | default \"none\" }}\n  annotations:\n    checksum: {{ $v.password | sha256sum }}\nspec:\n  clear: {{ $v.clear }}\n  port: {{ $v.port }}\n  env:\n  - {name: PASSWORD, value: {{ $v.password | upper | quote }}}\n  - {name: URL, value: 'https://user:{{ $v.password }}@example.org/{{ $v.inline }}'}\n  {{- range $v.list }}\n  - {name: ITEM, value: {{ . }}}\n  {{- end }}\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: chart\ndata:\n  auth: {{ printf \"user:%s\" $v.password | b64enc }}\n  hex: {{ $v.single | default \"none\" | b64enc | b64enc }}\n  clear: {{ b64enc $v.clear }}\nstringData:\n  all: |\n    {{- toYaml $v | nindent 4 }}\n  is: {{ eq $v.password \"none\" | ternary \"default\" \"set\" }}\n",
    "child/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: child\ndata:\n  clear: shown\n  handed: ${HANDED}\n",
}
shutil.rmtree(path("canary"), ignore_errors=True)
RULES = {".yaml": {"encrypted_regex": "^(data|stringData|a)$"}}
for name, content in CANARY.items():
    encrypted = name.startswith("secrets/") and name.split("/")[1] in ["secret.yaml", "widget.yaml", "app.env", "file.json", "blob.txt", "patch.yaml"] or name == "packed.yaml"
    if not encrypted:
        put(f"canary/{name}", content.encode())
        continue
    encrypt(f"../canary/{name}", content, **RULES.get(os.path.splitext(name)[1], {}))
# A file within a Secret.
packed = open(path("canary/packed.yaml"), "rb").read()
os.remove(path("canary/packed.yaml"))
put("canary/secrets/packed.yaml", b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: packed\ndata:\n  a.yaml: " + base64.b64encode(packed) + b"\n")

with open(path("cases.json"), "w") as file:
    json.dump(CASES, file, indent=1)
    file.write("\n")
subprocess.run(["gpgconf", "--kill", "all"], env=ENV)
shutil.rmtree(HOME)
