"""How the rows of client libraries are written: many attributes of one module in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from pytest_asyncguard.catalog.rows import Arguments, Call, Keywords, always, nothing
from pytest_asyncguard.catalog.stdlib import argument, masked

THREAD: Final = "await asyncio.to_thread(...)"
HTTPX: Final = "await client.get(...), with httpx.AsyncClient"
VERBS: Final = "get post put patch delete head options request"


def calls(
    module: str,
    names: str,
    rule: str,
    twin: str | None,
    *,
    public: str = "",
    when: Callable[[Arguments, Keywords], bool] = always,
    detail: Callable[[Arguments, Keywords], str | None] = nothing,
    owned: bool = False,
) -> tuple[Call, ...]:
    """Rows for the attributes ``names`` of ``module``, a ``?`` after those not in every version.

    ``public`` is the package under whose name people know them, the top-level one by default.
    """
    home = public or module.partition(".")[0]
    return tuple(
        Call(
            target=f"{module}:{(name := word.removesuffix('?'))}",
            # Nobody writes the special methods: they stand for their class.
            name=re.sub(r"\.__\w+__$", "", f"{home}.{name}"),
            rule=rule,
            when=when,
            detail=detail,
            twin=twin,
            by_caller=True,
            owned=owned,
            optional=word.endswith("?"),
        )
        for word in names.split()
    )


def of(owner: str, methods: str) -> str:
    """The names of several methods of a class."""
    return " ".join(f"{owner}.{method}" for method in methods.split())


def sql(args: Arguments, kwargs: Keywords) -> str | None:
    """The statement that a cursor or connection is given, where it is text; literals masked."""
    for name in ("query", "operation", "statement", "sql"):
        statement = argument(args, kwargs, 1, name)
        if isinstance(statement, bytes):
            statement = statement.decode(errors="replace")
        if isinstance(statement, str):
            return masked(statement)
    return None


def given(position: int, name: str) -> Callable[[Arguments, Keywords], bool]:
    """Blocks where this argument is given: without a host, a client does not connect."""

    def when(args: Arguments, kwargs: Keywords) -> bool:
        value: Any = argument(args, kwargs, position, name)
        return bool(value)

    return when
