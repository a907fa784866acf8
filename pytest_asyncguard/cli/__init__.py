"""The command ``asyncguard``: what a rule means, and what to do with the reports of several runs.

    asyncguard explain [RULE]
    asyncguard merge PART... -o PATH
    asyncguard render REPORT --format FORMAT [-o PATH]
    asyncguard gate REPORT [--baseline PATH [--update-baseline]] [--mode MODE] [--strict]

The exit status is 0, 1 where ``gate`` says that the run fails, and 2 for what cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

from pytest_asyncguard import __version__
from pytest_asyncguard.cli.errors import UnusableError
from pytest_asyncguard.model import Mode

if TYPE_CHECKING:
    from pytest_asyncguard.model import RunReport


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    with suppress(AttributeError):  # standard output may be anything
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    command = {"explain": _explain, "merge": _merge, "render": _render, "gate": _gate}
    try:
        return command[given.command](given)
    except UnusableError as error:
        print(f"asyncguard {given.command}: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asyncguard", description="Rules and reports of pytest-asyncguard."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    explain = commands.add_parser("explain", help="what a rule finds, and what to write instead")
    explain.add_argument("rule", nargs="?", metavar="RULE", help="its code or name; all, if none")

    merge = commands.add_parser("merge", help="join the JSON reports of several runs")
    merge.add_argument("parts", nargs="+", metavar="PART", help="a JSON report")
    merge.add_argument("-o", dest="output", metavar="PATH", help="where to; else it is printed")
    merge.add_argument(
        "--complete", action="store_true", help="the parts are all tests, each of which ran"
    )

    render = commands.add_parser("render", help="write a JSON report in another format")
    render.add_argument("report", metavar="REPORT", help="a JSON report")
    render.add_argument("--format", required=True, metavar="FORMAT", help="as pytest's option")
    render.add_argument("-o", dest="output", metavar="PATH", help="where to; else it is printed")

    gate = commands.add_parser("gate", help="the verdict on a JSON report, as the exit status")
    gate.add_argument("report", metavar="REPORT", help="a JSON report")
    gate.add_argument("--baseline", metavar="PATH", help="only sites that are not in it fail")
    gate.add_argument(
        "--update-baseline", action="store_true", help="write the sites of the report into it"
    )
    gate.add_argument("--mode", choices=get_args(Mode), help="else that of the run")
    gate.add_argument("--strict", action="store_true", default=None, help="as pytest's option")
    return parser


def _explain(given: argparse.Namespace) -> int:
    from pytest_asyncguard.cli import explain

    _print(explain.explain(given.rule))
    return 0


def _merge(given: argparse.Namespace) -> int:
    from pytest_asyncguard.cli import parts, shards

    report = shards.merge(parts.read_all(given.parts), complete=given.complete)
    _write(report, "json", given.output)
    return 0


def _render(given: argparse.Namespace) -> int:
    from pytest_asyncguard.cli import parts

    _write(parts.read(given.report), given.format, given.output)
    return 0


def _gate(given: argparse.Namespace) -> int:
    from pytest_asyncguard.cli import parts, verdict

    failed, text = verdict.judge(
        parts.read(given.report),
        given.baseline,
        update=given.update_baseline,
        mode=given.mode,
        strict=given.strict,
    )
    _print(text)
    return int(failed)


def _write(report: RunReport, name: str, path: str | None) -> None:
    from pytest_asyncguard.cli.parts import write
    from pytest_asyncguard.render import RENDERERS

    if name not in RENDERERS:
        raise UnusableError(f"{name!r} is not one of the formats {', '.join(RENDERERS)}")
    text = RENDERERS[name].render(report)
    if path is None:
        _print(text)
    else:
        write(path, text)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in its buffer would be tried again at exit.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Whoever reads a pipe may have seen enough; the exit status is told all the same.
        if not isinstance(error, BrokenPipeError):
            raise UnusableError(f"standard output: {error.strerror or error}") from None
