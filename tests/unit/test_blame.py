"""Blame: which line of the user's code, and what call on it; told from written stacks."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from pytest_asyncguard.attribute.blame import (
    blame,
    called_name,
    expression_text,
    library_called,
    occurrence,
)
from pytest_asyncguard.model import Endpoint, Frame, Request, Sample, Sighting, Stack
from pytest_asyncguard.probes.stacks import Reader

MS = 1_000_000

PROJECT = "/project/app.py"


def user(function: str, line: int = 3, **fields: Any) -> Frame:
    """A frame of the project."""
    values = {"file": PROJECT, "module": "app", **fields}
    return Frame(line=line, function=function, origin="project", **values)


def library(name: str, public: str = "") -> Frame:
    """A frame of a library, or of the standard library, from ``module:function``."""
    module, _, function = name.partition(":")
    return Frame(file=f"/lib/{module}.py", line=1, function=function, module=module, public=public)


ENTRY = library("starlette.applications:Starlette.__call__")
MIDDLEWARE = user("Slowdown.__call__", 20)
ROUTER = library("starlette.routing:Router.app")
APP = library("fastapi.routing:get_request_handler.<locals>.app")
RUN = library("fastapi.routing:run_endpoint_function")
SERIALIZE = library("fastapi.routing:serialize_response")


def request(file: str | None = PROJECT, line: int | None = 1) -> Request:
    endpoint = Endpoint(
        route="GET /items",
        method="GET",
        path="/items",
        function="app.Pages.items",
        file=file,
        line=line,
        kind="async",
        awaits=True,
    )
    return Request(type="http", route="GET /items", endpoint=endpoint)


def call(*stack: Frame, **fields: Any) -> Sighting:
    values: dict[str, Any] = {"rule": "socket", "call": "socket.connect", "request": request()}
    return Sighting(stack=stack, **{**values, **fields})


def stall(*samples: tuple[Stack, int], **fields: Any) -> Sighting:
    """A hold; samples are stacks and how many milliseconds they stand for."""
    return Sighting(
        rule=None,
        call=None,
        samples=tuple(Sample(stack=stack, weight_ns=weight * MS) for stack, weight in samples),
        **{"request": request(), **fields},
    )


def place(sighting: Sighting) -> tuple[str, int]:
    """Function and line to blame."""
    frame = blame(sighting).frame
    return frame.function, frame.line


# --- the line ----------------------------------------------------------------------------------


def test_the_innermost_line_of_the_project_is_to_blame() -> None:
    """Not what it called, however deep, and not who called it."""
    helper = user("fetch", 12)
    stack = (ENTRY, ROUTER, RUN, user("items"), helper, library("requests.api:get"))
    found = blame(call(*stack))
    assert (found.frame, found.stack, found.project) == (helper, stack, True)
    assert found.spread == 1


def test_a_callback_that_a_library_calls_is_to_blame_itself() -> None:
    """It is the user's code that runs, whoever called it."""
    callback = user("on_retry", 30)
    stack = (RUN, user("items"), library("tenacity:Retrying.call"), callback, library("time:x"))
    assert blame(call(*stack)).frame is callback


def test_middleware_is_not_to_blame_for_what_happens_inside_it() -> None:
    """It stands on the stack of every request; the endpoint asked for the work."""
    stack = (ENTRY, MIDDLEWARE, ROUTER, APP, SERIALIZE, library("json:dumps"))
    assert place(call(*stack)) == ("items", 1)


def test_middleware_is_to_blame_for_what_it_does() -> None:
    """What it calls itself, before or after the app."""
    stack = (ENTRY, MIDDLEWARE, library("requests.api:get"))
    assert place(call(*stack)) == ("Slowdown.__call__", 20)


def test_the_endpoint_is_to_blame_where_no_line_of_the_project_is() -> None:
    """Its response is serialized by the framework alone."""
    found = blame(call(ENTRY, ROUTER, APP, SERIALIZE, library("json:dumps")))
    assert (found.frame.function, found.frame.file, found.frame.line) == ("items", PROJECT, 1)
    assert (found.frame.origin, found.frame.coroutine, found.frame.awaits) == (
        "project",
        True,
        True,
    )
    assert found.project


