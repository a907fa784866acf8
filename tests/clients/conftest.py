"""One run of pytest over many small apps: a module for each row of the tables.

A row is a use of a library. Its module does that on the loop, in a ``def`` endpoint and through
``run_in_threadpool``, and on the loop what an async endpoint may do instead; each in a test.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MARK = "#!"
WARNINGS = {"file", "tls-context"}

HEAD = """
import asyncio, concurrent.futures, contextlib, functools, http.client, io, json, logging
import multiprocessing, os, pathlib, queue, select, selectors, shutil, smtplib, socket, sqlite3
import ssl, subprocess, sys, tempfile, textwrap, threading, time, types, unittest.mock
import urllib.request
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec, patch

import httpx, pytest
from fastapi import Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.testclient import TestClient

import stub

PATH = os.path.join(tempfile.mkdtemp(), "file")
app = FastAPI()
client = TestClient(app)
"""

BODIES = {
    "pool": ("async def pool():\n    await run_in_threadpool(call)\n", "call"),
    "plain": ("def plain():\n{call}", "call"),
    "twin": ("async def twin():\n{twin}", "twin"),
    "loop": ("async def loop():\n{call}", "call"),
}
"""The endpoints, in the order in which they are called: what is read once is read in a thread."""

RECORDER = """
import atexit, json, sys
from pytest_asyncguard.catalog.stdlib import AUDIT
from pytest_asyncguard.probes import calls, holds

made, can_block = set(), calls.can_block

@sys.addaudithook
def heard(event, args):
    if event in AUDIT and holds.open_holds:
        made.add(event)

def noted(row, args, kwargs):
    made.add(row.target)
    return can_block(row, args, kwargs)

calls.can_block = noted

@atexit.register
def write():
    with open("made.json", "w") as file:
        json.dump(sorted(made), file)
"""
"""Notes the rows of the catalogue whose calls or events are met on the loop."""


LOOK = """
import importlib.util, json, sys

def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
    except ValueError:  # it is imported, and made in a way of its own
        return True

print("\\n" + json.dumps([name for name in sys.argv[1:] if there(name)]))
"""
"""Prints those of the modules in its arguments that can be imported."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A finding, as far as a row tells of it: ``line`` is its source."""

    rule: str
    call: str
    line: str
    function: str
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A use of a library, and how it is to be found on the loop: rule and name, or not at all.

    To blame is the line that ends in ``#!``, or the only one; where there are several, each says
    after that how its call is named. ``where`` is the function in which they stand. ``needs`` are
    modules, and ``server`` a program, that have to be there; ``replaced``: by a test double.
    """

    name: str
    needs: str = ""
    server: str = ""
    setup: str = ""
    call: str = ""
    found: str = ""
    rule: str = ""
    twin: str = ""
    where: str = "loop"
    replaced: str = ""

    def missing(self, there: frozenset[str]) -> list[str]:
        """What it needs that is not there."""
        return [name for name in f"{self.needs} {self.server}".split() if name not in there]

    @property
    def module(self) -> str:
        return "test_" + re.sub(r"\W+", "_", self.name)

    @property
    def wanted(self) -> list[Found]:
        """What is to be found."""
        lines = (line.strip() for line in f"{self.setup}\n{self._marked()}".splitlines())
        marked = [line for line in lines if MARK in line]
        level = "warning" if self.rule in WARNINGS else "error"
        return sorted(
            Found(self.rule, line.partition(MARK)[2].strip() or self.found, line, self.where, level)
            for line in marked
        )

    def _marked(self) -> str:
        call = _body(self.call)
        return call if MARK in self.setup + self.call else call.rstrip() + f"  {MARK}\n"

    def source(self) -> str:
        """The module of this row."""
        parts = [HEAD]
        parts += [f"import {name}" for name in self.needs.split() if "." not in name]
        parts.append(textwrap.dedent(self.setup))
        call = self._marked()
        if self.call:
            parts.append(f"def call():\n{call}")
        for name, (body, part) in BODIES.items():
            if getattr(self, part):
                code = body.format(call=call, twin=_body(self.twin))
                test = f"def test_{name}():\n    assert client.get('/{name}').status_code == 200\n"
                parts.append(f"@app.get('/{name}')\n{code}\n{test}")
        return "\n".join(parts)


def _rows() -> Iterator[Row]:
    for path in sorted((HERE / "tables").glob("*.py")):
        table = runpy.run_path(str(path))
        for entry in table["ROWS"]:
            yield Row(**{"rule": table["RULE"], **entry})


ROWS = tuple(_rows())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of ``calling`` is about each row that has a call, one of ``free`` about each twin."""
    for argument, part in (("calling", "call"), ("free", "twin")):
        if argument in metafunc.fixturenames:
            rows = [row for row in ROWS if getattr(row, part)]
            metafunc.parametrize(argument, rows, ids=[row.name for row in rows])


