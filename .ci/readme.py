#!/usr/bin/env python3
"""Prints the two set-up commands of the README, each on a line.

They are the first two fenced `sh` blocks; a block of several lines is joined
with `&&`, lines that end in a backslash with what follows.
"""
import pathlib
import re

readme = pathlib.Path(__file__).resolve().parent.parent / "README.md"
blocks = re.findall(r"^```sh\n(.*?)^```", readme.read_text(), re.M | re.S)
if len(blocks) < 2:
    raise SystemExit("README.md: two fenced sh blocks are wanted")
for block in blocks[:2]:
    block = re.sub(r"\\\n\s*", "", block)
    print(" && ".join(line for line in block.splitlines() if line.strip()))