@pytest.mark.parametrize("nowhere", [request(None, None), request(PROJECT, None), None])
def test_without_an_endpoint_the_outermost_library_is_to_blame(nowhere: Request | None) -> None:
    """One that is written in C has no line, and a lifespan has none at all."""
    compute = library("numbers:compute")
    found = blame(call(APP, SERIALIZE, compute, request=nowhere))
    assert not found.project
    assert found.frame.origin == "library"


def test_the_middleware_of_a_library_is_to_blame_for_itself() -> None:
    """The endpoint has not even been asked."""
    stack = (ENTRY, library("shield:Shield.__call__"), library("shield:Shield.check"))
    found = blame(call(*stack))
    assert (found.frame.function, found.project) == ("Shield.__call__", False)


def test_a_call_without_a_stack_is_the_endpoints() -> None:
    """Where nothing else is known, that is."""
    assert place(call()) == ("items", 1)


def test_where_nothing_is_known_nothing_is_made_up() -> None:
    """It is still a finding."""
    found = blame(call(request=None))
    assert (found.frame.file, found.project) == ("<unknown>", False)


# --- samples -----------------------------------------------------------------------------------


def test_the_line_that_stood_longest_is_to_blame() -> None:
    """If it has half of the time; the longest of its stacks is shown."""
    short = (RUN, user("items", 5), library("json:loads"))
    longer = (RUN, user("items", 5), library("json:dumps"))
    other = (RUN, user("items", 9))
    found = blame(stall((short, 20), (longer, 30), (other, 50)))
    assert (found.frame.line, found.stack, found.spread) == (5, longer, 1)


def test_the_last_line_is_not_to_blame_for_being_last() -> None:
    """Not the number of samples counts, but the time that they stand for."""
    samples = [((RUN, user("items", 9)), 10) for _ in range(4)]
    assert place(stall(((RUN, user("items", 5)), 60), *samples)) == ("items", 5)


def test_a_stall_spread_over_lines_is_that_of_what_they_have_in_common() -> None:
    """A loop: no line of it has half of the time; their function was called by one line."""
    outer = user("items", 4)
    samples = [((RUN, outer, user("work", line)), 40) for line in (11, 12, 13)]
    found = blame(stall(*samples))
    assert (found.frame.function, found.spread) == ("work", 3)
    assert found.stack[-1] is found.frame


def test_a_stall_spread_over_functions_is_that_of_their_caller() -> None:
    """Its heaviest line."""
    samples = [
        ((RUN, user("items", 4), user("parse", 11)), 30),
        ((RUN, user("items", 4), user("check", 21)), 30),
        ((RUN, user("items", 5), user("store", 31)), 40),
    ]
    found = blame(stall(*samples))
    assert (found.frame.function, found.frame.line, found.spread) == ("items", 4, 3)
    assert found.stack == (RUN, user("items", 4))


def test_recursion_is_that_of_its_first_call_that_has_most_of_the_time() -> None:
    """Each level is a place of its own, though it has one name."""

    def nested(depth: int, line: int) -> Stack:
        return (RUN, user("items", 4), *(user("walk", 11) for _ in range(depth)), user("n", line))

    found = blame(stall((nested(1, 21), 30), (nested(2, 22), 30), (nested(3, 23), 40)))
    assert (found.frame.function, len(found.stack)) == ("walk", 4)


def test_a_stall_spread_over_the_parts_of_a_request_is_not_its_middlewares() -> None:
    """It is on the stack of all of them, and did nothing of it."""
    outside = (ENTRY, MIDDLEWARE, ROUTER, APP)
    solve = library("fastapi.dependencies.utils:solve_dependencies")
    samples = [
        ((*outside, solve, user("current_user", 31)), 35),
        ((*outside, solve, user("tenant", 41)), 33),
        ((*outside, RUN, user("items", 4)), 32),
    ]
    found = blame(stall(*samples))
    assert (found.frame.function, found.spread) == ("current_user", 1)


