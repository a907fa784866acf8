"""Attribute: a call's async equivalent, as the catalogue has it -> as the user would write it.

The catalogue names one call of a library for all that it has. Where the async library has the same
names, what is shown is the user's own call with an `await`.
"""

from __future__ import annotations

import ast
import re
from typing import Final

from pytest_asyncguard.attribute.rewrite import Running, running
from pytest_asyncguard.model import Frame, Sighting

_VERBS: Final = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "request"})
_QUERIES: Final = frozenset(
    {"commit", "delete", "execute", "flush", "get", "get_one", "merge", "refresh"}
) | frozenset({"rollback", "scalar", "scalars"})
_CURSOR: Final = frozenset(
    {"commit", "execute", "executemany", "fetchall", "fetchmany", "fetchone", "rollback"}
)
_SAME_NAMES: Final[dict[str, frozenset[str] | None]] = {
    "httpx.AsyncClient": _VERBS,
    "redis.asyncio": None,
    "valkey.asyncio": None,
    "sqlalchemy.ext.asyncio.AsyncSession": _QUERIES,
    "pymongo.AsyncMongoClient": None,
    "psycopg.AsyncConnection": _CURSOR,
    "asyncmy or aiomysql": _CURSOR,
}
"""By the library of a twin, the methods that it has under the same name; None where all."""

_GENERIC: Final = frozenset({"execute_command", "perform_request"})
"""What a probe sees of a call that nobody writes so."""

_CODE: Final = re.compile(r"(?:async with )?(?:await )?[\w.]+(?:\(.*\)(?:\.\w+\(.*\))?)?")
_SHORT: Final = 60


def twin_of(sighting: Sighting, rule: str, blame: Frame) -> str | None:
    """The async equivalent, with what of the user's call stays; None where a thread is all."""
    twin = sighting.twin
    if twin is None or "to_thread(" in twin or "run_in_threadpool(" in twin:
        return None
    found = running(blame)
    if rule == "sleep" or (sighting.call == "open" and found.opens):
        # The same arguments will do.
        given = found.arguments
        return twin.replace("...", given) if given is not None and len(given) <= _SHORT else twin
    if (sighting.call or "").startswith("sqlalchemy.MetaData.") and found.call is not None:
        made = ast.unparse(found.call.func)
        return f"await connection.run_sync({made}), with sqlalchemy.ext.asyncio.AsyncEngine"
    code, of, library = twin.partition(", with ")
    if library in _SAME_NAMES and code.startswith("await "):
        code = _by_name(code, library, sighting.call or "", found)
    return f"{code}{of}{library}"


def _by_name(code: str, library: str, call: str, found: Running) -> str:
    """``code`` with the name of the very method, and with the user's call if that has it."""
    known = _SAME_NAMES[library]
    method = call.rpartition(".")[2]
    if method in _GENERIC or not (method.islower() and method.isidentifier()):
        return code
    if known is not None and method not in known:
        return code
    own = found.call
    same_api = call.partition(".")[0] != "requests"
    if same_api and own is not None and _calls(own, method):
        written = f"await {found.text}"
        if len(written) <= _SHORT and "await" not in written[6:]:
            return written
    return re.sub(r"\.\w+\(.*\)$", f".{method}(...)", code)


def _calls(call: ast.Call, method: str) -> bool:
    """Whether it calls a method of that name on an object that has a name."""
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == method
        and isinstance(function.value, ast.Name | ast.Attribute)
    )


def quoted(twin: str) -> str:
    """A twin in a sentence: its code in quotes, and the library that it is of beside it."""
    code, of, library = twin.partition(", with ")
    if _CODE.fullmatch(code):
        code = f"`{code}`"
    return f"{code}{of}{library}"
