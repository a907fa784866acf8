"""Twins: the async equivalent of a call, as its user would write it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_asyncguard.attribute.twin import quoted, twin_of
from pytest_asyncguard.catalog import clients, stdlib
from pytest_asyncguard.model import Frame, Sighting

SESSION = "await session.execute(...), with sqlalchemy.ext.asyncio.AsyncSession"
HTTPX = "await client.get(...), with httpx.AsyncClient"
REDIS = "await client.get(...), with redis.asyncio"


@pytest.mark.parametrize(
    ("twin", "call", "expression", "expected"),
    [
        (SESSION, "sqlalchemy.orm.Session.scalars", "db.scalars(query)", "await db.scalars(query)"),
        (SESSION, "sqlalchemy.orm.Session.commit", "self.db.commit()", "await self.db.commit()"),
        (
            SESSION,
            "sqlalchemy.MetaData.create_all",
            "Base.metadata.create_all(engine)",
            "await connection.run_sync(Base.metadata.create_all)",
        ),
        # What an async session does not have.
        (SESSION, "sqlalchemy.orm.Query.all", "db.query(User).all()", "await session.execute(...)"),
        # The line calls something else, which calls that.
        (SESSION, "sqlalchemy.orm.Session.scalar", "load(db)", "await session.scalar(...)"),
        # The arguments would not do, or are too many to be shown.
        (HTTPX, "requests.post", "requests.post(url)", "await client.post(...)"),
        (HTTPX, "httpx.Client.post", "client.post(url)", "await client.post(url)"),
        (HTTPX, "httpx.Client.put", f"client.put({'a' * 60})", "await client.put(...)"),
        (HTTPX, "httpx.get", "make().get(url)", "await client.get(...)"),
        (REDIS, "redis.Redis.hgetall", "cache.hgetall(key)", "await cache.hgetall(key)"),
        (REDIS, "redis.Redis.execute_command", "cache.x(key)", "await client.get(...)"),
        (REDIS, "redis.Redis.set", "cache.set(await key())", "await client.set(...)"),
    ],
)
def test_the_same_method_is_named_with_the_call_itself_where_it_fits(
    twin: str, call: str, expression: str, expected: str
) -> None:
    """Async libraries that mirror a synchronous one are asked for the same thing."""
    found = twin_of(sighting(twin, call), "sync-client", standing_on(expression))
    assert found is not None
    assert found.partition(", with ")[0] == expected


@pytest.mark.parametrize("twin", ["await asyncio.to_thread(...)", "await run_in_threadpool(...)"])
def test_a_thread_is_no_twin(twin: str) -> None:
    """That can be said better, with the call itself."""
    assert twin_of(sighting(twin, "x.y"), "file", standing_on("work()")) is None
    assert twin_of(sighting(None, "x.y"), "file", standing_on("work()")) is None


def test_a_sleep_keeps_its_seconds() -> None:
    """Both take the same argument; where it is not known, it is left open."""
    twin = "await asyncio.sleep(...)"
    found = twin_of(sighting(twin, "time.sleep"), "sleep", standing_on("time.sleep(delay / 2)"))
    assert found == "await asyncio.sleep(delay / 2)"
    assert twin_of(sighting(twin, "time.sleep"), "sleep", standing_on("naps")) == twin


def test_a_file_is_opened_with_the_same_arguments() -> None:
    """As far as they can be shown."""
    twin = "async with await anyio.open_file(...)"
    found = twin_of(sighting(twin, "open"), "file", standing_on('open(path, "wb")'))
    assert found == 'async with await anyio.open_file(path, "wb")'
    long = standing_on(f"open({'a' * 80})")
    assert twin_of(sighting(twin, "open"), "file", long) == twin
    # Other calls that open a file have other arguments.
    assert twin_of(sighting(twin, "x"), "file", standing_on("path.read_text()")) == twin


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        (HTTPX, "`await client.get(...)`, with httpx.AsyncClient"),
        ("await asyncio.Event().wait()", "`await asyncio.Event().wait()`"),
        ("async with asyncio.Semaphore(...)", "`async with asyncio.Semaphore(...)`"),
        ("async with await anyio.open_file(...)", "`async with await anyio.open_file(...)`"),
        ("grpc.aio", "`grpc.aio`"),
        ("the *_async methods of stripe", "the *_async methods of stripe"),
        ("Django's async methods (aget, ...)", "Django's async methods (aget, ...)"),
    ],
)
def test_code_is_quoted_and_words_are_not(twin: str, expected: str) -> None:
    """Some libraries are best told in words."""
    assert quoted(twin) == expected


def test_every_twin_of_the_catalogue_is_code_that_can_be_read() -> None:
    """Or words, which then do not look like code."""
    rows: list[Any] = [*stdlib.CALLS, *clients.CALLS, *stdlib.AUDIT.values()]
    twins = {row.twin for row in rows if row.twin} | {
        each for each in clients.TWINS.values() if each
    }
    assert twins
    for twin in twins:
        code = quoted(twin).partition(", with ")[0]
        assert code.startswith("`") or not any(mark in code for mark in ("await", "()")), twin


def sighting(twin: str | None, call: str) -> Sighting:
    return Sighting(rule="sync-client", call=call, twin=twin)


def standing_on(expression: str) -> Frame:
    return Frame(
        file="<string>",
        line=1,
        function="page",
        source=expression,
        column=1,
        end_column=len(expression) + 1,
        coroutine=True,
    )
