"""What each tool costs: CPU time against a run without it, measured in turn.

Each tool has a process of its own that runs pytest as a user would, with a test that performs so
many rounds of a workload when told to. The process without a plugin and that of a tool take turns
of about a tenth of a second; what counts is the median of the ratios, so that a machine whose
speed drifts changes nothing, and CPU time, so that load does not either. Processes differ by a
percent or two however equal they are (the memory they got): several generations of processes show
by how much, and so does the row of a second process without a plugin.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --tools asyncguard --workloads asgi,step --generations 3
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tools import NONE, Tool, chosen, command, environment, versions, write_suite

WORKLOADS: Final = ("testclient", "testclient_with", "asgi", "asgi_def", "step", "step_in_request")
TURN_NS: Final = 80_000_000
"""How long a turn is to be."""
STARTUP: Final = "start-up"


@dataclass(slots=True)
class Worker:
    """A process that performs rounds of a workload."""

    process: subprocess.Popen[bytes]
    numbers: int
    answers: int
    log: Path

    def run(self, rounds: int) -> int:
        """The CPU time that so many rounds took, in nanoseconds."""
        line = b""
        try:
            os.write(self.numbers, b"%d\n" % rounds)
            while not line.endswith(b"\n") and (more := os.read(self.answers, 64)):
                line += more
        except BrokenPipeError:
            pass
        if not line:
            sys.exit(f"a worker ended early:\n{self.log.read_text()[-3000:]}")
        return int(line)

    def go_on(self) -> None:
        os.write(self.numbers, b"\n")

    def stop(self) -> None:
        os.close(self.numbers)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()
        os.close(self.answers)


def start(tool: Tool, workloads: tuple[str, ...], folder: Path) -> Worker:
    write_suite(tool, "overhead", folder, threshold=0.1)
    numbers_read, numbers_write = os.pipe()
    answers_read, answers_write = os.pipe()
    names = [f"test_overhead.py::test_{name}" for name in workloads]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(tool, *names),
            cwd=folder,
            env={**environment(tool), "OVERHEAD_PIPES": f"{numbers_read},{answers_write}"},
            pass_fds=(numbers_read, answers_write),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    os.close(numbers_read)
    os.close(answers_write)
    return Worker(process, numbers_write, answers_read, log)


@contextlib.contextmanager
def workers(tools: list[Tool], workloads: tuple[str, ...]) -> Iterator[dict[str, Worker]]:
    with tempfile.TemporaryDirectory() as folder:
        started = {
            tool.name: start(tool, workloads, Path(folder) / re.sub(r"\W+", "_", tool.name))
            for tool in tools
        }
        try:
            yield started
        finally:
            for worker in started.values():
                worker.stop()


def watches(tool: Tool, workload: str) -> bool:
    """Whether there is anything to measure: a tool that looks away costs nothing."""
    if workload == "testclient":
        return tool.sync and not tool.lifespan
    return tool.sync or workload != "testclient_with"


def generation(
    tools: list[Tool], workloads: tuple[str, ...], rounds: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """By tool and workload: the median ratio, and the median microseconds of a round."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    with workers([NONE, *tools], workloads) as started:
        plain = started[NONE.name]
        for workload in workloads:
            for worker in started.values():
                worker.run(50)  # the first requests of an app are not like the others
            each = max(1, plain.run(400) // 400)
            number = max(20, TURN_NS // each)
            for worker in started.values():
                worker.run(number)
            ratios: defaultdict[str, list[float]] = defaultdict(list)
            took: defaultdict[str, list[int]] = defaultdict(list)
            watching = [tool for tool in tools if watches(tool, workload)]
            for turn in range(rounds):
                for tool in watching:
                    other = started[tool.name]
                    if turn % 2:
                        without = plain.run(number)
                        with_it = other.run(number)
                    else:
                        with_it = other.run(number)
                        without = plain.run(number)
                    ratios[tool.name].append(with_it / without)
                    took[tool.name].append(with_it)
                    took[NONE.name].append(without)
            for name, values in took.items():
                ratio = statistics.median(ratios[name]) if name in ratios else 1.0
                found[name, workload] = ratio, statistics.median(values) / number / 1000
            for worker in started.values():
                worker.go_on()
    return found


def startup(tool: Tool, runs: int) -> float:
    """By how many milliseconds of CPU time a run of one empty test is longer with the tool.

    The shortest run of each counts: whatever else the machine does only adds to it. For each ``-p``
    pytest reads what all distributions have to say of plugins, so both runs have as many.
    """
    again = ("-p", "asyncio") * tool.arguments.count("-p")
    spent: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        for each in (NONE, tool):
            write_suite(each, "empty", Path(name) / each.name, threshold=0.1)
        for turn in range(runs):
            pair = (NONE, tool) if turn % 2 else (tool, NONE)
            for each in pair:
                more = again if each is NONE else ()
                spent[each.name].append(_cpu(each, Path(name) / each.name, more))
    return (min(spent[tool.name]) - min(spent[NONE.name])) * 1000


def _cpu(tool: Tool, folder: Path, more: tuple[str, ...]) -> float:
    process = subprocess.Popen(
        command(tool, *more, "test_empty.py"),
        cwd=folder,
        env=environment(tool),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{tool.name}: the empty suite failed")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", help="comma-separated (default: all that are installed)")
    parser.add_argument(
        "--workloads", default=",".join(WORKLOADS), help="comma-separated (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=21, help="turns of each (default: 21)")
    parser.add_argument("--generations", type=int, default=5, help="of processes (default: 5)")
    parser.add_argument(
        "--startup", type=int, default=0, metavar="RUNS", help="measure the start-up, too"
    )
    given = parser.parse_args()
    workloads = tuple(name for name in given.workloads.split(",") if name)
    if unknown := set(workloads) - set(WORKLOADS):
        sys.exit(f"{', '.join(sorted(unknown))} is not one of {', '.join(WORKLOADS)}")
    tools = [tool for tool in chosen(given.tools) if tool is not NONE]
    print(f"{datetime.now(UTC):%Y-%m-%d}: {versions(tools)}", flush=True)
    began = time.monotonic()
    ratios: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    micros: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(given.generations if workloads else 0):
        for key, (ratio, micro) in generation(tools, workloads, given.rounds).items():
            ratios[key].append(ratio)
            micros[key].append(micro)
    columns = list(workloads)
    cells: dict[tuple[str, str], str] = {}
    for key, values in ratios.items():
        if key[0] == NONE.name:
            cells[key] = f"{statistics.median(micros[key]):.1f} us"
        else:
            low, high = min(values), max(values)
            cells[key] = f"{statistics.median(values):.3f} ({low:.3f}-{high:.3f})"
    if given.startup:
        columns.append(STARTUP)
        for tool in tools:
            cells[tool.name, STARTUP] = f"{startup(tool, given.startup):+.1f} ms"
    print_table([NONE, *tools], columns, cells)
    print(f"\n{given.generations} generations, {time.monotonic() - began:.0f} s")


def print_table(tools: list[Tool], columns: list[str], cells: dict[tuple[str, str], str]) -> None:
    rows = [["", *columns]]
    rows += [
        [tool.name, *(cells.get((tool.name, each), "-") for each in columns)] for tool in tools
    ]
    rows.insert(1, ["---"] * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