def test_most_of_the_time_in_the_framework_is_the_endpoints() -> None:
    """A short stop in the project, however long it is as a single sample, is not to blame."""
    serializing = [
        ((ENTRY, ROUTER, APP, SERIALIZE, library(f"json:encode_{number}")), 20)
        for number in range(10)
    ]
    assert place(stall(((ENTRY, ROUTER, RUN, user("helper", 12)), 40), *serializing)) == (
        "items",
        1,
    )


def test_half_of_the_time_in_the_framework_is_not_enough() -> None:
    """What the project itself did comes first."""
    serializing = ((ENTRY, ROUTER, APP, SERIALIZE), 50)
    assert place(stall(serializing, ((RUN, user("helper", 12)), 50))) == ("helper", 12)


def test_a_stall_without_a_sample_is_the_endpoints() -> None:
    """One long operation in C that keeps the GIL."""
    assert place(stall()) == ("items", 1)


# --- the name of the call ----------------------------------------------------------------------


def named(*below: Frame, line: Frame | None = None, **fields: Any) -> str | None:
    """How a call is named that the user's line led to by the frames ``below``."""
    sighting = call(RUN, line or user("items"), *below, **{"named_by_caller": True, **fields})
    return called_name(sighting, blame(sighting))


def test_a_stall_has_no_call() -> None:
    """Nothing was called that anybody knows."""
    sighting = stall(((RUN, user("items")), 200))
    assert called_name(sighting, blame(sighting)) is None


def test_a_call_is_named_by_the_catalogue() -> None:
    """Where the probe saw the very call, that is."""
    below = library("requests.api:get", "requests.get")
    assert named(below, named_by_caller=False) == "socket.connect"


def test_a_call_is_named_after_what_the_user_called() -> None:
    """Not after what that did, deep below."""
    below = (
        library("requests.api:get", "requests.get"),
        library("urllib3.connectionpool:HTTPConnectionPool.urlopen"),
        library("socket:create_connection"),
    )
    assert named(*below) == "requests.get"


def test_what_the_user_called_directly_has_its_own_name() -> None:
    """There is nothing in between."""
    assert named() == "socket.connect"


@pytest.mark.parametrize(
    "frame",
    [
        library("contextlib:_GeneratorContextManager.__enter__"),
        library("functools:cached_property.__get__"),
        library("asyncio.runners:run"),
        library("anyio._core:run"),
        replace(library("generated:method"), file="<string>", module=""),
        library("importlib._bootstrap:_find_and_load"),
    ],
    ids=lambda frame: frame.module,
)
def test_what_only_passes_a_call_on_is_not_meant(frame: Frame) -> None:
    """Nobody means ``contextlib`` when he opens a session."""
    assert named(frame, library("driver:connect", "driver.connect")) == "driver.connect"


def test_what_reads_the_metadata_of_a_package_is_meant() -> None:
    """It is no import, though it lives where imports do."""
    below = library("importlib.metadata:version", "importlib.metadata.version")
    assert named(below, library("os:listdir")) == "importlib.metadata.version"


def test_the_inside_of_a_library_is_not_meant() -> None:
    """Its first function with a name that is shown; where it has none, the first."""
    hidden = library("driver.core:Client._retry", "driver.core.Client._retry")
    special = library("driver.core:Client.__enter__", "driver.core.Client")
    shown = library("driver.core:Client.fetch", "driver.Client.fetch")
    assert named(hidden, shown) == "driver.Client.fetch"
    assert named(special, shown) == "driver.core.Client"
    assert named(hidden) == "driver.core.Client._retry"


def test_a_closure_stands_for_the_function_that_it_decorates() -> None:
    """Of the same library; that is what the user wrote."""
    wrapper = library("driver.tools:retried.<locals>.wrapper", "driver.tools.retried")
    wrapped = library("driver.api:fetch", "driver.fetch")
    assert named(wrapper, wrapped) == "driver.fetch"


def test_a_closure_of_one_library_does_not_stand_for_another() -> None:
    """What the other one is called for is none of the user's business."""
    wrapper = library("driver.tools:retried.<locals>.wrapper", "driver.tools.retried")
    assert named(wrapper, library("wire:send", "wire.send")) == "driver.tools.retried"


def test_a_function_without_a_public_name_has_its_own() -> None:
    """Better than none."""
    assert named(library("driver:fetch")) == "fetch"


