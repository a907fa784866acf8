"""The kinds of row of which the catalogue is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def always(args: Arguments, kwargs: Keywords) -> bool:
    """The call blocks whatever it is given."""
    return True


def inside(args: Arguments, kwargs: Keywords) -> bool:
    """The call blocks only where a known call inside it does; then it gives its name to that."""
    return False


def nothing(args: Arguments, kwargs: Keywords) -> str | None:
    """No detail worth showing."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A callable that blocks.

    ``target`` is ``module:attribute`` or ``module:Class.attribute``, ``also`` further places from
    which the same object is taken, ``when`` tells from the arguments whether it can block, and
    ``detail`` what of the arguments may be shown. ``by_caller``: name the finding after the
    library function that the user called, not after this call; ``owned``: and where that is a
    method, under the class in ``name``, since it may be defined in a mixin or made at run time.
    """

    target: str
    rule: str
    name: str = ""
    owned: bool = False
    also: tuple[str, ...] = ()
    when: Callable[[Arguments, Keywords], bool] = always
    detail: Callable[[Arguments, Keywords], str | None] = nothing
    twin: str | None = None
    by_caller: bool = False
    optional: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.target.replace(":", "."))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An audit event that CPython raises when a call is about to block."""

    event: str
    rule: str
    name: str = ""
    when: Callable[[Arguments], bool] = bool
    detail: Callable[[Arguments], str | None] = lambda args: None
    twin: str | None = None
    by_caller: bool = True

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A function inside which nothing is reported, and why.

    ``module`` is a dotted name and stands for its submodules too; ``functions`` are qualified
    names, empty for all of the module. ``stalls`` says that time spent in it is no stall either.
    """

    module: str
    reason: str
    functions: tuple[str, ...] = ()
    stalls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A class or factory whose products have a synchronous API.

    It matters where a test replaces it whole: then no wrapped method is ever called, and each call
    of a method of the double stands for one of the client. ``quick`` names those that do not block;
    ``connects``: making one does.
    """

    target: str
    rule: str
    twin: str | None = None
    quick: str = ""
    connects: bool = False

    @property
    def name(self) -> str:
        return self.target.replace(":", ".")
