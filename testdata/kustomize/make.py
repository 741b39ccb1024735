#!/usr/bin/env python3
"""make.py KUSTOMIZE: writes what kustomize prints into the files in built/."""

import pathlib
import re
import subprocess
import sys
import tempfile

for case in sorted(pathlib.Path(__file__).parent.glob("built/*.txtar")):
    parts = re.split(r"(?m)^-- (.+) --\n", case.read_text())[1:]
    files = {k: v for k, v in zip(parts[::2], parts[1::2]) if k != "expected.yaml"}
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = pathlib.Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        command = [sys.argv[1], "build", folder]
        files["expected.yaml"] = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    case.write_text("".join(f"-- {k} --\n{v}" for k, v in files.items()))
