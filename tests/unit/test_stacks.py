"""Stacks: taken cheaply on the loop, and made into plain frames off it."""

from __future__ import annotations

import asyncio
import linecache
import sys
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.model import Frame
from pytest_asyncguard.probes import holds, stacks
from pytest_asyncguard.probes.stacks import (
    RawStack,
    Reader,
    boundary,
    capture,
    identity,
    module_of,
    positions,
    public_name,
)

if TYPE_CHECKING:
    from tests.unit.conftest import Watched


@pytest.fixture(name="reader")
def _reader() -> Reader:
    """A reader to which this file is the project, and all else a library."""
    return Reader(lambda file: "project" if file == __file__ else "library")


def here() -> RawStack:
    return capture(sys._getframe(1))


# --- taking one --------------------------------------------------------------------------------


def test_a_stack_ends_at_the_boundary(inbox_open: Watched, functions: Any) -> None:
    """What called the request is none of its own: neither the loop nor the test."""

    def step(_: object) -> RawStack:
        return inner()

    def inner() -> RawStack:
        return here()

    stack = holds.step(inbox_open.request(), step, None)
    assert functions(stack) == [inner.__qualname__, step.__qualname__]


def test_the_stack_of_an_app_begins_with_the_app(inbox_open: Watched, functions: Any) -> None:
    """Also after it was suspended: each send begins anew."""
    taken: list[RawStack] = []

    async def app() -> None:
        taken.append(here())
        await asyncio.sleep(0)
        await helper()

    async def helper() -> None:
        taken.append(here())

    async def main() -> None:
        await inbox_open.drive(app())

    asyncio.run(main())
    assert [functions(stack) for stack in taken] == [
        [app.__qualname__],
        [helper.__qualname__, app.__qualname__],
    ]


def test_without_a_boundary_a_stack_is_whole(functions: Any) -> None:
    """Nobody asks for one outside a request; it is no error."""
    names = functions(here())
    assert names[0] == "test_without_a_boundary_a_stack_is_whole"
    assert names[-1] in {"<module>", "_run_module_as_main"}
    assert capture(None) == ()


def test_a_boundary_is_one_however_often_it_is_named() -> None:
    """The probes name it each time they are installed."""
    before = list(stacks._boundaries)
    boundary(holds.step)
    assert stacks._boundaries == before


