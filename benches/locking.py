#!/usr/bin/env python3
"""Locking many sources, whose servers take their time.

    benches/locking.py [SOURCES [MILLISECONDS]]

Serves as many Helm repositories and raw files on loopback (default: 100 of each),
each answer after a pause (default: 20 ms), and measures `lock` with an empty
store, beside the same requests made one after another. The program is
FLUXWRIGHT (default: target/release/fluxwright); the best of RUNS.
"""

import http.server
import io
import os
import pathlib
import resource
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("FLUXWRIGHT", ROOT / "target/release/fluxwright")
RUNS = int(os.environ.get("RUNS", "3"))

INDEX = b"""apiVersion: v1
entries:
  web:
  - name: web
    version: 1.0.0
    urls: [web-1.0.0.tgz]
"""

SYNC = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1h
  path: ./cluster
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: remotes, namespace: flux-system}
spec:
  interval: 1h
  path: ./remotes
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""

SOURCE = """apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: app{i}, namespace: flux-system}}
spec: {{interval: 1h, url: "{address}/app{i}"}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: app{i}, namespace: flux-system}}
spec:
  interval: 1h
  chart:
    spec:
      chart: web
      version: 1.x
      sourceRef: {{kind: HelmRepository, name: app{i}}}
"""


def archive():
    """A chart with one template."""
    files = {
        "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "web/templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n",
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def serve(pause, chart):
    """A server whose every answer takes a while; it, and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(self.path)
            time.sleep(pause)
            name = self.path.rsplit("/", 1)[-1]
            if name == "index.yaml":
                body = INDEX
            elif name.endswith(".tgz"):
                body = chart
            else:
                body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name[:-5]}}}\n".encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", asked


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    pause = (int(sys.argv[2]) if len(sys.argv) > 2 else 20) / 1000
    address, asked = serve(pause, archive())
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder, "repository")
        for part in ("cluster", "remotes"):
            pathlib.Path(root, part).mkdir(parents=True)
        pathlib.Path(root, ".fluxwright.yaml").write_text("entries:\n- path: cluster\n")
        pathlib.Path(root, "cluster/sync.yaml").write_text(SYNC)
        for i in range(count):
            text = SOURCE.format(i=i, address=address)
            pathlib.Path(root, f"cluster/app{i}.yaml").write_text(text)
        names = "".join(f"- {address}/files/map{i}.yaml\n" for i in range(count))
        pathlib.Path(root, "remotes/kustomization.yaml").write_text(f"resources:\n{names}")
        best, work = float("inf"), 0.0
        for run in range(RUNS):
            pathlib.Path(root, "fluxwright.lock").unlink(missing_ok=True)
            asked.clear()
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            store = pathlib.Path(folder, f"store{run}")
            subprocess.run([PROGRAM, "lock", root, "--store", store], check=True, stdout=subprocess.DEVNULL)
            took, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            if took < best:
                best, work = took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        paths = list(asked)
    start = time.monotonic()
    for path in paths:
        with urllib.request.urlopen(address + path) as answer:
            answer.read()
    one_by_one = time.monotonic() - start
    print(f"{len(paths)} requests, {pause * 1000:.0f} ms each")
    print(f"one after another  {one_by_one:6.2f} s")
    print(f"lock               {best:6.2f} s  ({work:.2f} s of processor time)")
    print(f"faster by          {one_by_one / best:6.1f} times")


if __name__ == "__main__":
    main()
