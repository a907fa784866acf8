"""Patching: replace attributes, also of modules that are yet to be imported, and restore them."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

_ABSENT: Any = object()


class Patcher:
    """Replaces attributes, and puts the originals back in reverse order."""

    def __init__(self) -> None:
        self._replaced: list[tuple[object, str, object, object]] = []

    def replace(self, owner: object, name: str, value: object) -> None:
        """Set ``owner.name`` to ``value``; an inherited attribute of a class is shadowed."""
        original = vars(owner).get(name, _ABSENT)
        setattr(owner, name, value)
        self._replaced.append((owner, name, original, value))

    def adopt(self, owner: object, name: str, original: object) -> None:
        """``owner.name`` took over a replacement of ours when it was imported: restore it too."""
        self._replaced.append((owner, name, original, vars(owner)[name]))

    def restore(self) -> None:
        """Undo every replacement which nobody has replaced since."""
        while self._replaced:
            owner, name, original, value = self._replaced.pop()
            if vars(owner).get(name) is not value:
                continue  # somebody patched on top of us and still is: theirs stands
            if original is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


class ImportWatch(importlib.abc.MetaPathFinder):
    """Calls back once a module of a given name has been imported.

    Stands first on ``sys.meta_path`` and lets the other finders do the work, for the names asked
    for only. The module never sees our loader: its own is put back before its code runs.
    """

    def __init__(self, failed: Callable[[str, BaseException], None] = lambda *_: None) -> None:
        self._failed = failed
        self._callbacks: dict[str, list[Callable[[ModuleType], None]]] = {}
        self._searching: set[str] = set()

    def when_imported(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        """Call ``callback`` with the module: now if it is imported, else once it is."""
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is not None and not getattr(spec, "_initializing", False):
            callback(module)
        else:
            self._callbacks.setdefault(name, []).append(callback)

    def install(self) -> None:
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self._callbacks.clear()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._callbacks or fullname in self._searching:
            return None
        self._searching.add(fullname)
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                if finder is self or find is None:
                    continue
                spec: importlib.machinery.ModuleSpec | None = find(fullname, path, target)
                if spec is not None:
                    if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                        spec.loader = _Loader(spec.loader, self)
                    return spec
        finally:
            self._searching.discard(fullname)
        return None

    def imported(self, module: ModuleType) -> None:
        for callback in self._callbacks.pop(module.__name__, ()):
            try:
                callback(module)
            except Exception as error:  # noqa: BLE001 - the guard never breaks an import
                self._failed(module.__name__, error)


class _Loader(importlib.abc.Loader):
    """The loader of a module that is waited for."""

    def __init__(self, loader: Any, watch: ImportWatch) -> None:
        self._loader = loader
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._watch.imported(module)


class PatchingProbe:
    """A probe that replaces attributes, and gives them back."""

    name: str

    def __init__(self) -> None:
        self._patcher = Patcher()

    def unavailable(self) -> str | None:
        """It can do without what it does not find."""
        return None

    def uninstall(self) -> None:
        self._patcher.restore()


class ImportProbe(PatchingProbe):
    """One that waits for modules to be imported."""

    def __init__(self, watch: ImportWatch) -> None:
        super().__init__()
        self._watch = watch