class Runs:
    """What the run over the tables left behind.

    ``made`` are the rows of the catalogue whose calls were made on the loop.
    """

    def __init__(self, folder: Path, output: str, there: frozenset[str]) -> None:
        self.output = output
        self.there = there
        path = folder / "report.json"
        assert path.is_file(), output
        self.report: dict[str, Any] = json.loads(path.read_bytes())
        self.made: set[str] = set(json.loads((folder / "made.json").read_bytes()))

    def of(self, row: Row, name: str) -> list[Found]:
        """The findings of one test of a row, which was run and has passed."""
        if missing := row.missing(self.there):
            pytest.skip(f"needs {', '.join(missing)}")
        node = f"{row.module}.py::test_{name}"
        assert f"{node} PASSED" in self.output, self.output
        return sorted(
            Found(
                finding["rule"],
                finding["call"] or "",
                (finding["source"] or "").strip(),
                finding["function"],
                finding["severity"],
            )
            for finding in self.report["findings"]
            if any(test.endswith(node) for test in finding["tests"])
        )


@pytest.fixture(name="all_rows", scope="session")
def _all_rows() -> tuple[Row, ...]:
    return ROWS


@pytest.fixture(name="there", scope="session")
def _there(servers: dict[str, int]) -> frozenset[str]:
    """What is installed of what the rows need; to ask for a module imports its package."""
    wanted = sorted({name for row in ROWS for name in row.needs.split()})
    answer = subprocess.run(
        [sys.executable, "-Wignore", "-c", LOOK, *wanted],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return frozenset({*json.loads(answer.stdout.splitlines()[-1]), *servers})


@pytest.fixture(name="runs", scope="session")
def _runs(
    tmp_path_factory: pytest.TempPathFactory, servers: dict[str, int], there: frozenset[str]
) -> Runs:
    """Run pytest with the guard over a module for each row whose needs are there."""
    folder = tmp_path_factory.mktemp("rows")
    shutil.copy(HERE / "stub.py", folder)
    (folder / "conftest.py").write_text(RECORDER, encoding="utf-8")
    for row in ROWS:
        if not row.missing(there):
            (folder / f"{row.module}.py").write_text(row.source(), encoding="utf-8")
    ports = {f"PORT_OF_{name.upper()}": str(port) for name, port in servers.items()}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-Wignore", "--tb=short", "--no-header"),
            *("-p", "no:cacheprovider", "--continue-on-collection-errors"),
            *("--asyncguard", "--asyncguard-mode=report", "--asyncguard-report=json:report.json"),
        ],
        cwd=folder,
        env={**os.environ, **ports, "COLUMNS": "200", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return Runs(folder, done.stdout + done.stderr, there)


# --- servers -----------------------------------------------------------------------------------


@pytest.fixture(name="servers", scope="session")
def _servers() -> Iterator[dict[str, int]]:
    """The ports of the servers that are installed, each started for these tests."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for name, start in (("redis-server", _redis), ("postgresql", _postgres)):
            if (port := stack.enter_context(start())) is not None:
                ports[name] = port
        yield ports


@contextlib.contextmanager
def _redis() -> Iterator[int | None]:
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        process = subprocess.Popen([*command, folder], stdout=subprocess.DEVNULL)
        try:
            _until_it_listens(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def _postgres() -> Iterator[int | None]:
    """PostgreSQL, which refuses to run as root."""
    # Debian keeps the programs of each version apart, and none of them on the path.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    program = shutil.which("pg_ctl") or (str(found[-1]) if found else None)
    if program is None:
        yield None
        return
    port = _free_port()
    as_user: dict[str, Any] = {"user": "postgres", "extra_groups": []} if os.getuid() == 0 else {}

    def control(*arguments: str) -> None:
        subprocess.run(
            [program, "-D", f"{folder}/data", "-s", *arguments],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **as_user,
        )

    folder = tempfile.mkdtemp()
    try:
        if as_user:
            shutil.chown(folder, as_user["user"])
        control("init", "-o", "--username=postgres --auth=trust --encoding=UTF8 --no-sync")
        settings = f"-p {port} -h 127.0.0.1 -F -c unix_socket_directories="
        control("-w", "-l", f"{folder}/log", "-o", settings, "start")
        try:
            yield port
        finally:
            control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _until_it_listens(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def _body(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip("\n"), "    ") + "\n"