@pytest.fixture(name="line_of")
def _line_of(tmp_path: Path) -> Any:
    """The frame of a function made of some source, standing at the call of ``here``."""

    def line_of(source: str, call: str = "here()", number: int = 1) -> Frame:
        source = textwrap.dedent(source)
        file = tmp_path / f"app{number}.py"
        file.write_text(source, encoding="utf-8")
        code = compile(source, str(file), "exec")
        reader = Reader(lambda file: "project")
        found = [
            frame
            for each in codes(code)
            for offset in range(0, len(each.co_code), 2)
            if expression_text(frame := reader.frame(each, offset)) == call
        ]
        assert found, call
        return found[0]

    return line_of


def codes(code: CodeType) -> list[CodeType]:
    """A code object and those inside it."""
    return [
        code,
        *(
            inner
            for const in code.co_consts
            if isinstance(const, CodeType)
            for inner in codes(const)
        ),
    ]


def test_a_method_is_named_after_the_class_that_owns_it(line_of: Any) -> None:
    """It may be defined in a mixin, or made at run time: the line has the name."""
    line = line_of("r = cache.get('key')", "cache.get('key')")
    below = library("redis.commands.core:BasicKeyCommands.get", "redis.commands.core.X.get")
    owned = {"call": "redis.Redis.execute_command", "owned": True}
    assert named(below, line=line, **owned) == "redis.Redis.get"


def test_a_method_that_the_line_does_not_call_has_its_own_name(line_of: Any) -> None:
    """``list(cache.scan())`` consumes what that gives, and ``list`` is no method."""
    line = line_of("r = list(cache.scan())", "list(cache.scan())")
    below = library("redis.commands.core:ScanCommands.scan", "redis.commands.core.X.scan")
    owned = {"call": "redis.Redis.execute_command", "owned": True}
    assert named(below, line=line, **owned) == "redis.Redis.scan"


@pytest.fixture(name="stores")
def _stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library with a client, its mixin that has two names for a method, and a lock."""
    made = ModuleType("stores")
    exec(
        "class Keys:\n    def incrby(self): ...\n    incr = incrby\n"
        "class Store(Keys): ...\nclass Lock:\n    def acquire(self): ...\n",
        vars(made),
    )
    monkeypatch.setitem(sys.modules, "stores", made)


@pytest.mark.usefixtures("stores")
def test_another_name_of_a_method_is_the_one_on_the_line(line_of: Any) -> None:
    """The function has but one."""
    line = line_of("store.incr('key')", "store.incr('key')")
    owned = {"call": "stores.Store.execute", "owned": True}
    assert named(library("stores:Keys.incrby"), line=line, **owned) == "stores.Store.incr"


@pytest.mark.usefixtures("stores")
def test_a_method_of_another_class_is_not_named_after_that_class(line_of: Any) -> None:
    """A lock is no store, though it works on one."""
    line = line_of("lock.acquire()", "lock.acquire()")
    owned = {"call": "stores.Store.execute", "owned": True}
    below = library("stores:Lock.acquire", "stores.Lock.acquire")
    assert named(below, line=line, **owned) == "stores.Lock.acquire"


@pytest.mark.usefixtures("stores")
def test_a_dotted_name_is_named_as_it_is_written(line_of: Any) -> None:
    """Where it leads to something: what it leads to may have another name of its own."""
    below = library("stores:Keys.incrby", "stores.Keys.incrby")
    line = line_of("stores.Keys.incr(x)", "stores.Keys.incr(x)")
    assert named(below, line=line) == "stores.Keys.incr"
    line = line_of("stores.Keys.decr(x)", "stores.Keys.decr(x)", number=2)
    assert named(below, line=line) == "stores.Keys.incrby"


def test_a_method_of_another_library_is_not_named_after_that_class(line_of: Any) -> None:
    """A wrapper library has names of its own."""
    line = line_of("r = store.fetch('key')", "store.fetch('key')")
    below = library("caching.store:Store.fetch", "caching.Store.fetch")
    owned = {"call": "redis.Redis.execute_command", "owned": True}
    assert named(below, line=line, **owned) == "caching.Store.fetch"


def test_a_line_that_calls_no_method_leaves_the_name(line_of: Any) -> None:
    """``cache["key"]`` is a look-up, and the library's own word for it is shown."""
    line = line_of("r = cache['key']", "cache['key']")
    below = library("redis.commands.core:BasicKeyCommands.__getitem__", "redis.Redis")
    owned = {"call": "redis.Redis.execute_command", "owned": True}
    assert named(below, line=line, **owned) == "redis.Redis"


