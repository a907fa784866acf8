"""Which tool says the same each time: a suite of 50 requests, run again and again under noise.

40 requests compute for 20 to 60 ms, which is below the threshold of 100 ms; 10 sleep or compute
for 150 ms. Noise is six busy processes, or a busy Python thread in the process of the tests.

    python benchmarks/noise.py
    python benchmarks/noise.py --tools asyncguard --runs 50 --thread-runs 20
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tools import NONE, Tool, chosen, command, environment, versions, write_suite

THRESHOLD: Final = 0.1
BUSY: Final = 6
BLOCKING: Final = 10
"""How many tests of the suite block."""

Signature = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run of the suite said."""

    missed: tuple[str, ...]
    invented: tuple[str, ...]
    said: Signature
    starved: int


@contextlib.contextmanager
def busy_processes(number: int) -> Iterator[None]:
    spin = f"import os\nwhile os.getppid() == {os.getpid()}: sum(range(10000))"
    started = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(number)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(tool: Tool, *, thread: bool) -> Outcome:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(tool, "noise", folder, THRESHOLD)
        arguments = ["--junitxml=junit.xml", "test_noise.py"]
        if "--asyncguard" in tool.arguments:
            arguments.append("--asyncguard-report=json:report.json")
        done = subprocess.run(
            command(tool, *arguments),
            cwd=folder,
            env={**environment(tool), "NOISE_THREAD": "1" if thread else ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):
            sys.exit(f"{tool.name}: the suite did not run\n{done.stdout}{done.stderr}")
        failed, passed = _results(folder / "junit.xml")
        said: list[tuple[str, ...]] = [(test,) for test in failed]
        starved = 0
        if (report := folder / "report.json").exists():
            found, starved = _findings(json.loads(report.read_text()))
            said += found
    return Outcome(
        missed=tuple(test for test in passed if "blocking" in test),
        invented=tuple(test for test in failed if "blocking" not in test),
        said=tuple(sorted(said)),
        starved=starved,
    )


def _results(junit: Path) -> tuple[list[str], list[str]]:
    """The tests that failed, and those that passed."""
    failed: list[str] = []
    passed: list[str] = []
    for case in ET.parse(junit).iter("testcase"):
        wrong = case.find("failure") is not None or case.find("error") is not None
        (failed if wrong else passed).append(str(case.get("name")))
    return failed, passed


def _findings(report: dict[str, list[dict[str, object]]]) -> tuple[list[tuple[str, ...]], int]:
    """What was found, and how many of it were requests kept waiting by the busy thread.

    Those are true of one run: how the GIL went round is not the same in the next.
    """
    found = [each for each in report["findings"] if each["rule"] != "starved"]
    names = ("rule", "severity", "function", "fingerprint", "route", "tests")
    said = [tuple(str(each[name]) for name in names) for each in found]
    return said, len(report["findings"]) - len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", help="comma-separated (default: all that are installed)")
    parser.add_argument("--runs", type=int, default=50, help="with busy processes (default: 50)")
    parser.add_argument(
        "--thread-runs", type=int, default=20, help="with a busy thread (default: 20)"
    )
    parser.add_argument("--data", type=Path, help="append what differs to this file")
    given = parser.parse_args()
    idle = {NONE.name, "control", "asyncguard-off"}
    tools = [tool for tool in chosen(given.tools) if tool.name not in idle]
    print(f"{datetime.now(UTC):%Y-%m-%d}: {versions(tools)}, {os.cpu_count()} processors\n")
    print("| tool | noise | runs | missed | invented | runs that differ | worst run | minutes |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for tool in tools:
        for noise, runs in (("processes", given.runs), ("thread", given.thread_runs)):
            if runs:
                began = time.monotonic()
                outcomes: list[Outcome] = []
                # Ctrl-C is enough of this one: what was run is told.
                with (
                    contextlib.suppress(KeyboardInterrupt),
                    busy_processes(BUSY if noise == "processes" else 0),
                ):
                    while len(outcomes) < runs:
                        outcomes.append(run(tool, thread=noise == "thread"))
                        sys.stderr.write(f"{row(tool, noise, outcomes, began)} of {runs}\n")
                if not outcomes:
                    continue
                print(row(tool, noise, outcomes, began), flush=True)
                if given.data is not None:
                    note(given.data, tool, noise, outcomes)


def row(tool: Tool, noise: str, outcomes: list[Outcome], began: float) -> str:
    runs = len(outcomes)
    missed = sum(len(each.missed) for each in outcomes)
    invented = sum(len(each.invented) for each in outcomes)
    usual, _ = Counter(each.said for each in outcomes).most_common(1)[0]
    differ = sum(each.said != usual for each in outcomes)
    worst = max(len(each.missed) + len(each.invented) for each in outcomes)
    starved = sum(each.starved for each in outcomes)
    name = f"{tool.name} ({starved} times starved)" if starved else tool.name
    cells = (
        name,
        noise,
        runs,
        f"{missed} of {runs * BLOCKING}",
        f"{invented} of {runs * 40}",
        differ,
        worst,
        f"{(time.monotonic() - began) / 60:.1f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def note(path: Path, tool: Tool, noise: str, outcomes: list[Outcome]) -> None:
    usual, _ = Counter(each.said for each in outcomes).most_common(1)[0]
    with path.open("a") as file:
        for number, each in enumerate(outcomes):
            if each.said != usual or each.missed or each.invented:
                more = [item for item in each.said if item not in usual]
                less = [item for item in usual if item not in each.said]
                line = f"{tool.name}, {noise}, run {number}: missed {each.missed}, invented "
                file.write(re.sub(r"\s+", " ", f"{line}{each.invented}; + {more} - {less}") + "\n")


if __name__ == "__main__":
    main()
