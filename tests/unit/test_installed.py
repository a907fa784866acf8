"""Installed middleware: the line of the project that adds it, where that can be found."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from pytest_asyncguard.attribute import Attributor
from pytest_asyncguard.attribute.installed import Installations
from pytest_asyncguard.catalog.rules import RULES
from pytest_asyncguard.model import Decision, Frame, Request, Sighting

WAYS = {
    "app.add_middleware(Limiter)": 3,
    "app.add_middleware(slow.Limiter, rate=1)": 3,
    "app.add_middleware(\n    Limiter,\n    rate=1,\n)": 3,
    "Starlette(middleware=[Middleware(Limiter)])": 3,
    "app.add_middleware(LimiterOfMine)": None,
    "app = Limiter(app)": None,
}


@pytest.mark.parametrize("source", WAYS)
def test_the_line_is_found_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """By the name of the class, and by no part of it."""
    imported(monkeypatch, tmp_path / "app.py", f"import slow\n\n{source}\n")
    line = WAYS[source]
    found = Installations(str(tmp_path)).of("Limiter.dispatch")
    assert found == ((str(tmp_path / "app.py"), line) if line else None)


def test_only_the_project_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what is installed inside its folder, or lies beside it."""
    source = "app.add_middleware(Limiter)\n"
    project = tmp_path / "project"
    imported(monkeypatch, tmp_path / "beside.py", source)
    imported(monkeypatch, project / ".venv" / "site-packages" / "library.py", source)
    installations = Installations(str(project))
    assert installations.of("Limiter") is None


def test_what_was_not_found_is_looked_for_again_when_more_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app may be made by a later test."""
    installations = Installations(str(tmp_path))
    assert installations.of("Limiter") is None
    imported(monkeypatch, tmp_path / "app.py", "app.add_middleware(Limiter)\n")
    assert installations.of("Limiter") == (str(tmp_path / "app.py"), 1)
    (tmp_path / "app.py").unlink()
    assert installations.of("Limiter") == (str(tmp_path / "app.py"), 1)


def imported(monkeypatch: pytest.MonkeyPatch, file: Path, source: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")
    module = ModuleType(f"installed_{file.stem}")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize("project", [True, False])
def test_a_finding_without_a_line_of_the_project_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: bool
) -> None:
    """Middleware of a library is the project's choice; its own middleware is its own line."""
    imported(monkeypatch, tmp_path / "app.py", "app.add_middleware(Limiter)\n")
    stack = (
        Frame(file="routing.py", line=1, function="Router.__call__", module="starlette.routing"),
        Frame(
            file="limiter.py",
            line=1,
            function="Limiter.__call__",
            module="limiter",
            origin="project" if project else "library",
            coroutine=True,
        ),
    )
    sighting = Sighting(
        rule="sleep",
        call="time.sleep",
        stack=stack,
        request=Request(type="http", route="GET /"),
    )
    decision = Decision(rule=RULES["sleep"], severity="error", reason="")
    found = Attributor(str(tmp_path)).attribute(sighting, decision, None)
    assert found.phase == "middleware"
    told = " `Limiter` is installed at app.py:1."
    assert (found.hint or "").endswith(told) is not project
