"""Patching: what is replaced is put back, and an import is watched without being touched."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pytest_asyncguard.probes.patching import ImportWatch, Patcher


class Base:
    def method(self) -> str:
        return "base"


class Derived(Base):
    pass


def other(self: object = None) -> str:
    return "other"


def another(self: object = None) -> str:
    return "another"


# --- the patcher -------------------------------------------------------------------------------


def test_what_was_replaced_is_restored() -> None:
    """The very object, where it was."""
    owner, original = SimpleNamespace(name=other), other
    patcher = Patcher()
    patcher.replace(owner, "name", another)
    assert owner.name is another
    patcher.restore()
    assert owner.name is original


def test_an_inherited_attribute_is_inherited_again() -> None:
    """It was shadowed, and nothing of its own was there before."""
    patcher = Patcher()
    patcher.replace(Derived, "method", another)
    assert (Derived().method(), Base().method()) == ("another", "base")
    patcher.restore()
    assert "method" not in vars(Derived)
    assert Derived().method() == "base"


def test_descriptors_are_restored_as_such() -> None:
    """A static method would otherwise come back as a function that is handed the instance."""

    class Owner:
        @staticmethod
        def static() -> str:
            return "static"

    before = vars(Owner)["static"]
    patcher = Patcher()
    patcher.replace(Owner, "static", another)
    patcher.restore()
    assert vars(Owner)["static"] is before


def test_restoring_goes_backwards() -> None:
    """What was replaced twice is in the end what it was at first."""
    owner = SimpleNamespace(name="first")
    patcher = Patcher()
    patcher.replace(owner, "name", other)
    patcher.replace(owner, "name", another)
    patcher.restore()
    assert owner.name == "first"


def test_what_somebody_else_has_put_in_place_stays() -> None:
    """A double that outlives us knows what to restore, and it is not ours to take away."""
    owner = SimpleNamespace(name="first")
    patcher = Patcher()
    patcher.replace(owner, "name", other)
    owner.name = another
    patcher.restore()
    assert owner.name is another


def test_a_name_that_took_a_replacement_over_gets_the_original() -> None:
    """It was imported from where it had been replaced."""
    taker = SimpleNamespace(name=another)
    patcher = Patcher()
    patcher.adopt(taker, "name", other)
    patcher.restore()
    assert taker.name is other


def test_an_owner_that_refuses_is_left_as_it_is() -> None:
    """The types of C are immutable: there is nothing to undo then."""
    patcher = Patcher()
    with pytest.raises(TypeError):
        patcher.replace(int, "bit_length", another)
    patcher.restore()
    assert (5).bit_length() == 3


def test_restoring_twice_is_restoring_once() -> None:
    """What is undone is forgotten."""
    owner = SimpleNamespace(name="first")
    patcher = Patcher()
    patcher.replace(owner, "name", other)
    patcher.restore()
    owner.name = other
    patcher.restore()
    assert owner.name is other


# --- watching imports --------------------------------------------------------------------------


@pytest.fixture(name="watch")
def _watch() -> Iterator[ImportWatch]:
    before = list(sys.meta_path)
    watch = ImportWatch()
    watch.install()
    yield watch
    watch.uninstall()
    assert sys.meta_path == before


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules are imported, and forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_that_is_imported_is_handed_over_at_once(watch: ImportWatch) -> None:
    """There is nothing to wait for."""
    seen: list[ModuleType] = []
    watch.when_imported("inspect", seen.append)
    assert seen == [inspect]


def test_a_module_is_handed_over_once_its_code_has_run(watch: ImportWatch, folder: Path) -> None:
    """Before whoever imports it gets anything from it."""
    (folder / "awaited.py").write_text("def name(): pass\n")
    (folder / "importing.py").write_text("from awaited import name\n")
    watch.when_imported("awaited", lambda module: setattr(module, "name", other))
    importing = importlib.import_module("importing")
    assert importing.name is other


def test_each_caller_hears_of_a_module_once(watch: ImportWatch, folder: Path) -> None:
    """In the order in which they asked; not again when it is imported anew."""
    (folder / "awaited.py").write_text("")
    heard: list[str] = []
    watch.when_imported("awaited", lambda module: heard.append("first"))
    watch.when_imported("awaited", lambda module: heard.append("second"))
    importlib.import_module("awaited")
    del sys.modules["awaited"]
    importlib.import_module("awaited")
    assert heard == ["first", "second"]


def test_a_package_and_its_module_are_told_apart(watch: ImportWatch, folder: Path) -> None:
    """The dotted name counts."""
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "inner.py").write_text("")
    heard: list[str] = []
    watch.when_imported("package.inner", lambda module: heard.append(module.__name__))
    importlib.import_module("package")
    assert heard == []
    importlib.import_module("package.inner")
    assert heard == ["package.inner"]


def test_the_module_does_not_see_that_it_was_waited_for(watch: ImportWatch, folder: Path) -> None:
    """Its loader and specification are those of an import without us, while its code runs too."""
    (folder / "awaited.py").write_text("during = (__loader__, __spec__.loader)\n")
    watch.when_imported("awaited", lambda module: None)
    awaited = importlib.import_module("awaited")
    spec = PathFinder.find_spec("awaited", [str(folder)])
    assert spec is not None
    for loader in (*awaited.during, awaited.__loader__, awaited.__spec__.loader):  # type: ignore[union-attr]
        assert type(loader) is type(spec.loader)
    assert inspect.getsource(awaited).startswith("during")


def test_looking_for_a_module_does_not_import_it(watch: ImportWatch, folder: Path) -> None:
    """Whoever asks whether a library is there gets the answer, and what can be asked of it."""
    (folder / "awaited.py").write_text("x = 1\n")
    heard: list[str] = []
    watch.when_imported("awaited", lambda module: heard.append(module.__name__))
    spec = importlib.util.find_spec("awaited")
    assert spec is not None
    assert spec.loader is not None
    assert spec.loader.get_source("awaited") == "x = 1\n"  # type: ignore[attr-defined]
    assert heard == []
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.x, heard) == (1, ["awaited"])


def test_a_module_that_is_not_there_is_not_there(watch: ImportWatch) -> None:
    """The error is that of an import without us."""
    watch.when_imported("asyncguard_absent", lambda module: None)
    assert importlib.util.find_spec("asyncguard_absent") is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'asyncguard_absent'"):
        importlib.import_module("asyncguard_absent")


def test_a_module_whose_code_fails_may_be_imported_again(watch: ImportWatch, folder: Path) -> None:
    """The exception is the module's, and it is handed over when it succeeds."""
    (folder / "awaited.py").write_text("import sys\nif not hasattr(sys, 'ready'): 1 / 0\n")
    heard: list[str] = []
    watch.when_imported("awaited", lambda module: heard.append(module.__name__))
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("awaited")
    assert heard == []
    vars(sys)["ready"] = True
    try:
        importlib.import_module("awaited")
    finally:
        del vars(sys)["ready"]
    assert heard == ["awaited"]


def test_an_error_of_the_guards_does_not_break_an_import(watch: ImportWatch, folder: Path) -> None:
    """A library may have changed: whoever imports it does not pay for it."""
    (folder / "awaited.py").write_text("")
    heard: list[str] = []

    def failing(module: ModuleType) -> None:
        raise AttributeError("Starlette")

    watch.when_imported("awaited", failing)
    watch.when_imported("awaited", lambda module: heard.append(module.__name__))
    importlib.import_module("awaited")
    assert heard == ["awaited"]


def test_a_folder_without_init_is_imported_as_ever(watch: ImportWatch, folder: Path) -> None:
    """A namespace package has no code to run."""
    (folder / "package").mkdir()
    watch.when_imported("package", lambda module: None)
    package = importlib.import_module("package")
    assert list(package.__path__) == [str(folder / "package")]


def test_nothing_is_heard_once_uninstalled(watch: ImportWatch, folder: Path) -> None:
    """Whatever was asked for is forgotten."""
    (folder / "awaited.py").write_text("")
    heard: list[str] = []
    watch.when_imported("awaited", lambda module: heard.append(module.__name__))
    watch.uninstall()
    importlib.import_module("awaited")
    assert heard == []
