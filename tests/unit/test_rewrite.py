"""Rewriting: the user's own expression in a worker thread, as code that can be pasted."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import CodeType

import pytest

from pytest_asyncguard.attribute.blame import expression_text
from pytest_asyncguard.attribute.rewrite import Running, running
from pytest_asyncguard.model import Frame
from pytest_asyncguard.probes.stacks import Reader

Find = Callable[..., Running]
THREAD = "run_in_threadpool"

CALLS = {
    "a call": ("get(url)", "await run_in_threadpool(get, url)"),
    "its keywords": ("get(url, a=1, **more)", "await run_in_threadpool(get, url, a=1, **more)"),
    "its stars": ("get(*urls)", "await run_in_threadpool(get, *urls)"),
    "a method": ("self.client.get(url)", "await run_in_threadpool(self.client.get, url)"),
    "a generator as argument": (
        "get(one for one in urls)",
        "await run_in_threadpool(get, (one for one in urls))",
    ),
    "an argument that is awaited": (
        "get(await url())",
        "await run_in_threadpool(get, await url())",
    ),
    "a walrus inside": ("get(a := 1)", "await run_in_threadpool(get, (a := 1))"),
    "a walrus outside": ("(page := get(url))", "await run_in_threadpool(get, url)"),
    "a chain": ("get(url).json()", "(await run_in_threadpool(get, url))"),
    "a subscript": ("get(url)[0]", "(await run_in_threadpool(get, url))"),
    "a call of what it returns": ("get(url)()", "(await run_in_threadpool(get, url))"),
    "a comprehension": ("[get(one) for one in urls]", "await run_in_threadpool(get, one)"),
    "a name that the thread pool has itself": (
        "get(func=url)",
        "await run_in_threadpool(lambda: get(func=url))",
    ),
    "several lines": (
        "get(\n    url,\n    timeout=5,\n)",
        "await run_in_threadpool(get, url, timeout=5)",
    ),
    "a method on a line of its own": (
        "(\n    session\n    .query(url)\n    .get()\n)",
        "await run_in_threadpool(session.query(url).get)",
    ),
    "quotes": ('get("a", b=f"{url}")', 'await run_in_threadpool(get, "a", b=f"{url}")'),
    "a walrus as keyword": ("get(a=(b := 1))", "await run_in_threadpool(get, a=(b := 1))"),
    "other letters": ("'äöü' + get(url)", "await run_in_threadpool(get, url)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_made_in_a_thread(name: str, find: Find) -> None:
    """Whatever it looks like, and wherever it stands, the code can take its place."""
    expression, code = CALLS[name]
    found = find(f"async def page():\n{textwrap.indent(f'value = {expression}', '    ')}\n")
    assert found.in_thread(THREAD) == code
    ast.parse(f"async def page():\n    {code}")


LASTING = {
    "a with": ("with get(url) as page: pass", "the whole `with` block"),
    "a loop": ("for one in get(url): pass", "the whole loop"),
    "what a comprehension goes through": ("[x for x in get(url)]", "the whole expression"),
    "inside a generator": ("sum(get(one) for one in urls)", "the whole expression"),
    "what a generator goes through": ("sum(x for x in get(url))", "the whole expression"),
    "an async with": ("async with get(url) as page: pass", None),
    "a list that a generator goes through": ("sum(x for x in get(url).json())", None),
    "an inner function of a generator": ("list((lambda: get(url)) for x in urls)", None),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_goes_on_to_work_with_the_value_goes_along(name: str, find: Find) -> None:
    """To enter a block or make an iterator in a thread leaves the rest of the work on the loop."""
    statement, lasts = LASTING[name]
    found = find(f"async def page():\n    {statement}\n")
    assert found.lasts == lasts
    assert (found.in_thread(THREAD) is None) == (lasts is not None)


STATEMENTS = {
    "with get(url) as page:\n        page.read()": "the whole `with` block",
    "for one in get(url):\n        print(one)": "the whole loop",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_block_is_told_from_the_last_call_in_it(statement: str, tmp_path: Path) -> None:
    """Up to Python 3.12 what enters it stands on all of it, and both end in one place."""
    file = tmp_path / "app.py"
    file.write_text(f"async def page():\n    {statement}\n", encoding="utf-8")
    lines = file.read_text(encoding="utf-8").splitlines()
    frame = Frame(
        file=str(file),
        line=2,
        end_line=3,
        function="page",
        source=lines[1],
        column=5,
        end_column=len(lines[2]) + 1,
    )
    found = running(frame)
    assert (found.text, found.lasts) == ("get(url)", STATEMENTS[statement])
    inside = replace(frame, line=3, source=lines[2], column=9)
    assert running(inside).lasts is None


def test_a_loop_can_be_one_that_takes_each_item_in_a_thread(find: Find) -> None:
    """Starlette has a function for that, and it needs the head of the loop only."""
    found = find("async def page():\n    for a, b in get(url): pass\n")
    assert found.loop == "async for a, b in iterate_in_threadpool(get(url)):"
    assert find("async def page():\n    get(url)\n").loop is None


@pytest.mark.parametrize(
    ("statement", "repeated"),
    [
        ("get(url)", False),
        ("while True: get(url)", True),
        ("for x in y: get(url)", True),
        ("[get(x) for x in y]", True),
        ("for x in y: f = lambda: get(url)", False),
    ],
)
def test_what_stands_in_a_loop_is_known(statement: str, repeated: bool, find: Find) -> None:
    """There it is the loop that takes long."""
    assert find(f"async def page():\n    {statement}\n").repeated is repeated


@pytest.mark.parametrize(
    ("statement", "wanted", "locks"),
    [
        ("lock.acquire()", "acquire", True),
        ("with get.lock: pass", "get.lock", True),
        ("get(url)", "get", False),
        ("for x in get.rows: pass", "get.rows", False),
    ],
)
def test_a_lock_is_known_by_its_use(statement: str, wanted: str, locks: bool, find: Find) -> None:
    """It is entered as it is, or acquired."""
    assert find(f"async def page():\n    {statement}\n", wanted).locks is locks


def test_a_file_is_not_opened_in_a_thread_to_be_read_on_the_loop(find: Find) -> None:
    """It is the reading that takes long."""
    for function in ("open", "path.open"):
        found = find(f"async def page():\n    file = {function}(url)\n", "open")
        assert (found.opens, found.in_thread(THREAD)) == (True, None)


def test_a_long_call_is_shown_without_its_arguments(find: Find) -> None:
    """A hint is no listing."""
    arguments = ", ".join(f"argument_{number}" for number in range(9))
    found = find(f"async def page():\n    get({arguments})\n")
    assert found.in_thread(THREAD) == "await run_in_threadpool(get, ...)"


def test_code_that_fits_nowhere_is_not_shown(find: Find) -> None:
    """Without its arguments it may still be too long."""
    found = find(f"async def page():\n    {'a' * 80}.get(url)\n")
    assert found.in_thread(THREAD) is None


def test_what_is_no_call_moves_into_a_lambda(find: Find) -> None:
    """A property, or an operator, has no function that could be named."""
    found = find("async def page():\n    return user.get\n", "user.get")
    assert (found.in_thread(THREAD), found.as_lambda(THREAD)) == (
        None,
        "await run_in_threadpool(lambda: user.get)",
    )


def test_what_awaits_stays_where_it_is(find: Find) -> None:
    """A lambda cannot await."""
    found = find("async def page():\n    return (await user()).get\n", "(await user()).get")
    assert found.as_lambda(THREAD) is None


def test_what_is_awaited_is_told(find: Find) -> None:
    """It is async, so no thread is the place for it."""
    assert find("async def page():\n    await get(url)\n").is_awaited
    assert not find("async def page():\n    get(url)\n").is_awaited


@pytest.mark.parametrize("source", ["async def page(:\n    get(url)\n", ""])
def test_a_file_that_has_changed_tells_nothing(tmp_path: Path, source: str) -> None:
    """It may have been edited since it was imported."""
    file = tmp_path / "app.py"
    file.write_text(source)
    frame = Frame(
        file=str(file), line=2, function="page", source="    get(url", column=5, end_column=12
    )
    assert running(frame) == Running()


def test_code_without_a_file_is_read_from_its_line() -> None:
    """As far as that has the whole of it."""
    frame = Frame(
        file="<string>", line=1, function="page", source="x = get(url)", column=5, end_column=13
    )
    assert running(frame).in_thread(THREAD) == "await run_in_threadpool(get, url)"


@pytest.fixture(name="find")
def _find(tmp_path: Path) -> Find:
    """What is running where a function made of some source calls ``get``, or stands on it."""

    def find(source: str, wanted: str = "get") -> Running:
        file = tmp_path / f"app{len(list(tmp_path.iterdir()))}.py"
        file.write_text(source, encoding="utf-8")
        reader = Reader(lambda file: "project")
        frames = [
            reader.frame(each, offset)
            for each in codes(compile(source, str(file), "exec"))
            for offset in range(0, len(each.co_code), 2)
        ]
        for frame in frames:
            found = running(frame)
            if found.call is not None and ast.unparse(found.call.func).endswith(wanted):
                return found
        return next(running(frame) for frame in frames if expression_text(frame) == wanted)

    return find


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)
