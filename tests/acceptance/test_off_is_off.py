"""With the plugin installed and not switched on, the run is as it would be without it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

SNAPSHOT = """
    import json
    import pathlib
    import sys
    import types


    def told(value, name):
        \"\"\"What a value says of itself: some answer any question with an exception.\"\"\"
        try:
            return str(getattr(value, name, None))
        except Exception as error:
            return repr(type(error))


    def describe(value):
        \"\"\"What tells a value from another that took its place, in whichever process.\"\"\"
        code = value.__code__ if isinstance(value, types.FunctionType) else None
        return [
            f"{type(value).__module__}.{type(value).__qualname__}",
            told(value, "__module__"),
            told(value, "__qualname__"),
            told(code, "co_filename"),
            told(code, "co_firstlineno"),
        ]


    def snapshot():
        \"\"\"Every attribute of every imported module, and of every class that it defines.\"\"\"
        seen = {}
        for name, module in sorted(sys.modules.items()):
            if not isinstance(module, types.ModuleType) or name in ("__main__", __name__):
                continue
            for attribute, value in sorted(vars(module).items()):
                seen[f"{name}:{attribute}"] = describe(value)
                if isinstance(value, type) and value.__module__ == name:
                    for inner, item in vars(value).items():
                        seen[f"{name}:{attribute}.{inner}"] = describe(item)
        return seen


    def test_snapshot():
        import gc
        import threading

        import starlette.applications
        import starlette.testclient

        pathlib.Path("snapshot.json").write_text(
            json.dumps(
                {
                    "attributes": snapshot(),
                    "modules": sorted(sys.modules),
                    "finders": [type(finder).__name__ for finder in sys.meta_path],
                    "collecting": len(gc.callbacks),
                    "threads": [thread.name for thread in threading.enumerate()],
                    "tracing": [repr(sys.gettrace()), repr(sys.getprofile())],
                }
            )
        )
"""

FOUNDATION = {"pytest", "_pytest", "pytest_asyncguard"} | sys.stdlib_module_names
ENTRY = {"", ".hookspecs", ".options", ".options.table", ".options.values", ".plugin"}
"""The plugin's modules that it takes to know the options of a run that is not to be watched."""


def snapshot(run: Run) -> dict[str, Any]:
    """What the run saw of its own process."""
    path = run.folder / "snapshot.json"
    assert path.is_file(), run.output
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def take(run_pytest: RunPytest, *arguments: str) -> dict[str, Any]:
    """A snapshot of a run in which plugins are found by their entry points."""
    # The hash seed: sets and the order of what is iterated over them.
    run = run_pytest(
        {"test_snapshot.py": SNAPSHOT},
        *arguments,
        autoload=True,
        report=False,
        environment={"PYTHONHASHSEED": "0"},
    )
    assert run.outcomes == {"test_snapshot": "passed"}, run.output
    return snapshot(run)


@pytest.fixture(name="without", scope="module")
def _without(run_pytest: RunPytest) -> dict[str, Any]:
    """The plugin is not loaded at all."""
    return take(run_pytest, "-p", "no:asyncguard")


@pytest.fixture(name="off", scope="module")
def _off(run_pytest: RunPytest) -> dict[str, Any]:
    """The plugin is installed, and not switched on."""
    return take(run_pytest)


@pytest.fixture(name="on", scope="module")
def _on(run_pytest: RunPytest) -> dict[str, Any]:
    """The plugin is switched on."""
    return take(run_pytest, "--asyncguard")


def of_ours(name: str) -> bool:
    """Whether it is a module of the plugin."""
    return name.partition(".")[0] == "pytest_asyncguard"


def shared(attributes: dict[str, Any]) -> dict[str, Any]:
    """Without those of the plugin itself, and of its name as an attribute of nothing else."""
    return {
        name: value
        for name, value in attributes.items()
        if not name.startswith("pytest_asyncguard")
    }


def test_no_attribute_is_changed(without: dict[str, Any], off: dict[str, Any]) -> None:
    """Every attribute of every module and class is what it is without the plugin."""
    assert shared(off["attributes"]) == shared(without["attributes"])


def test_no_other_module_is_imported(without: dict[str, Any], off: dict[str, Any]) -> None:
    """Beyond pytest and the standard library, the plugin's own entry modules and no more."""
    more = set(off["modules"]) - set(without["modules"])
    ours = {name.removeprefix("pytest_asyncguard") for name in more if of_ours(name)}
    assert {name for name in more if name.partition(".")[0] not in FOUNDATION} == set()
    # The catalogue is data: rules have names and defaults, and calls their rules.
    assert ours <= ENTRY
    assert {"", ".options", ".plugin"} <= ours
    assert set(without["modules"]) <= set(off["modules"])


@pytest.mark.parametrize("what", ["finders", "collecting", "threads", "tracing"])
def test_nothing_listens(without: dict[str, Any], off: dict[str, Any], what: str) -> None:
    """No import finder, no callback of the garbage collector, no thread, no tracing is added."""
    assert off[what] == without[what]


def test_the_snapshot_can_see(off: dict[str, Any], on: dict[str, Any]) -> None:
    """Switched on, the same comparison shows what is patched: it proves something above."""
    before, after = off["attributes"], on["attributes"]
    changed = {name for name in before if before[name] != after.get(name)}
    assert {
        "time:sleep",
        "threading:Event.wait",
        "subprocess:run",
        "asyncio.events:Handle._run",
        "starlette.applications:Starlette.__call__",
    } <= changed
    assert on["finders"] != off["finders"]
    assert on["threads"] != off["threads"]
