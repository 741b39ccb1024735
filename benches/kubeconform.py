#!/usr/bin/env python3
"""Schemas beside kubeconform: the same files, the same schemas, one run.

    benches/kubeconform.py SWAGGER [FILE_OR_FOLDER]...

SWAGGER is `api/openapi-spec/swagger.json` of the Go module `k8s.io/kubernetes`
(`go mod download -json k8s.io/kubernetes@v1.36.3` prints where it is), and KUBE
the minor version that it is of (default 1.36). From it one JSON schema is
written for each kind of Kubernetes, in kubeconform's own layout, closed as its
strict mode wants them. Without files, 200 manifests of common kinds are made,
each with ten objects. The programs are FLUXWRIGHT (default:
target/release/fluxwright) and KUBECONFORM (left out, with a message, where it
is not given); each runs RUNS times, in turns, on all processors, and the best
counts.

Prints objects, seconds on the clock and of processor time, and objects per
second; kubeconform reads its schemas from the folder, fluxwright has its own.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("FLUXWRIGHT", str(ROOT / "target/release/fluxwright"))
KUBE = os.environ.get("KUBE", "1.36")
RUNS = int(os.environ.get("RUNS", "5"))
PREFIX = "#/definitions/"
COUNT = 200

OBJECTS = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web-%d, namespace: apps, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1.0.0
        ports: [{containerPort: 8080, name: http}]
        env: [{name: A, value: b}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        resources: {limits: {cpu: 100m, memory: 64Mi}}
        livenessProbe: {httpGet: {path: /, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: web-%d, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-%d, namespace: apps}
data: {a: b, c: d}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web-%d, namespace: apps}
spec:
  rules:
  - host: web.example.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web-%d, namespace: apps}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get, list]}]
"""


def manifests(folder):
    """Files of ten objects each."""
    for i in range(COUNT):
        text = "---\n".join(OBJECTS % ((i * 2 + k,) * 5) for k in range(2))
        (folder / f"{i}.yaml").write_text(text)


def inline(node, definitions, open_):
    """A schema without references; one that refers to itself ends in anything."""
    if isinstance(node, list):
        return [inline(item, definitions, open_) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix(PREFIX)
        if name in open_:
            return {}
        return inline(definitions[name], definitions, open_ | {name})
    if node.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    if node.get("type") == "string" and "Quantity is a fixed-point" in node.get("description", ""):
        return {"type": ["number", "string"]}
    found = {
        key: inline(value, definitions, open_)
        for key, value in node.items()
        if key not in ("description", "properties") and not key.startswith("x-kubernetes")
    }
    if "properties" in node:
        # Their names may be those of keywords.
        found["properties"] = {
            name: inline(schema, definitions, open_)
            for name, schema in node["properties"].items()
        }
        found["additionalProperties"] = False
        required = set(node.get("required", []))
        for name, schema in found["properties"].items():
            if name not in required and isinstance(schema.get("type"), str):
                schema["type"] = [schema["type"], "null"]
    return found


def schemas(swagger, folder):
    """One file for each kind, named as kubeconform looks for it."""
    definitions = json.loads(swagger.read_text())["definitions"]
    for name, definition in definitions.items():
        for gvk in definition.get("x-kubernetes-group-version-kind", []):
            group = gvk["group"].split(".")[0]
            parts = [gvk["kind"].lower(), group, gvk["version"]]
            path = folder / ("-".join(part for part in parts if part) + ".json")
            path.write_text(json.dumps(inline(definition, definitions, frozenset([name]))))


def run(command):
    """Clock and processor time, and whether it was content."""
    start = time.perf_counter()
    null = subprocess.DEVNULL
    child = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, child.returncode


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = sys.argv[2:]
        if not files:
            (folder / "files").mkdir()
            manifests(folder / "files")
            files = [str(folder / "files")]
        paths = [pathlib.Path(file) for file in files]
        every = [p for path in paths for p in (sorted(path.rglob("*.yaml")) if path.is_dir() else [path])]
        count = sum(1 for p in every for line in p.read_text().splitlines() if line.startswith("kind:"))
        commands = {"fluxwright": [PROGRAM, "check", "schema", "--kube-version", KUBE, *files]}
        kubeconform = os.environ.get("KUBECONFORM")
        if kubeconform:
            (folder / "schemas").mkdir()
            schemas(pathlib.Path(sys.argv[1]), folder / "schemas")
            location = f"{folder}/schemas/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
            threads = str(os.cpu_count())
            commands["kubeconform"] = [kubeconform, "-strict", "-n", threads, "-schema-location", location, *files]
        else:
            print("(KUBECONFORM is not given: its row is left out)")
        best = {}
        for _ in range(RUNS):
            for name, command in commands.items():
                clock, processor, code = run(command)
                if code != 0:
                    sys.exit(f"{name} is not content with the files: {code}")
                old = best.get(name, (clock, processor))
                best[name] = (min(old[0], clock), min(old[1], processor))
        for name, (clock, processor) in best.items():
            print(
                f"{name:12} {count} objects {clock:8.3f} s clock {processor:8.3f} s CPU "
                f"{count / clock:10.0f} objects/s {count / processor:10.0f} objects/CPU-s"
            )


if __name__ == "__main__":
    main()
