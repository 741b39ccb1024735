#!/usr/bin/env python3
"""Families of rules over repositories that are made for it.

    benches/rules.py [KUSTOMIZATIONS [BINDINGS OBJECTS]]

Makes a repository of many Kustomizations that depend on each other, and one of
many bindings and objects, and measures `check` with the family and with a rule
that looks at nothing: the difference is what the family takes, without reading
and rendering. Processor time counts, of all threads; the best of RUNS. The
program is FLUXWRIGHT (default: target/release/fluxwright).
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("FLUXWRIGHT", ROOT / "target/release/fluxwright")
RUNS = int(os.environ.get("RUNS", "3"))

SOURCE = """apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1m
  url: ssh://git@git.example.com/fleet
  ref: {branch: main}
  secretRef: {name: flux-system}
---
"""


def kustomization(name, path, depends=(), more=""):
    """A Flux Kustomization of this repository."""
    edges = "".join(f"  - name: {other}\n" for other in depends)
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\nspec:\n  interval: 10m\n"
        f"  path: {path}\n  prune: true\n{more}"
        "  sourceRef: {kind: GitRepository, name: flux-system}\n"
        + (f"  dependsOn:\n{edges}" if edges else "")
        + "---\n"
    )


def write(root, path, text):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def entry(root):
    write(
        root,
        "clusters/prod/flux-system/gotk-sync.yaml",
        SOURCE + kustomization("flux-system", "./clusters/prod"),
    )


def graph(root, count):
    """Each Kustomization depends on up to three that come before it."""
    chance = random.Random(count)
    entry(root)
    lines = []
    for i in range(count):
        before = sorted(chance.sample(range(i), min(i, chance.randrange(4))))
        lines.append(kustomization(f"k{i}", f"./apps/k{i}", [f"k{other}" for other in before]))
        config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{i}, namespace: apps}}\n"
        write(root, f"apps/k{i}/config.yaml", config)
    write(root, "clusters/prod/apps.yaml", "".join(lines))


def rights(root, bindings, objects):
    """Accounts with a Role each, and objects that they apply."""
    entry(root)
    roles, lines = [], []
    api = "apiVersion: rbac.authorization.k8s.io/v1\n"
    for i in range(bindings):
        place = f"namespace: team-{i}"
        roles.append(
            f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: team-{i}, {place}}}\n---\n"
            f"{api}kind: Role\nmetadata: {{name: apply, {place}}}\nrules:\n"
            "- apiGroups: ['']\n  resources: [configmaps]\n"
            "  verbs: [get, list, watch, create, patch, delete]\n---\n"
            f"{api}kind: RoleBinding\nmetadata: {{name: apply, {place}}}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: apply}\n"
            f"subjects: [{{kind: ServiceAccount, name: team-{i}, {place}}}]\n---\n"
        )
        sync = kustomization(f"team-{i}", f"./teams/{i}", more=f"  serviceAccountName: team-{i}\n")
        sync = sync.replace("namespace: flux-system}\nspec", f"{place}}}\nspec", 1)
        lines.append(sync.replace("name: flux-system}", "name: flux-system, namespace: flux-system}"))
        share = range(i, objects, bindings)
        items = [
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}, {place}}}\n---\n" for n in share
        ]
        write(root, f"teams/{i}/all.yaml", "".join(items))
    write(root, "clusters/prod/rights.yaml", "".join(roles))
    write(root, "clusters/prod/teams.yaml", "".join(lines))


def seconds(root, rule):
    """The least processor time of a check with one rule or family."""
    best = float("inf")
    command = [str(PROGRAM), "check", str(root), "--rule", rule, "--fail-on", "never", "--no-cache"]
    for _ in range(RUNS):
        null = subprocess.DEVNULL
        child = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best


def compare(name, make, rule):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        make(root)
        nothing = seconds(root, "config")
        family = seconds(root, rule)
        print(f"{name:50} rendering {nothing:7.2f} s   {rule}/ {family - nothing:7.2f} s", flush=True)


def main():
    numbers = [int(text) for text in sys.argv[1:]]
    count, bindings, objects = (numbers + [10_000, 1_000, 50_000][len(numbers) :])[:3]
    compare(f"{count} Kustomizations", lambda root: graph(root, count), "dag")
    compare(
        f"{bindings} bindings, {objects} objects",
        lambda root: rights(root, bindings, objects),
        "rbac",
    )


if __name__ == "__main__":
    main()