@pytest.mark.parametrize(
    ("source", "expression", "detail", "name"),
    [
        ("db.execute('SELECT 1')", "db.execute('SELECT 1')", "SELECT ?", "sqlite3.execute"),
        ("db.executemany(s, r)", "db.executemany(s, r)", "INSERT", "sqlite3.executemany"),
        ("with db: pass", "db", "COMMIT", "sqlite3.commit"),
        ("with db: pass", "db", "ROLLBACK", "sqlite3.rollback"),
        ("for row in rows: pass", "rows", "SELECT ?", "sqlite3.execute"),
        ("for row in rows: pass", "rows", None, "sqlite3.execute"),
    ],
)
def test_sqlite_is_named_after_the_method_on_the_line(
    line_of: Any, source: str, expression: str, detail: str | None, name: str
) -> None:
    """Its methods are C and on no stack; where the line calls none, the statement tells."""
    line = line_of(source, expression)
    assert named(line=line, call="sqlite3", detail=detail) == name


@pytest.mark.parametrize(
    ("below", "called"),
    [
        ((), None),
        ((library("requests.api:get"), library("urllib3:urlopen")), "requests"),
        ((library("contextlib:x"), library("sqlalchemy.orm.session:Session.get")), "sqlalchemy"),
    ],
)
def test_the_library_that_was_called_is_the_first_below_the_line(
    below: Stack, called: str | None
) -> None:
    """That is whose async twin is to be shown."""
    assert library_called(blame(call(RUN, user("items"), *below))) == called


# --- the expression ----------------------------------------------------------------------------


def test_the_expression_is_cut_out_by_characters(line_of: Any) -> None:
    """Text before it on the line may be more than ASCII."""
    source = "größe, emoji = 'ü', [{'😀': fetch('naïve', größe=1)}]"
    line = line_of(source, "fetch('naïve', größe=1)")
    assert source[line.column - 1 : line.end_column - 1] == "fetch('naïve', größe=1)"


def test_an_expression_on_several_lines_is_read_as_one(line_of: Any) -> None:
    """Line breaks and indentation are white space."""
    source = """
        def f():
            é = client.get(
                "größe",
                timeout=3,
            )
    """
    frame = line_of(source, 'client.get( "größe", timeout=3, )')
    assert (frame.line, frame.end_line) == (3, 6)


@pytest.mark.parametrize(
    "missing",
    [{"column": None}, {"end_column": None}, {"file": "<string>"}, {"file": "/nowhere/app.py"}],
)
def test_without_columns_or_source_there_is_no_expression(
    line_of: Any, missing: dict[str, Any]
) -> None:
    """Python can run without either."""
    assert expression_text(replace(line_of("x = here()"), **missing)) is None


# --- which of several --------------------------------------------------------------------------


@pytest.fixture(name="repeating")
def _repeating(tmp_path: Path) -> str:
    file = tmp_path / "repeating.py"
    file.write_text(
        "x.get()\n"  # 1
        "def f():\n"  # 2
        "    x.get()\n"  # 3
        "    if y:\n"  # 4
        "        x.get()\n"  # 5
        "    z = x.get()\n"  # 6
        "    x.get()\n"  # 7
    )
    return str(file)


@pytest.mark.parametrize(("line", "number"), [(3, 0), (5, 1), (6, 0), (7, 2)])
def test_the_same_line_again_in_a_function_is_counted(
    repeating: str, line: int, number: int
) -> None:
    """Whatever its indentation; what stands before the function is not."""
    source = "z = x.get()" if line == 6 else "    x.get()"
    frame = user("f", line, file=repeating, first_line=2, source=source)
    assert occurrence(frame) == number


def test_a_line_without_source_is_the_first_of_its_kind() -> None:
    """There is nothing to compare."""
    assert occurrence(user("f", 30)) == 0
