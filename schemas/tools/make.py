#!/usr/bin/env python3
"""Makes everything in schemas/ that is made: the packs and PROVENANCE.

Usage: schemas/tools/make.py
Needs: Go (it fetches the packages, through the proxy that it is set up for),
Rust, and Python's standard library. The same versions give the same bytes; a
package whose digest is not the one below is refused.

A new version: change it here, run this with --accept, which takes the digests
that come, put them here, and read `git diff --stat schemas`.
"""
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"

# module, version, digest (as in go.sum), licence, what is taken from it
KUSTOMIZE = [
    ("k8s.io/kubernetes", "v1.21.2", "h1:7r1wYSBaMwleFy/VIhdte8G8TUJTmx+MR6Ip2ZsF4NM=",
     "Apache-2.0", "api/openapi-spec/swagger.json"),
    ("sigs.k8s.io/kustomize/kyaml", "v0.21.1", "h1:IVlbmhC076nf6foyL6Taw4BkrLuEsXUXNpsE+ScX7fI=",
     "Apache-2.0", "openapi/kustomizationapi/swagger.json"),
]

PACKS = {
    "kustomize.pack": "structure, merge keys, patch strategies and scopes of Kubernetes 1.21.2,\n"
                      "  the version that kustomize 5.8.1 goes by, without alpha APIs",
    "kustomization.pack": "the same of kustomize's own kinds",
}


def fetch(module, version, digest, accept):
    """The folder of a module, its digest checked."""
    out = subprocess.run(["go", "mod", "download", "-json", f"{module}@{version}"],
                         check=True, capture_output=True, text=True, cwd="/").stdout
    found = json.loads(out)
    if found["Sum"] != digest:
        message = f"{module}@{version} has the digest {found['Sum']}, not {digest}"
        if not accept:
            sys.exit(f"error: {message}")
        print(f"accepted: {message}")
    return pathlib.Path(found["Dir"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accept", action="store_true", help="take other digests, and say so")
    accept = parser.parse_args().accept
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--example", "pack-schemas"],
                   check=True, cwd=ROOT)
    tool = ROOT / "target/debug/examples/pack-schemas"

    inputs = [fetch(m, v, d, accept) / p for m, v, d, _, p in KUSTOMIZE]
    subprocess.run([tool, "kustomize", *inputs, SCHEMAS], check=True)

    lines = ["Made by schemas/tools/make.py from published packages. Each line: package,",
             "version, digest (as in go.sum), licence, and what was taken from it.", ""]
    for name, what in PACKS.items():
        lines.append(f"{name}: {what}")
    lines.append("")
    for row in KUSTOMIZE:
        lines.append(" ".join(row))
    (SCHEMAS / "PROVENANCE").write_text("\n".join(lines) + "\n")


main()
