"""Whose code a file is: the user's project, the standard library, or an installed library."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterable

from pytest_asyncguard.model import Origin, Stack

# Where the framework takes over again: what is further out is a layer around, and not to blame.
_LAYERS = (
    "starlette.applications",
    "starlette.middleware",
    "starlette.routing",
    "starlette._exception_handler",
    "fastapi.applications",
    "fastapi.middleware",
    "fastapi.routing",
)
_TAKES_OVER = frozenset({"__call__", "app", "call_next", "coro", "handle", "wrapped_app"})


def inner_part(stack: Stack) -> int:
    """The index at which the part of the request begins that is at work.

    A middleware of the project stands on the stack of everything that happens inside it, and is
    not to blame for that.
    """
    for index in range(len(stack) - 1, -1, -1):
        frame = stack[index]
        if (
            frame.origin != "project"
            and frame.function.rpartition(".")[2] in _TAKES_OVER
            and frame.module.startswith(_LAYERS)
        ):
            return index + 1
    return 0


def project_frame(stack: Stack) -> int | None:
    """The index of the innermost frame of the user's project: the place to blame.

    None where the framework works for itself.
    """
    for index in range(len(stack) - 1, inner_part(stack) - 1, -1):
        if stack[index].origin == "project":
            return index
    return None


_INSTALLED = ("site-packages", "dist-packages")


class Origins:
    """Tells the origin of a file by its path.

    The project is what lies under ``rootdir`` and is not installed, or under one of ``sources``
    where the user named some.
    """

    def __init__(self, rootdir: str, sources: Iterable[str] = ()) -> None:
        self._rootdir = _folder(rootdir)
        self._sources = tuple(map(_folder, sources))
        paths = sysconfig.get_paths()
        self._stdlib = tuple({_folder(paths[key]) for key in ("stdlib", "platstdlib")})
        installed = {paths[key] for key in ("purelib", "platlib")} | set(site.getsitepackages())
        self._installed = tuple(map(_folder, installed))
        # A virtual environment inside the project is not the project.
        self._environment = _folder(sys.prefix)
        self._known: dict[str, Origin] = {}

    def of(self, file: str) -> Origin:
        """The origin of ``file``, as a code object gives it."""
        if (origin := self._known.get(file)) is None:
            origin = self._known[file] = self._find(file)
        return origin

    def _find(self, file: str) -> Origin:
        if file.startswith("<"):
            return "stdlib" if file.startswith("<frozen ") else "library"
        path = os.path.abspath(file)
        if any(path.startswith(folder) for folder in self._sources):
            return "project"
        if path.startswith(self._installed) or any(
            f"{os.sep}{name}{os.sep}" in path for name in _INSTALLED
        ):
            return "library"
        if path.startswith(self._stdlib):
            return "stdlib"
        if self._sources or not path.startswith(self._rootdir):
            return "library"
        inside = self._environment.startswith(self._rootdir) and self._environment != self._rootdir
        return "library" if inside and path.startswith(self._environment) else "project"


def _folder(path: str) -> str:
    return os.path.join(os.path.abspath(path), "")
