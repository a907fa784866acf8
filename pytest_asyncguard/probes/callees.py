"""Callees: which function had returned, by the name with which it was called.

Asked after the test about what no stack shows any more. Where a name may stand for several
functions, none is told.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from pytest_asyncguard.probes.inbox import Scope
from pytest_asyncguard.probes.places import SOLVING, Called, Callee, has_operator

ROUTING: Final = tuple(os.path.join(name, "routing.py") for name in ("fastapi", "starlette"))
RUNS_ENDPOINT: Final = frozenset(
    {"run_endpoint_function", "call", "f", "func", "run_in_threadpool"}
)
"""By what names the frameworks' routing calls what leads to an endpoint, in any of its releases.

The last one is the other branch of what runs one on the loop.
"""


class Callees:
    """Looks functions up in the modules of their callers."""

    def __init__(self) -> None:
        self._globals: dict[str, Mapping[str, object]] = {}

    def of(self, scope: Scope) -> Callee:
        """Knows what is called for a request, and what code calls by the name of a global."""

        def callee(caller: CodeType, called: Called) -> CodeType | None:
            file = caller.co_filename
            if file.endswith(SOLVING):
                found = _only_long(_dependencies(scope))
            elif file.endswith(ROUTING):
                found = [scope.get("endpoint")] if called.name in RUNS_ENDPOINT else []
            elif called.bound:
                found = _methods(self._of_file(file), called.name)
            else:
                found = [self._of_file(file).get(called.name)]
            codes = {code for each in found if (code := _code(each, called)) is not None}
            return codes.pop() if len(codes) == 1 else None

        return callee

    def _of_file(self, file: str) -> Mapping[str, object]:
        """The globals of the module that was imported from ``file``."""
        if file not in self._globals:
            for module in list(sys.modules.values()):
                # By its type: a library of cffi's only says that it is a module. And a lazy one is
                # imported by whoever asks it for an attribute.
                if issubclass(type(module), ModuleType):
                    names: dict[str, object] = object.__getattribute__(module, "__dict__")
                    if isinstance(at := names.get("__file__"), str):
                        self._globals[at] = names
            self._globals.setdefault(file, {})
        return self._globals[file]


def _code(function: object, called: Called) -> CodeType | None:
    """Its code, where that is what ran when it was called so."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return None
    code = function.__code__
    is_coroutine = bool(code.co_flags & inspect.CO_COROUTINE)
    return code if is_coroutine == called.awaited else None


def _methods(names: Mapping[str, object], name: str) -> list[object]:
    """The methods of that name, of all classes of a module."""
    # By its type: a proxy is asked for what it stands for by whoever asks for its class.
    classes: list[Any] = [each for each in list(names.values()) if issubclass(type(each), type)]
    return [vars(each)[name] for each in classes if name in vars(each)]


def _dependencies(scope: Scope) -> Iterator[object]:
    """What FastAPI calls for the parameters of a request, with its overrides."""
    overrides: Mapping[Any, Any] = getattr(scope.get("app"), "dependency_overrides", None) or {}
    waiting = [getattr(scope.get("route"), "dependant", None)]
    while waiting:
        dependant = waiting.pop()
        for each in getattr(dependant, "dependencies", ()):
            waiting.append(each)
            yield overrides.get(each.call, each.call)


def _only_long(functions: Iterable[object]) -> list[object]:
    """Those of them that end with an operator that may take long: others let somebody in."""
    return [
        each for each in functions if type(each) is FunctionType and has_operator(each.__code__)
    ]
