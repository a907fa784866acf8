"""sqlite3: its statements are seen on the loop, and nothing of what was bound to them is told."""

from __future__ import annotations

import re
import sqlite3
import sqlite3.dbapi2
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_asyncguard.catalog.rows import Call, inside
from pytest_asyncguard.catalog.stdlib import masked
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import wrap
from pytest_asyncguard.probes.sqlite import on_statement

if TYPE_CHECKING:
    from tests.unit.conftest import Watched

SECRET = "S3cret"


def on_loop(watched: Watched, function: Callable[[], Any]) -> Any:
    return holds.step(watched.request(), lambda _: function(), None)


# --- masking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT name FROM users", "SELECT name FROM users"),
        ("SELECT * FROM t1 WHERE c2 = 'x'", "SELECT * FROM t1 WHERE c2 = ?"),
        ("SELECT 'it''s', ''", "SELECT ?, ?"),
        ("SELECT x'CAFE', X'00'", "SELECT ?, ?"),
        ("SELECT 1, -2, 3.5, 4e10, 0xFF", "SELECT ?, -?, ?, ?, ?"),
        ("SELECT a1b2, t_1.c_2", "SELECT a1b2, t_1.c_2"),
        ("SELECT 'a -- b', 'c /* d'", "SELECT ?, ?"),
        ("SELECT\n\t1,\n   2", "SELECT ?, ?"),
        ("SELECT name -- who\nFROM users", "SELECT name FROM users"),
        ("SELECT /* by /app/x.py */ name", "SELECT name"),
        ('SELECT "first name" FROM "2023"', 'SELECT "first name" FROM "2023"'),
    ],
)
def test_literals_are_masked_and_names_are_not(sql: str, shown: str) -> None:
    """A statement stays readable on one line, without its values and comments."""
    assert masked(sql) == shown


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
literal = text.map(lambda value: "'" + (value + SECRET).replace("'", "''") + "'")
fragments = st.one_of(
    st.sampled_from(["SELECT", "FROM t", "WHERE name =", "AND x <", ",", "(", ")", "1", "-2.5e3"]),
    literal,
    text.map(lambda name: '"' + name.replace('"', '""') + '"'),
    text.map(lambda name: "`" + name.replace("`", "``") + "`"),
    text.map(lambda name: "[" + name.replace("]", "") + "]"),
    text.map(lambda remark: "/* " + remark.replace("*/", "") + " */"),
    text.map(lambda remark: "-- " + remark.replace("\n", "") + "\n"),
)


@given(st.lists(fragments, min_size=1, max_size=12).map(" ".join))
@example(f"/* it's */ SELECT * FROM t WHERE name = '{SECRET}'")
@example(f"SELECT 1 -- don't\nFROM t WHERE name = '{SECRET}'")
@example(f"SELECT \"it's\", '{SECRET}'")
@example(f"SELECT `it's`, '{SECRET}'")
@example(f"SELECT [it's], '{SECRET}'")
@example(f"SELECT '/*', '{SECRET}', '*/'")
def test_no_literal_is_told_whatever_stands_around_it(sql: str) -> None:
    """A quote within a comment or a quoted name opens no literal, and hides none."""
    assert SECRET not in masked(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT $$it's S3cret$$, '$$'",
        "SELECT $tag$S3cret$$ S3cret$tag$",
        "SELECT E'it\\'s S3cret', 'S3cret'",
        "SELECT 'C:\\', 'S3cret'",
        "SELECT ARRAY['S3cret']",
    ],
)
def test_literals_of_other_dialects_are_masked(sql: str) -> None:
    """The statements of all databases are shown by one function, which does not know whose."""
    assert SECRET not in masked(sql)


@pytest.mark.parametrize("sql", ["SELECT 'S3cret", "SELECT 'S3cret''", "/* 'S3cret", "x'S3cret"])
def test_a_literal_that_was_cut_off_is_masked(sql: str) -> None:
    """What does not end is a literal, or a comment, to its end."""
    assert SECRET not in masked(sql)


@pytest.mark.parametrize("number", ["1_234_567", "1234567", "12345.67", "1234567e-4", ".1234567"])
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    """An account number is as private as a name."""
    assert not re.search(r"\d", masked(f"SELECT {number} WHERE x=-{number};"))


