"""Whether the line that is blamed is the line that blocks, for each kind of stall on each loop.

    python benchmarks/attribution.py --runs 100
    python benchmarks/attribution.py --runs 20 --loops asyncio,trio --kinds loop,regex

A stall computes for 200 ms on the CPU's clock, or sleeps as long. A run is right where the test
has one finding and that stands on the line with the comment ``# blocks`` in
``suites/attribution.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools import SUITES, TOOLS, command, environment, versions, write_suite

LOOPS: Final = ("asyncio", "asyncio+debug", "asyncio+eager", "uvloop", "trio")
TOOL: Final = TOOLS["asyncguard"]


def right_lines() -> dict[str, set[int]]:
    """By kind, the lines that may be blamed."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    function = ""
    for number, line in enumerate((SUITES / "attribution.py").read_text().splitlines(), 1):
        if (defined := re.match(r"\s*(?:async )?def (\w+)", line)) is not None:
            function = defined[1]
        if (marked := re.search(r"  # blocks(?:: (\w+))?$", line)) is not None:
            found[marked[1] or function].add(number)
    return found


def sizes(kinds: list[str] | None) -> dict[str, int]:
    script = str(SUITES / "attribution.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout)
    return {name: size for name, size in found.items() if kinds is None or name in kinds}


def blamed(loop: str, runs: int, of_kinds: dict[str, int]) -> dict[str, Counter[str]]:
    """By kind, how often each answer was given: ``right``, or what was said instead."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(TOOL, "attribution", folder, threshold=0.1)
        done = subprocess.run(
            command(TOOL, "--asyncguard-report=json:report.json", "test_attribution.py"),
            cwd=folder,
            env={
                **environment(TOOL),
                "ATTRIBUTION_LOOP": loop,
                "ATTRIBUTION_RUNS": str(runs),
                "ATTRIBUTION_SIZES": json.dumps(of_kinds),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if not (folder / "report.json").exists():
            sys.exit(f"{loop}: the suite did not run\n{done.stdout}{done.stderr}")
        report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    by_test: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for finding in report["findings"]:
        for test in finding["tests"]:
            by_test[test].add((finding["function"], finding["line"]))
    right = right_lines()
    answers: dict[str, Counter[str]] = {}
    for kind in of_kinds:
        said: Counter[str] = Counter()
        for number in range(runs):
            places = by_test[f"test_attribution.py::test_kind[{kind}-{number}]"]
            if len(places) == 1 and {line for _, line in places} <= right[kind]:
                said["right"] += 1
            else:
                told = (f"{function}:{line}" for function, line in sorted(places))
                said[" + ".join(told) or "nothing"] += 1
        answers[kind] = said
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="of each (default: %(default)s)")
    parser.add_argument("--loops", default=",".join(LOOPS), help="(default: %(default)s)")
    parser.add_argument("--kinds", help="comma-separated (default: all)")
    given = parser.parse_args()
    loops = [name for name in given.loops.split(",") if _has(name)]
    of_kinds = sizes(given.kinds.split(",") if given.kinds else None)
    print(f"{datetime.now(UTC):%Y-%m-%d}: {versions([TOOL])}, {os.cpu_count()} processors\n")
    answers = {}
    for loop in loops:
        answers[loop] = blamed(loop, given.runs, of_kinds)
        print(f"<!-- {loop} is done -->", flush=True)
    print(f"| right lines in {given.runs} runs | {' | '.join(loops)} | otherwise |")
    print("| --- |" + " --- |" * (len(loops) + 1))
    for kind in of_kinds:
        others: Counter[str] = sum((answers[loop][kind] for loop in loops), Counter())
        del others["right"]
        told = ", ".join(f"{place} ({count})" for place, count in others.most_common(4))
        cells = [str(answers[loop][kind]["right"]) for loop in loops]
        print(f"| {kind} | {' | '.join(cells)} | {told} |")


def _has(loop: str) -> bool:
    if loop == "asyncio+eager":
        return sys.version_info >= (3, 12)
    return loop in {"asyncio", "asyncio+debug"} or importlib.util.find_spec(loop) is not None


if __name__ == "__main__":
    main()
