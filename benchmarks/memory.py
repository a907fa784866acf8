"""What requests leave behind in memory: the second half of many against nothing.

    python benchmarks/memory.py --requests 100000

``resident`` is what the system gave to the process, ``traced`` what Python's allocator handed out.
A test is one unit to the guard, so all the requests are made in a single one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tools import NONE, TOOLS, Tool, command, environment, versions, write_suite

Look = tuple[int, ...]
"""Requests so far, resident bytes, traced bytes."""


def looks(tool: Tool, requests: int, suspects: int) -> list[Look]:
    """``suspects`` of a hundred requests make a call that is found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(tool, "memory", folder, threshold=0.1)
        done = subprocess.run(
            command(tool, "test_memory.py"),
            cwd=folder,
            env={
                **environment(tool),
                "MEMORY_REQUESTS": str(requests),
                "MEMORY_SUSPECTS": str(suspects),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if not (folder / "memory.json").exists():
            sys.exit(f"{tool.name}: the suite did not run\n{done.stdout}{done.stderr}")
        return [
            (each[0], each[1], each[2]) for each in json.loads((folder / "memory.json").read_text())
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="(default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="print every look")
    given = parser.parse_args()
    tools = [NONE, TOOLS["asyncguard"]]
    print(f"{datetime.now(UTC):%Y-%m-%d}: {versions(tools)}, {os.cpu_count()} processors\n")
    print("| | requests | first half: resident | traced | second half: resident | traced |")
    print("| --- | --- | --- | --- | --- | --- |")
    for tool, suspects in itertools.product(tools, (0, 10)):
        seen = looks(tool, given.requests, suspects)
        start, middle, end = seen[0], seen[len(seen) // 2], seen[-1]
        cells = [
            f"{(later[index] - earlier[index]) / 1024:+.0f} KiB"
            for earlier, later in ((start, middle), (middle, end))
            for index in (1, 2)
        ]
        name = f"{tool.name}, {suspects} of 100 with a finding"
        print(f"| {name} | {given.requests} | {' | '.join(cells)} |", flush=True)
        if given.all:
            for requests, resident, traced in seen:
                print(f"    {requests:8} {resident / 1024:10.0f} KiB {traced / 1024:10.0f} KiB")


if __name__ == "__main__":
    main()
