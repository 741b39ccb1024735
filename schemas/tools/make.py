#!/usr/bin/env python3
"""Makes everything in schemas/ that is made: the packs and PROVENANCE.

Usage: schemas/tools/make.py
Needs: Go (it fetches the packages, through the proxy that it is set up for),
Rust, and Python's standard library. The same versions give the same bytes; a
package whose digest is not the one in packages.json is refused.

A new version: change it in packages.json, run this with --accept, which takes
the digests that come and writes them there, and read `git diff --stat schemas`.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = HERE.parent
ROOT = SCHEMAS.parent
PACKAGES = HERE / "packages.json"


def go(*args, cwd="/", **environment):
    # The digests in packages.json stand for the public list of digests, which
    # does not have every version of every module.
    environment = dict(os.environ, GONOSUMDB="*", GOFLAGS="-mod=mod", **environment)
    done = subprocess.run(["go", *args], cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: go {' '.join(args)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Packages:
    def __init__(self, accept):
        self.accept = accept
        self.all = json.loads(PACKAGES.read_text())
        self.used = []

    def fetch(self, package):
        """The folder of a module, its digest checked."""
        name = f"{package['module']}@{package['version']}"
        found = json.loads(go("mod", "download", "-json", name))
        if found["Sum"] != package.get("digest"):
            message = f"{name} has the digest {found['Sum']}, not {package.get('digest')}"
            if not self.accept:
                sys.exit(f"error: {message}")
            print(f"accepted: {message}")
            package["digest"] = found["Sum"]
        self.used.append(package)
        return pathlib.Path(found["Dir"])

    def file(self, package):
        return self.fetch(package) / package["path"]

    def save(self):
        if self.accept:
            PACKAGES.write_text(json.dumps(self.all, indent=1) + "\n")


def generate(packages, package, generator, out):
    """The CustomResourceDefinitions of a Go module with API types."""
    folder = packages.fetch(package)
    versions = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name.startswith("v"))
    with tempfile.TemporaryDirectory() as work:
        imports = "".join(f'import _ "{package["module"]}/{v}"\n' for v in versions)
        pathlib.Path(work, "crds.go").write_text("package crds\n" + imports)
        pathlib.Path(work, "go.mod").write_text(
            f"module crds\n\ngo 1.26\n\nrequire {package['module']} {package['version']}\n")
        go("mod", "tidy", cwd=work)
        paths = [f"paths={package['module']}/{v}" for v in versions]
        subprocess.run([generator, "crd", *paths, f"output:crd:dir={out}"], check=True, cwd=work,
                       env=dict(os.environ, GONOSUMDB="*", GOFLAGS="-mod=mod"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accept", action="store_true", help="take other digests, and note them")
    packages = Packages(parser.parse_args().accept)
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--example", "pack-schemas"],
                   check=True, cwd=ROOT)

    def pack(*args):
        subprocess.run([ROOT / "target/debug/examples/pack-schemas", *args], check=True)

    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        kustomize = [packages.file(p) for p in packages.all["kustomize"]]
        pack("kustomize", *kustomize, SCHEMAS)

        kubernetes = [f"{minor}={packages.file(p)}"
                      for minor, p in packages.all["kubernetes"].items()]
        pack("kubernetes", SCHEMAS / "kubernetes.pack", *kubernetes)

        generator = packages.all["generator"]
        packages.fetch(generator)
        go("install", f"{generator['module']}/cmd/controller-gen@{generator['version']}",
           GOBIN=str(work))
        flux = []
        for minor, modules in packages.all["flux"].items():
            out = work / minor
            for package in modules:
                generate(packages, package, work / "controller-gen", out)
            flux.append(f"{minor}={out}")
        pack("crds", SCHEMAS / "flux.pack", *flux)

        catalog = []
        for package in packages.all["catalog"]:
            if package["path"] == "types":
                out = work / package["version"]
                generate(packages, package, work / "controller-gen", out)
                catalog.append(f"0={out}")
            else:
                folder = packages.fetch(package)
                catalog += [f"0={folder / path}" for path in package["path"].split()]
        pack("crds", SCHEMAS / "catalog.pack", *catalog)

    packages.save()
    lines = ["Made by schemas/tools/make.py from published Go modules. Each line: module,",
             "version, digest (as in go.sum), licence, and what was taken from it.", ""]
    for package in packages.used:
        lines.append("{module} {version} {digest} {licence} {path}".format(**package))
    (SCHEMAS / "PROVENANCE").write_text("\n".join(lines) + "\n")


main()
