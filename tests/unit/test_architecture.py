"""The house keeps its shape: design and CONTRIBUTING.md say which room may see which."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest_asyncguard

PACKAGE = "pytest_asyncguard"

PIPE = ("probes", "decide", "attribute", "suppress", "baseline", "collect", "render", "gate")
"""The stages, in the order in which a sighting passes them; a module or a folder each."""

ANNEXES = {"census": "collect", "transport": "collect"}
"""Modules that belong to a stage without bearing its name."""

LEAVES = {
    "",
    "_compat",
    "catalog",
    "code",
    "hookspecs",
    "identity",
    "model",
    "options",
    "origin",
    "wording",
}
"""What every room may see, and which sees none ("" is the package's own ``__init__``)."""

CONDUCTORS = ("guard", "session", "plugin", "cli")
"""The only ones that see more than one stage; each is driven by those after it."""

RENDERERS_SEE = {"model", "wording", "render", "catalog"}
"""The catalogue for its rules: SARIF wants all of them listed, found or not."""

FOUNDATION = {"pytest", "_pytest", "pluggy", PACKAGE} | sys.stdlib_module_names


def test_every_module_has_a_room() -> None:
    """A module is a leaf, belongs to one stage, or conducts; there is no other place."""
    rooms = LEAVES.union(PIPE, ANNEXES, CONDUCTORS)
    assert {room(module) for module in sources()} <= rooms


def test_a_leaf_sees_leaves_only() -> None:
    """What every stage may import depends on no stage."""
    assert [edge for edge in edges() if edge[0] in LEAVES and edge[1] not in LEAVES] == []


def test_imports_run_backwards_along_the_pipe() -> None:
    """A stage may know the stages before it, never one that comes after."""
    forward = [
        (importer, imported)
        for importer, imported in stage_edges()
        if PIPE.index(imported) > PIPE.index(importer)
    ]
    assert forward == []


def test_a_stage_sees_one_other_stage_at_most() -> None:
    """Only a conductor puts stages together."""
    seen: dict[str, set[str]] = {}
    for module, imported in imports():
        stages = seen.setdefault(module, set())
        if room(module) not in CONDUCTORS:
            stages.update({stage(room(imported))} & set(PIPE) - {stage(room(module))})
    assert [module for module, stages in seen.items() if len(stages) > 1] == []


def test_a_conductor_is_seen_by_its_own_conductors_only() -> None:
    """The plugin drives the session, that the guard, and that the stages; none looks back."""
    rank = {name: number for number, name in enumerate(CONDUCTORS)}
    back = [
        (importer, imported)
        for importer, imported in edges()
        if imported in rank and rank.get(importer, -1) < rank[imported]
    ]
    assert back == []


def test_a_renderer_sees_the_report_and_nothing_else() -> None:
    """A renderer is a function of a RunReport, so each can be tested with a written one."""
    wrong = [edge for edge in edges() if edge[0] == "render" and edge[1] not in RENDERERS_SEE]
    assert wrong == []


def test_there_is_no_import_cycle() -> None:
    """The modules can be read in an order in which each builds on what was read before."""
    graph: dict[str, set[str]] = {module: set() for module in sources()}
    for module, imported in imports():
        if imported in graph and imported != module:
            graph[module].add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_the_package_imports_nothing_beyond_pytest_and_the_standard_library() -> None:
    """What the app uses is the app's: it is looked up where it was imported, never imported."""
    foreign = [
        (module, imported)
        for module, source in sources().items()
        for imported in imported_names(module, source)
        if imported.partition(".")[0] not in FOUNDATION
    ]
    assert foreign == []


def test_loading_the_plugin_imports_the_entry_modules_only(tmp_path: Path) -> None:
    """A run without --asyncguard pays for the options, and for no stage, app or loop library."""
    script = (
        "import json, sys, pytest; before = set(sys.modules);"
        "import pytest_asyncguard.plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    loaded: set[str] = set(json.loads(answer.stdout))
    own = {name for name in loaded if name.partition(".")[0] == PACKAGE}
    assert own >= {PACKAGE, f"{PACKAGE}.plugin"}
    assert {name for name in own if stage(room(name.removeprefix(PACKAGE)[1:])) in PIPE} == set()
    assert {name for name in loaded - own if name.partition(".")[0] not in FOUNDATION} == set()
    assert "asyncio" not in loaded


def test_the_reader_sees_every_form_of_import() -> None:
    """The rules above are worth what the reader of imports is."""
    source = """
import os.path
from pytest_asyncguard import model as m, __version__
from pytest_asyncguard.probes.calls import wrap
from . import protocol
from .. import decide
from ..attribute import blame
if TYPE_CHECKING:
    import starlette.routing
def late():
    from pytest_asyncguard import gate
"""
    assert set(imported_names("render.json", source)) == {
        "os.path",
        "pytest_asyncguard.model",
        "pytest_asyncguard.__version__",
        "pytest_asyncguard.probes.calls.wrap",
        "pytest_asyncguard.render.protocol",
        "pytest_asyncguard.decide",
        "pytest_asyncguard.attribute.blame",
        "starlette.routing",
        "pytest_asyncguard.gate",
    }


def test_every_test_states_the_rule_that_it_proves() -> None:
    """A test without a sentence is a test whose failure nobody can judge."""
    root = Path(__file__).parents[2]
    silent = [
        f"{path.relative_to(root).as_posix()}::{node.name}"
        for folder in ("tests", "example_app")
        for path in sorted((root / folder).rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def sources() -> dict[str, str]:
    """The package's modules by their name within it, folders by that of their ``__init__``."""
    root = Path(pytest_asyncguard.__file__).parent
    return {
        ".".join(path.relative_to(root).with_suffix("").parts)
        .removesuffix("__init__")
        .removesuffix("."): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*.py"))
    }


def imported_names(module: str, source: str) -> Iterator[str]:
    """Every name that the source of ``module`` imports, wherever it does, written in full."""
    home = [PACKAGE, *filter(None, module.split("."))]
    if module not in folders():
        home.pop()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) - node.level + 1] if node.level else []
            origin = [*above, *filter(None, (node.module or "").split("."))]
            yield from (".".join([*origin, alias.name]) for alias in node.names)


def folders() -> set[str]:
    """The names, within the package, of what is a folder."""
    root = Path(pytest_asyncguard.__file__).parent
    return {".".join(path.parent.relative_to(root).parts) for path in root.rglob("__init__.py")}


def imports() -> Iterator[tuple[str, str]]:
    """Every import of one module of the package by another, by their names within it."""
    modules = sources()
    for module, source in modules.items():
        for name in imported_names(module, source):
            top, _, inner = name.partition(".")
            if top == PACKAGE:
                while inner not in modules:
                    inner = inner.rpartition(".")[0]
                yield module, inner


def edges() -> set[tuple[str, str]]:
    """Which room sees which."""
    return {(room(module), room(imported)) for module, imported in imports()}


def stage_edges() -> set[tuple[str, str]]:
    """Which stage sees which."""
    pairs = {(stage(importer), stage(imported)) for importer, imported in edges()}
    return {pair for pair in pairs if set(pair) <= set(PIPE)}


def room(module: str) -> str:
    """The top-level module or folder in which a module lies."""
    return module.partition(".")[0]


def stage(name: str) -> str:
    """The stage to which a room belongs, or the room itself."""
    return ANNEXES.get(name, name)
