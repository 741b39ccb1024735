#!/usr/bin/env python3
"""Whole commands beside the references, in one run.

    benches/compare.py [REPOSITORY] [--entry DIR] [--arguments FILE]
                       [--charts DIR] [--only PART]...

REPOSITORY (default: testdata/fleet) is a folder with a Flux repository, and
--entry the folder in it that is bootstrapped (default: what `build` finds).
FILE holds further arguments of `build`, one on each line: --local-sources with
the charts of the releases, --substitute. --charts names a folder of charts,
each a folder or an archive, or a folder with the chart in `chart`.

The program is FLUXWRIGHT (default: target/release/fluxwright); the references
are KUBECTL, HELM and FLUX, each the path of a program, and what is not given is
passed over with a message. RUNS is how often each is run, in turns; the best
counts.

Prints a table: seconds on the clock, seconds of processor time, the most memory
of any process, and how many times the first row of a block each other is.
Linux counts what this script holds for each process that it starts: memory of
less than that is shown as such.
"""

import argparse
import contextlib
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("FLUXWRIGHT", ROOT / "target/release/fluxwright")
RUNS = int(os.environ.get("RUNS", "5"))
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# What an RSA key looks like in a manifest, and encoded in a Secret.
KEYS = (b"BEGIN RSA PRIVATE KEY", b"LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt")


def run(command, folder):
    """Clock, processor time and peak bytes of a command; it may fail, as a
    reference may."""
    start = time.perf_counter()
    null = subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=folder, stdin=null, stdout=null, stderr=null)
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    clock = time.perf_counter() - start
    return clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def block(rows, folder, runs=RUNS, before=lambda turn: None):
    """Prints rows of (name, commands): run in turns, so that what else the
    machine does falls on all of them. The commands of a row run one after the
    other; `before` is called with the number of each turn."""
    best = {name: (float("inf"), float("inf"), 0) for name, _ in rows}
    for turn in range(runs):
        before(turn)
        for name, commands in rows:
            # References are slow: twice is enough.
            if turn >= 2 and "fluxwright" not in name:
                continue
            results = [run([str(part) for part in command], folder) for command in commands]
            clock, processor, peak = best[name]
            best[name] = (
                min(clock, sum(r[0] for r in results)),
                min(processor, sum(r[1] for r in results)),
                max(peak, *(r[2] for r in results)),
            )
    first = None
    for name, _ in rows:
        clock, processor, peak = best[name]
        ratio = f"{clock / first[0]:8.1f}x {processor / first[1]:8.1f}x" if first else ""
        first = first or best[name]
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        memory = f"{'<' if peak <= own else ''}{peak / 2**20:.0f}"
        print(f"| {name:60} | {clock:8.3f} | {processor:8.3f} | {memory:>6} | {ratio:19} |", flush=True)
    return first


def given(variable):
    """The path of a reference; a message where it is not given."""
    program = os.environ.get(variable)
    if not program:
        print(f"({variable} is not given: its rows are left out)", flush=True)
    return program


def overlays(arguments):
    """Each kustomization of the repository, a process each."""
    folders = sorted({p.parent for p in arguments.repository.rglob("*") if p.name in NAMES})
    component = "kind: Component"
    folders = [
        folder
        for folder in folders
        if not any(component in (folder / n).read_text() for n in NAMES if (folder / n).exists())
    ]
    rows = [
        (f"fluxwright kustomize, {len(folders)} overlays, a process each", [[PROGRAM, "kustomize", f] for f in folders]),
        ("  a process that does nothing, as often", [["true"]] * len(folders)),
    ]
    if kubectl := given("KUBECTL"):
        rows.append(("  kubectl kustomize", [[kubectl, "kustomize", f] for f in folders]))
    block(rows, arguments.repository)


def cluster(arguments):
    """One cluster, its Kustomizations and the whole of it."""
    # What an earlier run kept is not what is measured.
    base = [PROGRAM, "build", "--no-cache", *arguments.entry, *arguments.further]
    kustomizations = [*base, "--kind", "Kustomization"]
    rows = [
        ("fluxwright build --kind Kustomization", [kustomizations]),
        ("  fluxwright … --jobs 1", [[*kustomizations, "--jobs", "1"]]),
    ]
    if flux := given("FLUX"):
        commands = list(of_flux(flux, arguments.repository))
        rows.append((f"  flux build kustomization, {len(commands)} of them", commands))
    block(rows, arguments.repository)
    rows = [
        ("fluxwright build", [base]),
        ("  fluxwright … --jobs 2", [[*base, "--jobs", "2"]]),
        ("  fluxwright … --jobs 1", [[*base, "--jobs", "1"]]),
    ]
    block(rows, arguments.repository)


def of_flux(flux, repository):
    """The command of the Flux CLI for each Kustomization."""
    for file in sorted(repository.rglob("*.yaml")):
        for text in file.read_text(errors="replace").split("\n---"):
            path = re.search(r"(?m)^  path: \"?([^\"\s]+)", text)
            name = re.search(r"(?m)^  name: (?:&\w+ )?([\w.-]+)", text)
            if "kustomize.toolkit.fluxcd.io" in text and path and name:
                if (repository / path[1]).is_dir():
                    yield (
                        [flux, "build", "kustomization", name[1], "--dry-run"]
                        + ["--path", path[1], "--kustomization-file", file]
                    )