@given(
    value=st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        st.binary(min_size=1),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_no_bound_value_is_told(value: object) -> None:
    """The trace callback of sqlite hands over the statement with its values written into it."""
    told: list[str] = []
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.set_trace_callback(told.append)
        connection.execute("SELECT ? /* it's */ AS \"what's bound\"", (value,))
    (sql,) = told
    # After a backslash the end of a string is a matter of dialect: then nothing more is told.
    assert masked(sql).replace("-", "") in ("SELECT ?", 'SELECT ? AS "what\'s bound"')


def test_a_long_statement_is_cut() -> None:
    """A report has room for what the statement does, and not for all of its columns."""
    shown = masked("SELECT " + ", ".join(f"column_{n}" for n in range(100)))
    assert len(shown) == 200
    assert shown.endswith("...")


# --- statements --------------------------------------------------------------------------------


@pytest.fixture(name="connection")
def _connection(guard_installed: Watched) -> Iterator[sqlite3.Connection]:
    """A database with one table, opened off the loop with the guard installed."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
        yield connection


def details(watched: Watched) -> list[str | None]:
    return [call.detail for call in watched.calls()]


def test_a_statement_on_the_loop_is_seen(
    guard_installed: Watched, connection: sqlite3.Connection, functions: Any
) -> None:
    """With the statement, and at the line that asks for it; in memory or not."""

    def query() -> None:
        connection.execute("SELECT name FROM users WHERE name = ?", ("S3cret",))

    on_loop(guard_installed, query)
    (seen,) = guard_installed.calls()
    assert (seen.row.rule, seen.detail) == (
        "sync-database",
        "SELECT name FROM users WHERE name = ?",
    )
    assert functions(seen.stack)[0].endswith(".query")


def test_statements_of_cursors_and_transactions_are_seen(
    guard_installed: Watched, connection: sqlite3.Connection
) -> None:
    """All ways to run SQL come down to statements."""

    def work() -> None:
        with connection:
            connection.cursor().executemany("INSERT INTO users VALUES (?)", [("a",), ("b",)])
        connection.executescript("DELETE FROM users; DROP TABLE users")

    on_loop(guard_installed, work)
    seen = [detail.strip() for detail in details(guard_installed) if detail]
    assert "INSERT INTO users VALUES (?)" in seen
    assert {"COMMIT", "DELETE FROM users;", "DROP TABLE users"} <= set(seen)


def test_a_statement_off_the_loop_is_free(
    guard_installed: Watched, connection: sqlite3.Connection
) -> None:
    """A test may fill its database as it likes."""
    connection.execute("INSERT INTO users VALUES ('a')")
    assert guard_installed.names() == []


def test_a_statement_in_a_worker_thread_is_free(
    guard_installed: Watched, connection: sqlite3.Connection
) -> None:
    """That is how aiosqlite works."""
    worker = threading.Thread(target=connection.execute, args=("SELECT name FROM users",))

    def in_a_thread() -> None:
        worker.start()
        while worker.is_alive():
            pass

    on_loop(guard_installed, in_a_thread)
    assert "sync-database" not in [call.row.rule for call in guard_installed.calls()]


def test_connecting_is_seen(guard_installed: Watched) -> None:
    """Opening a database is a blocking call of its own, once."""
    connection = on_loop(guard_installed, lambda: sqlite3.connect(":memory:"))
    connection.close()
    assert guard_installed.names() == ["sqlite3.connect"]


def test_a_statement_inside_a_known_call_adds_nothing(
    guard_installed: Watched, connection: sqlite3.Connection
) -> None:
    """An ORM's call is named as the user wrote it, and a statement is what makes it block."""
    row = Call(target="orm:load", rule="sync-database", when=inside)
    load = wrap(connection.execute, row, method=False)
    on_loop(guard_installed, lambda: load("SELECT name FROM users"))
    assert guard_installed.names() == ["orm.load"]


def test_an_error_in_a_statement_is_the_users(
    guard_installed: Watched, connection: sqlite3.Connection
) -> None:
    """The exception is that of sqlite3; what never ran is not seen."""
    with pytest.raises(sqlite3.OperationalError, match="no such table: absent"):
        on_loop(guard_installed, lambda: connection.execute("SELECT * FROM absent"))
    assert guard_installed.names() == []


def test_a_trace_callback_of_the_users_own_is_used(
    guard_installed: Watched, connection: sqlite3.Connection
) -> None:
    """There is one per connection: the guard gives way."""
    told: list[str] = []
    connection.set_trace_callback(told.append)
    on_loop(guard_installed, lambda: connection.execute("SELECT name FROM users"))
    assert told == ["SELECT name FROM users"]


def test_a_connection_is_of_the_class_that_was_asked_for(guard_installed: Watched) -> None:
    """A factory makes the connections, and its exceptions are raised."""

    class Own(sqlite3.Connection):
        pass

    with closing(sqlite3.connect(":memory:", factory=Own)) as connection:
        assert type(connection) is Own
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect("/nowhere/at/all")


def test_connect_is_one_object_under_both_its_names(guard_installed: Watched) -> None:
    """sqlite3 takes it from sqlite3.dbapi2."""
    assert sqlite3.connect is sqlite3.dbapi2.connect


def test_an_error_of_the_guards_does_not_reach_sqlite(
    guard_installed: Watched, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing trace callback is switched off, and the statement runs."""

    def failing(sql: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("pytest_asyncguard.probes.sqlite.masked", failing)
    rows = on_loop(guard_installed, lambda: connection.execute("SELECT 1").fetchall())
    assert rows == [(1,)]
    assert [part for part, _ in guard_installed.failures] == ["sqlite"]
    guard_installed.failures.clear()


def test_the_callback_may_outlive_the_guard() -> None:
    """A connection keeps its callback, which then says nothing."""
    on_statement("SELECT 1")