def test_taking_a_stack_looks_nothing_up(
    inbox_open: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is opened on the loop, and no column computed."""

    def fail(*args: object) -> str:
        raise AssertionError("looked up")

    monkeypatch.setattr(linecache, "getline", fail)
    monkeypatch.setattr(stacks, "positions", fail)
    assert holds.step(inbox_open.request(), lambda _: here(), None)


def test_a_stack_keeps_nothing_of_the_users_alive() -> None:
    """It is kept until the test is over; a local variable must not be."""

    class Local:
        pass

    def caller() -> tuple[RawStack, weakref.ref[Local]]:
        local = Local()
        return here(), weakref.ref(local)

    stack, local = caller()
    assert stack
    assert local() is None


def test_stacks_of_one_place_have_one_identity() -> None:
    """However often the loop comes by, and nothing else has it."""

    def line() -> RawStack:
        return here()

    first, again = (line() for _ in range(2))
    other = line()
    assert identity(first) == identity(again)
    assert identity(first) != identity(other)


# --- reading one -------------------------------------------------------------------------------


def frame_of(reader: Reader, function: Callable[[], RawStack]) -> Frame:
    """The frame of ``function`` in the stack that it returns."""
    name = function.__qualname__
    return next(frame for frame in reader.read(function())[::-1] if frame.function == name)


def test_frames_stand_outermost_first(inbox_open: Watched, reader: Reader) -> None:
    """As a traceback shows them; frames of the guard's own are left out."""

    def step(_: object) -> RawStack:
        return holds.step(inbox_open.request(), inner, None)  # type: ignore[no-any-return]

    def inner(_: object) -> RawStack:
        frame: FrameType | None = sys._getframe()
        parts: list[object] = []
        while frame is not None and frame.f_code.co_name != "test_frames_stand_outermost_first":
            parts += [frame.f_code, frame.f_lasti]
            frame = frame.f_back
        return tuple(parts)

    names = [frame.function for frame in reader.read(step(None))]
    assert names == [step.__qualname__, inner.__qualname__]


def test_a_frame_tells_the_place_of_the_very_call(reader: Reader) -> None:
    """Line and columns, counted from 1, the end exclusive."""

    def caller() -> RawStack:
        return (None, here())[1]

    frame = frame_of(reader, caller)
    assert frame.source is not None
    assert (frame.file, frame.line) == (__file__, caller.__code__.co_firstlineno + 1)
    assert frame.first_line == caller.__code__.co_firstlineno
    assert frame.column is not None
    assert frame.end_column is not None
    assert frame.source[frame.column - 1 : frame.end_column - 1] == "here()"
    assert frame.end_line == frame.line


def test_columns_count_characters(reader: Reader) -> None:
    """The interpreter counts bytes, and people write more than ASCII."""

    def caller() -> RawStack:
        return {"größer als 😀": (), "é": here()}["é"]

    frame = frame_of(reader, caller)
    assert frame.source is not None
    assert frame.column is not None
    assert frame.end_column is not None
    assert frame.source[frame.column - 1 : frame.end_column - 1] == "here()"


def test_a_call_on_several_lines_has_its_end_on_the_last(reader: Reader) -> None:
    """The end column is one of the last line, whatever that is written in."""

    def take(*words: str) -> RawStack:
        return capture(sys._getframe(1))

    def caller() -> RawStack:
        return take(
            "a",
            "größer",
            "ü")  # fmt: skip

    frame = frame_of(reader, caller)
    assert frame.end_line == frame.line + 3
    last = linecache.getline(__file__, frame.end_line)
    assert frame.end_column == last.index(")") + 2


def test_code_without_a_file_has_no_source(reader: Reader) -> None:
    """Made by exec: lines there are, but nobody can look them up."""
    namespace: dict[str, Any] = {"here": here}
    exec(compile("\n\ndef caller():\n    return here()", "<made up>", "exec"), namespace)
    frame = frame_of(reader, namespace["caller"])
    assert (frame.file, frame.line, frame.source) == ("<made up>", 4, None)
    assert (frame.column, frame.end_column) == (None, None)


def comprehension() -> RawStack:
    return [here() for _ in "x"][0]  # noqa: RUF015 - the comprehension is the point


def generator() -> RawStack:
    return next(here() for _ in "x")


@pytest.mark.parametrize("function", [comprehension, generator])
def test_an_expression_with_a_frame_is_part_of_its_function(
    reader: Reader, function: Callable[[], RawStack]
) -> None:
    """Which of them have one depends on the Python version; their identity must not."""
    assert reader.read(function())[-1].function == function.__name__


def test_a_function_within_a_function_keeps_its_name(reader: Reader) -> None:
    """Lambdas too: two of them in one function are two places."""

    def inner() -> RawStack:
        return here()

    prefix = "test_a_function_within_a_function_keeps_its_name.<locals>"
    assert reader.read(inner())[-1].function == f"{prefix}.inner"
    unnamed: Callable[[], RawStack] = lambda: here()  # noqa: E731, PLW0108 - it has no name
    assert reader.read(unnamed())[-1].function == f"{prefix}.<lambda>"


def test_a_place_is_looked_up_once(reader: Reader) -> None:
    """A request that calls the same thing a thousand times is read as fast as one."""

    def caller() -> RawStack:
        return here()

    first, again = (reader.read(caller())[-1] for _ in range(2))
    assert first is again


def test_places_of_code_that_is_gone_are_not_mixed_up(reader: Reader) -> None:
    """New code may get the address of old code; the reader keeps what it has read alive."""
    for number in range(100):
        namespace: dict[str, Any] = {"here": here}
        exec(compile(f"def made_{number}(): return here()", "<made up>", "exec"), namespace)
        stack = namespace.pop(f"made_{number}")()
        assert reader.read(stack)[-1].function == f"made_{number}"
        del stack


async def coroutine() -> None:
    pass


async def awaiting() -> None:
    await asyncio.sleep(0)


async def async_generator() -> AsyncIterator[int]:
    yield 1


def plain() -> None:
    pass


@pytest.mark.parametrize(
    ("function", "is_coroutine", "awaits"),
    [
        (plain, False, False),
        (coroutine, True, False),
        (awaiting, True, True),
        (async_generator, True, False),
    ],
)
def test_a_frame_tells_whether_it_can_suspend(
    reader: Reader, function: Any, is_coroutine: bool, awaits: bool
) -> None:
    """Hints depend on it: what never awaits is better a plain function."""
    frame = reader.frame(function.__code__, 0)
    assert (frame.coroutine, frame.awaits) == (is_coroutine, awaits)


def test_a_function_that_has_not_begun_stands_at_its_definition() -> None:
    """A generator that was never resumed has the offset -1."""
    assert positions(plain.__code__, -1)[0] == plain.__code__.co_firstlineno


def test_an_offset_beyond_the_code_stands_at_its_definition() -> None:
    """Nothing that a platform reports makes the guard fail."""
    assert positions(plain.__code__, 10_000) == (plain.__code__.co_firstlineno, None, None, None)


def test_whose_a_frame_is_the_reader_was_told(reader: Reader) -> None:
    """By its file alone."""
    frames = reader.read(here())
    assert {frame.origin for frame in frames if frame.file == __file__} == {"project"}
    assert {frame.origin for frame in frames if frame.file != __file__} == {"library"}


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("outer/package/module.py", "package.module"),
        ("outer/package/__init__.py", "package"),
        ("outer/inner/module.py", "module"),
        ("outer/script", ""),
        ("elsewhere/module.py", "module"),
    ],
)
def test_a_file_is_named_as_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, module: str
) -> None:
    """By the longest entry of the path that leads to it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "outer"), str(tmp_path / "outer" / "inner")])
    assert module_of(str(tmp_path / file)) == module


def test_the_current_folder_may_stand_on_the_path_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how ``python -c`` puts it there."""
    monkeypatch.setattr(sys, "path", [""])
    monkeypatch.chdir(tmp_path)
    assert module_of(str(tmp_path / "package" / "module.py")) == "package.module"


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("<frozen importlib._bootstrap>", "importlib._bootstrap"),
        ("<string>", ""),
        ("<template>", ""),
    ],
)
def test_what_is_no_file_is_in_no_module_unless_it_says_so(file: str, module: str) -> None:
    """Frozen modules of the standard library name themselves."""
    assert module_of(file) == module