def copies(arguments):
    """The repository once, and a hundred times, each copy an entry point."""
    if not arguments.entry:
        print("(--entry is not given: the copies are left out)", flush=True)
        return
    entry = arguments.entry[0]
    for count in (1, 100):
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder)
            entries = []
            for i in range(count):
                copy = target / f"copy{i}"
                ignored = shutil.ignore_patterns(".git")
                shutil.copytree(arguments.repository, copy, symlinks=True, ignore=ignored)
                for file in copy.rglob("*.yaml"):
                    text = file.read_text(errors="replace")
                    text = re.sub(r"(?m)^(  path: [\"']?)(\./)?(?=\w)", rf"\1./copy{i}/", text)
                    file.chmod(0o644)
                    file.write_text(text)
                entries.append(f"- name: copy{i}\n  path: copy{i}/{entry}\n")
            (target / ".fluxwright.yaml").write_text("entries:\n" + "".join(entries))
            command = [PROGRAM, "build", "--no-cache", "--kind", "Kustomization", "--strict-substitute=false"]
            rows = [(f"fluxwright build --kind Kustomization, {count} of the repository", [command])]
            if count > 1:
                rows.append(("  fluxwright … --jobs 1", [[*command, "--jobs", "1"]]))
            block(rows, target, max(1, RUNS // 2))


@contextlib.contextmanager
def committed(arguments):
    """A copy of the repository with one commit, and a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "repository"
        ignored = shutil.ignore_patterns(".git")
        shutil.copytree(arguments.repository, target, symlinks=True, ignore=ignored)
        for step in (["init", "--quiet"], ["add", "--all", "--force"], ["commit", "--quiet", "--message", "base"]):
            who = ["-c", "user.name=bench", "-c", "user.email=bench@fleet.example"]
            subprocess.run(["git", *who, *step], cwd=target, check=True)
        os.environ["FLUXWRIGHT_STORE"] = str(pathlib.Path(folder) / "store")
        yield target


def edits(arguments):
    """A scalar of each file changed, one file after the other, and each file gone, or
    no YAML any more: how long `diff` takes, beside a build."""
    chance = random.Random(7)
    with committed(arguments) as target:
        build = [PROGRAM, "build", "--no-cache", *arguments.entry, *arguments.further]
        diff = [PROGRAM, "diff", "--base", "HEAD", *arguments.entry, *arguments.further]
        full = min(run(build, target)[0] for _ in range(RUNS))
        run(diff, target)
        gone, broken = "--no-cache, the file gone", "--no-cache, the file no YAML"
        took = {"the base in the cache": [], "--no-cache": [], gone: [], broken: []}

        def without_cache(kind, file):
            seconds = min(run([*diff, "--no-cache"], target)[0] for _ in range(2))
            took[kind].append((seconds, file.relative_to(target)))

        for file in sorted(target.rglob("*.yaml")):
            content = file.read_bytes()
            file.unlink()
            without_cache(gone, file)
            file.write_bytes(content + b"\n{: [\n")
            without_cache(broken, file)
            file.write_bytes(content)
            text = file.read_text(errors="replace")
            places = list(re.finditer(r"(?m)^(?! *(?:#|apiVersion|kind)).*?: +(?=\w)", text))
            if not places:
                continue
            at = chance.choice(places).end()
            file.write_text(f"{text[:at]}x{text[at:]}")
            # The first run is the one that nothing is kept of.
            took["the base in the cache"].append((run(diff, target)[0], file.relative_to(target)))
            without_cache("--no-cache", file)
            file.write_bytes(content)
        for name, runs in took.items():
            seconds = sorted(second for second, _ in runs)
            slower = sorted(((second, file) for second, file in runs if second > full), reverse=True)
            print(
                f"diff of {len(seconds)} changes, {name}: median {seconds[len(seconds) // 2]:.3f} s, "
                f"95 % within {seconds[len(seconds) * 95 // 100]:.3f} s, all within {seconds[-1]:.3f} s; "
                f"{len(slower)} slower than a build, which takes {full:.3f} s",
                flush=True,
            )
            for second, file in slower:
                print(f"  {second:.3f} s: {file}", flush=True)


def changes(arguments):
    """What changes of the repository do, beside a build of it."""
    with committed(arguments) as target:
        releases = {}
        for file in sorted(target.rglob("*.yaml")):
            text = file.read_text(errors="replace")
            if re.search(r"(?m)^kind: HelmRelease", text):
                file.chmod(0o644)
                releases[file] = text
        build = [PROGRAM, "build", "--no-cache", *arguments.entry, *arguments.further]
        diff = [PROGRAM, "diff", "--base", "HEAD", *arguments.entry, *arguments.further]
        tag = r"(?m)^( +tag: *[\"']?)(?=\w)"
        tagged = [file for file, text in releases.items() if re.search(tag, text)]
        if tagged:
            file, text = tagged[0], releases[tagged[0]]
            rows = [
                ("fluxwright build --no-cache", [build]),
                ("  fluxwright diff --no-cache, another image in one release", [[*diff, "--no-cache"]]),
                ("  fluxwright diff, the base in the cache", [diff]),
                ("  fluxwright diff, the same again", [diff]),
            ]
            other = lambda turn: file.write_text(re.sub(tag, rf"\g<1>{turn}", text, count=1))
            block(rows, target, before=other)
            file.write_text(text)
        for what, edit in (("label", labelled), ("value", valued)):
            for file, text in releases.items():
                file.write_text(edit(text))
            rows = [
                ("fluxwright build --no-cache", [build]),
                (f"  fluxwright diff --no-cache, another {what} in all releases", [[*diff, "--no-cache"]]),
            ]
            block(rows, target)


def labelled(release):
    """A HelmRelease with a label more on all of its objects."""
    return re.sub(r"(?m)^spec:$", "spec:\n  commonMetadata: {labels: {bench: changed}}", release)


def valued(release):
    """A HelmRelease with a value more."""
    if re.search(r"(?m)^  values:$", release):
        return re.sub(r"(?m)^  values:$", "  values:\n    bench: changed", release)
    return re.sub(r"(?m)^spec:$", "spec:\n  values: {bench: changed}", release)


def objects(_, count=4000):
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
        rows = [(f"fluxwright kustomize, {count} objects that refer to each other", [[PROGRAM, "kustomize", "."]])]
        if kubectl := given("KUBECTL"):
            rows.append(("  kubectl kustomize", [[kubectl, "kustomize", "."]]))
        block(rows, target)


def large(_, megabytes=50):
    """One large file, read, built and printed."""
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder)
        lines = "".join(f"  key-{i}: a value of some length, as values are ({i})\n" for i in range(2000))
        document = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: large-{}\ndata:\n" + lines
        count = megabytes * 1_000_000 // len(document)
        # In pieces: what this script holds counts as held by what it starts.
        with (target / "large.yaml").open("w") as file:
            for i in range(count):
                file.write("---\n" + document.replace("{}", str(i)))
        (target / "kustomization.yaml").write_text("resources: [large.yaml]\n")
        rows = [(f"fluxwright kustomize, a file of {megabytes} MB", [[PROGRAM, "kustomize", "."]])]
        block(rows, target, min(RUNS, 2))


def charts(arguments):
    """The default values of each chart, a process each."""
    if not arguments.charts:
        print("(--charts is not given: the charts are left out)", flush=True)
        return
    found = []
    for path in sorted(arguments.charts.iterdir()):
        for chart in (path, path / "chart"):
            if chart.suffix == ".tgz" or (chart / "Chart.yaml").exists():
                found.append(chart)
    plain, keys = [], []
    for chart in found:
        command = [PROGRAM, "template", "release", chart]
        (keys if prints_keys(command) else plain).append(chart)
    helm = given("HELM")
    for name, some in (("charts", plain), ("charts that make RSA keys", keys)):
        if not some:
            continue
        rows = [
            (f"fluxwright template, {len(some)} {name}, a process each", [[PROGRAM, "template", "release", c] for c in some])
        ]
        if helm:
            rows.append(("  helm template", [[helm, "template", "release", c] for c in some]))
        block(rows, arguments.charts)
    for chart in found:
        if "kube-prometheus-stack" in str(chart):
            rows = [("fluxwright template, kube-prometheus-stack", [[PROGRAM, "template", "release", chart]])]
            if helm:
                rows.append(("  helm template", [[helm, "template", "release", chart]]))
            block(rows, arguments.charts)


def prints_keys(command):
    with tempfile.TemporaryFile() as printed:
        subprocess.run(command, stdout=printed, stderr=subprocess.DEVNULL, check=False)
        printed.seek(0)
        return any(key in line for line in printed for key in KEYS)


PARTS = {part.__name__: part for part in (overlays, cluster, changes, edits, copies, objects, large, charts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", type=pathlib.Path, default=ROOT / "testdata/fleet")
    parser.add_argument("--entry", nargs=1, default=[])
    parser.add_argument("--arguments", type=pathlib.Path)
    parser.add_argument("--charts", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=PARTS)
    arguments = parser.parse_args()
    arguments.repository = arguments.repository.resolve()
    arguments.charts = arguments.charts and arguments.charts.resolve()
    arguments.further = ["--strict-substitute=false"]
    if arguments.arguments:
        arguments.further += arguments.arguments.read_text().splitlines()
    print(f"{shlex.join([str(PROGRAM)])}, best of {RUNS}, {os.cpu_count()} processors")
    print(f"| {'':60} | {'clock s':>8} | {'CPU s':>8} | {'MiB':>6} | {'clock, CPU':>19} |")
    for part in arguments.only or PARTS:
        PARTS[part](arguments)


if __name__ == "__main__":
    main()
