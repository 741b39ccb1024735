#!/usr/bin/env python3
"""Whole commands beside the references, in one run.

    benches/compare.py [REPOSITORY [ENTRY]]

REPOSITORY (default: testdata/fleet) is a folder with a Flux repository, ENTRY
the folder in it that is bootstrapped (default: what `fluxwright build` finds).
The program is FLUXWRIGHT (default: target/release/fluxwright); the references
are KUBECTL and FLUX, each the path of a program, and what is not given is
passed over with a message. RUNS is how often each is run; the best counts.

Prints a table: seconds, the most memory of any process, and the ratio.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("FLUXWRIGHT", ROOT / "target/release/fluxwright")
RUNS = int(os.environ.get("RUNS", "5"))
COPIES = 100
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def run(command, folder):
    """Seconds and peak bytes of a command; it may fail, as a reference may."""
    start = time.perf_counter()
    null = subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=folder, stdin=null, stdout=null, stderr=null)
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def measure(commands, folder, runs=RUNS):
    """The best of some runs of commands, one after the other."""
    best, memory = float("inf"), 0
    for _ in range(runs):
        results = [run([str(part) for part in command], folder) for command in commands]
        best = min(best, sum(seconds for seconds, _ in results))
        memory = max(memory, *(peak for _, peak in results))
    return best, memory


def row(name, result, base=None):
    seconds, memory = result
    ratio = f"{seconds / base[0]:8.1f}x" if base else ""
    print(f"{name:58} {seconds:9.3f} s {memory / 2**20:7.0f} MiB {ratio}", flush=True)


def reference(variable):
    program = os.environ.get(variable)
    if not program:
        print(f"({variable} is not given: its rows are left out)")
    return program


def overlays(repository):
    kubectl = reference("KUBECTL")
    folders = sorted({p.parent for p in repository.rglob("*") if p.name in NAMES})
    components = "kind: Component"
    folders = [
        folder
        for folder in folders
        if not any(components in (folder / n).read_text() for n in NAMES if (folder / n).exists())
    ]
    ours = measure([[PROGRAM, "kustomize", f] for f in folders], repository)
    row(f"{len(folders)} overlays, a process each: fluxwright", ours)
    row("  a process that does nothing", measure([["true"]] * len(folders), repository))
    if kubectl:
        theirs = measure([[kubectl, "kustomize", f] for f in folders], repository, 1)
        row("  kubectl kustomize", theirs, ours)


def cluster(repository, entry):
    flux = reference("FLUX")
    command = [PROGRAM, "build", *entry, "--kind", "Kustomization", "--strict-substitute=false"]
    ours = measure([command], repository)
    row("all Kustomizations of a cluster, one build: fluxwright", ours)
    row("  --jobs 1", measure([[*command, "--jobs", "1"]], repository))
    if not flux:
        return ours
    commands = []
    for file in repository.rglob("*.yaml"):
        for text in file.read_text(errors="replace").split("\n---"):
            path = re.search(r"(?m)^  path: \"?([^\"\s]+)", text)
            name = re.search(r"(?m)^  name: (?:&\w+ )?([\w.-]+)", text)
            if "kustomize.toolkit.fluxcd.io" in text and path and name:
                if (repository / path[1]).is_dir():
                    commands.append(
                        [flux, "build", "kustomization", name[1], "--dry-run"]
                        + ["--path", path[1], "--kustomization-file", file]
                    )
    theirs = measure(commands, repository, 1)
    row(f"  flux build kustomization, {len(commands)} of them", theirs, ours)
    return ours


def copies(repository, one):
    """The repository many times, each copy an entry point of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder)
        for i in range(COPIES):
            copy = target / f"copy{i}"
            shutil.copytree(repository, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            for file in copy.rglob("*.yaml"):
                text = file.read_text(errors="replace")
                file.write_text(re.sub(r"(?m)^(  path: [\"']?)(\./)?(?=[\w])", rf"\1./copy{i}/", text))
        (target / ".fluxwright.yaml").write_text("{}\n")
        command = [PROGRAM, "build", "--kind", "Kustomization", "--strict-substitute=false"]
        runs = max(1, RUNS // 2)
        two = measure([command], target, runs)
        row(f"{COPIES} copies of it, one build", two, one)
        row("  --jobs 1", measure([[*command, "--jobs", "1"]], target, runs), two)
        row("  --jobs 2", measure([[*command, "--jobs", "2"]], target, runs), two)


def objects(count=4000):
    """One kustomization of many objects, with what touches each of them."""
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder)
        names = []
        for i in range(count // 2):
            names.append(f"app-{i}.yaml")
            (target / names[-1]).write_text(
                f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{i}
spec:
  template:
    spec:
      containers:
      - name: app
        image: nginx:1
        envFrom:
        - configMapRef:
            name: app-{i}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: app-{i}
data:
  key: value-{i}
"""
            )
        listed = "".join(f"- {name}\n" for name in names)
        (target / "kustomization.yaml").write_text(
            "namespace: prod\nnamePrefix: p-\nlabels:\n- pairs: {app: many}\n"
            f"  includeSelectors: true\nresources:\n{listed}"
        )
        ours = measure([[PROGRAM, "kustomize", "."]], target)
        row(f"{count} objects in one kustomization: fluxwright", ours)
        if kubectl := os.environ.get("KUBECTL"):
            row("  kubectl kustomize", measure([[kubectl, "kustomize", "."]], target, 1), ours)


def main():
    repository = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "testdata/fleet")
    repository = repository.resolve()
    overlays(repository)
    one = cluster(repository, sys.argv[2:3])
    copies(repository, one)
    objects()


main()
