"""The tools that are compared, each as its own documentation says to use it in tests."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SUITES: Final = Path(__file__).parent / "suites"

_PLAIN = """
import pytest

@pytest.fixture
def in_loop():
    return lambda: None
"""

_PYLEAK = (
    _PLAIN
    + """
def pytest_collection_modifyitems(items):
    mark = pytest.mark.no_leaks(
        tasks=False, threads=False, blocking=True, blocking_threshold={threshold}
    )
    for item in items:
        item.add_marker(mark)
"""
)

_BLOCKBUSTER = (
    _PLAIN
    + """
import blockbuster

@pytest.fixture(autouse=True)
def _blockbuster():
    with blockbuster.blockbuster_ctx() as found:
        yield found
"""
)

# The loop has to be patched from within; a test that has none of its own does it at start-up.
_AIOCOP = """
import aiocop
import pytest

events = []

def _note(event):
    if event.exceeded_threshold:
        events.append(event)

def pytest_configure():
    aiocop.patch_audit_functions()
    aiocop.start_blocking_io_detection()
    aiocop.detect_slow_tasks(threshold_ms=int({threshold} * 1000), on_slow_task=_note)

@pytest.fixture
def in_loop():
    return aiocop.activate

@pytest.fixture(autouse=True)
def _aiocop():
    del events[:]
    yield
    assert not events, "aiocop: " + str(events[0].elapsed_ms)
"""

_DEBUG = """
import logging

import pytest

@pytest.fixture
def in_loop():
    return lambda: None

@pytest.fixture(autouse=True)
def _slow_callbacks(caplog):
    caplog.set_level(logging.WARNING, "asyncio")
    yield
    slow = [each for each in caplog.get_records("call") if each.msg.startswith("Executing")]
    assert not slow, "asyncio: " + slow[0].getMessage()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A row: how pytest is called, and what stands in conftest.py and pytest.ini.

    ``sync``: it sees what a TestClient's requests do in tests that are no coroutines, if only
    where the client runs the app's lifespan.
    """

    name: str
    package: str | None = None
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    conftest: str = _PLAIN
    ini: str = ""
    sync: bool = True
    lifespan: bool = False


NONE: Final = Tool(name="no plugin")

TOOLS: Final = {
    tool.name: tool
    for tool in (
        NONE,
        Tool(name="control"),
        Tool(
            name="asyncguard",
            package="pytest-asyncguard",
            arguments=("-p", "asyncguard", "--asyncguard"),
            ini="asyncguard_threshold = {threshold}",
        ),
        Tool(name="asyncguard-off", package="pytest-asyncguard", arguments=("-p", "asyncguard")),
        Tool(name="blockbuster", package="blockbuster", conftest=_BLOCKBUSTER),
        Tool(name="aiocop", package="aiocop", conftest=_AIOCOP, lifespan=True),
        Tool(
            name="pyleak",
            package="pyleak",
            arguments=("-p", "pyleak"),
            conftest=_PYLEAK,
            sync=False,
        ),
        Tool(
            name="fastapi-loopguard",
            package="fastapi-loopguard",
            arguments=("-p", "loopguard"),
            ini="loopguard_all_async = true\nloopguard_threshold_ms = {threshold_ms}",
            sync=False,
        ),
        Tool(
            name="asyncio debug mode",
            environment={"PYTHONASYNCIODEBUG": "1"},  # pytest-asyncio has a switch of its own
            conftest=_DEBUG,
            ini="asyncio_debug = true",
        ),
    )
}


def write_suite(tool: Tool, suite: str, folder: Path, threshold: float) -> None:
    """Put the suite of that name into ``folder``, set up for ``tool``."""
    folder.mkdir(parents=True, exist_ok=True)
    filled = {"{threshold}": str(threshold), "{threshold_ms}": str(round(threshold * 1000))}
    conftest, ini = tool.conftest, tool.ini
    for name, value in filled.items():
        conftest, ini = conftest.replace(name, value), ini.replace(name, value)
    (folder / "conftest.py").write_text(conftest)
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n" + ini
    )
    (folder / f"test_{suite}.py").write_text((SUITES / f"{suite}.py").read_text())


def command(tool: Tool, *arguments: str) -> list[str]:
    """How pytest is called in the folder of ``write_suite``."""
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "asyncio", "-p", "no:cacheprovider"),
        *tool.arguments,
        *arguments,
    ]


def environment(tool: Tool) -> dict[str, str]:
    """Nothing but what the tool asks for is loaded; hashes are the same in every process.

    What was compiled once is kept, as on any user's machine, whatever it is on this one.
    """
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONHASHSEED": "0",
        **tool.environment,
    }


def version(package: str | None) -> str | None:
    """The release that is installed; None where it is not."""
    try:
        return importlib.metadata.version(package) if package else ""
    except importlib.metadata.PackageNotFoundError:
        return None


def chosen(names: str | None, *always: str) -> list[Tool]:
    """The tools of a comma-separated list, or all that are installed."""
    wanted = [name.strip() for name in names.split(",")] if names else list(TOOLS)
    for name in wanted:
        if name not in TOOLS:
            sys.exit(f"{name!r} is not one of {', '.join(TOOLS)}")
    wanted = [*always, *(name for name in wanted if name not in always)]
    return [TOOLS[name] for name in wanted if version(TOOLS[name].package) is not None]


def versions(tools: list[Tool]) -> str:
    """What was measured, in one line."""
    packages = ["fastapi", "starlette", "httpx", "pytest", "pytest-asyncio"]
    packages += [tool.package for tool in tools if tool.package]
    named = [f"{name} {version(name)}" for name in dict.fromkeys(packages)]
    return ", ".join([f"CPython {platform.python_version()}", sys.platform, *named])