@pytest.fixture(name="shop", autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package ``shop`` that exports part of what ``shop.api.client`` defines."""
    shop, api, client = (ModuleType(name) for name in ("shop", "shop.api", "shop.api.client"))
    exec(
        "def get(): pass\ndef post(): pass\ndef _private(): pass\nclass Client: pass",
        vars(client),
    )
    vars(shop).update(get=vars(client)["get"], Client=vars(client)["Client"], _private=None)
    vars(api)["post"] = vars(client)["post"]

    def on_demand(name: str) -> object:
        raise AssertionError("imported on demand")

    for module in (shop, api, client):
        vars(module)["__getattr__"] = on_demand
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize(
    ("function", "public"),
    [
        ("get", "shop.get"),
        ("post", "shop.api.post"),
        ("_private", "shop.api.client._private"),
        ("Client.send", "shop.Client.send"),
        ("Client.__init__", "shop.Client"),
        ("Client.__enter__", "shop.Client"),
        ("get.<locals>.wrapper", "shop.get"),
        ("Client.send.<locals>.<lambda>", "shop.Client.send"),
        ("gone", "shop.api.client.gone"),
        ("<module>", "shop.api.client"),
        ("<lambda>", "shop.api.client"),
    ],
)
def test_a_function_is_called_by_the_name_that_its_users_write(function: str, public: str) -> None:
    """From the outermost package that exports it, where one does; nothing is imported for it."""
    assert public_name("shop.api.client", function) == public


def test_a_method_of_a_hidden_base_is_named_after_the_class_that_has_it() -> None:
    """Of those that the package shows the nearest one; what is not hidden keeps its own name."""
    hidden = ModuleType("shop._base")
    exec("class Base:\n    def send(self): pass", vars(hidden))
    base = vars(hidden)["Base"]
    vars(sys.modules["shop"]).update(
        _Inner=type("_Inner", (base,), {}),
        Special=type("Special", (type("Sender", (base,), {}),), {}),
        Sender=type("Sender", (base,), {}),
    )
    for name, public in (("shop._base", "shop.Sender.send"), ("shop.base", "shop.base.Base.send")):
        sys.modules[name] = hidden
        assert public_name(name, "Base.send") == public
        del sys.modules[name]


@pytest.mark.parametrize(("function", "public"), [("f", "f"), ("<module>", "<module>")])
def test_without_a_module_a_function_has_its_own_name(function: str, public: str) -> None:
    """Code that was made up at run time is in none."""
    assert public_name("", function) == public


def test_a_module_that_is_gone_leaves_the_name_that_it_had() -> None:
    """A test may have purged it."""
    assert public_name("gone.away", "Client.get") == "gone.away.Client.get"
