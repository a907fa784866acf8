"""Hints: what to write instead, told from the evidence in written stacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_asyncguard.attribute.hint import LONG_NS, hint
from pytest_asyncguard.attribute.phase import phase_of
from pytest_asyncguard.model import Charge, Endpoint, Frame, Request, Sighting, Stack

ENDPOINT = Endpoint(
    route="GET /items",
    method="GET",
    path="/items",
    function="app.read_items",
    file="app.py",
    line=1,
    kind="async",
    awaits=False,
)
REQUEST = Request(type="http", route="GET /items", endpoint=ENDPOINT)
SOCKET = Request(type="websocket", route="WEBSOCKET /ws")

ENTRY = ("starlette.applications", "Starlette.__call__")
RUN_ENDPOINT = ("fastapi.routing", "run_endpoint_function")
SOLVE = ("fastapi.dependencies.utils", "solve_dependencies")


def test_an_endpoint_that_never_awaits_is_better_a_plain_def() -> None:
    """Async without an await gains nothing: FastAPI has worker threads for plain functions."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("read_items", "    return requests.get(url)", "requests.get(url)"),
    )
    assert hint_on(stack, rule="sync-client") == (
        "`read_items` never awaits: make it a plain `def`, and it runs in a worker thread."
    )


@pytest.mark.parametrize(
    ("marks", "name"),
    [
        ((ENTRY, SOLVE), "current_user"),
        ((ENTRY, ("starlette.background", "BackgroundTask.__call__")), "send_mail"),
        ((ENTRY, ("starlette._exception_handler", "wrapped_app")), "on_error"),
        ((ENTRY, ("starlette.responses", "StreamingResponse.stream_response")), "rows"),
    ],
)
def test_so_is_whatever_else_the_framework_runs_in_threads(
    marks: tuple[tuple[str, str], ...], name: str
) -> None:
    """Dependencies, background tasks, exception handlers and streams may be plain, too."""
    stack = (*framework(*marks), project(name, "    work()", "work()"))
    assert f"`{name}` never awaits: make it a plain `def`" in hint_on(stack)


@pytest.mark.parametrize(
    ("mark", "request_"),
    [
        (("fastapi.routing", "get_websocket_app.<locals>.app"), SOCKET),
        (("starlette.middleware.base", "BaseHTTPMiddleware.__call__"), REQUEST),
    ],
)
def test_what_must_be_async_stays_async(mark: tuple[str, str], request_: Request) -> None:
    """The framework awaits websocket endpoints and middleware, whatever they are."""
    stack = (*framework(ENTRY, mark), project("handle", "    work(1)", "work(1)"))
    assert hint_on(stack, request=request_) == "Use `await run_in_threadpool(work, 1)`."


def test_a_function_that_awaits_is_shown_the_async_twin_and_the_very_call_in_a_thread() -> None:
    """The call is rewritten with the user's own expression, ready to be pasted."""
    line = "    page = requests.get(url, timeout=5).json()"
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("read_items", line, "requests.get(url, timeout=5)", awaits=True),
    )
    assert hint_on(stack, rule="sync-client", twin="await client.get(...)") == (
        "Use `await client.get(...)`, or `await run_in_threadpool(requests.get, url, timeout=5)`."
    )


def test_a_sleep_is_rewritten_with_its_seconds() -> None:
    """The twin of a sleep takes the same argument."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("read_items", "    time.sleep(delay / 2)", "time.sleep(delay / 2)", awaits=True),
    )
    text = hint_on(stack, rule="sleep", twin="await asyncio.sleep(...)")
    assert text == "Use `await asyncio.sleep(delay / 2)`."


def test_a_library_is_not_quoted_as_code() -> None:
    """What a twin is of stands beside it."""
    stack = (*framework(ENTRY, RUN_ENDPOINT), project("f", "lock", "lock", awaits=True))
    assert hint_on(stack, twin="await db.execute(...), with aiosqlite") == (
        "Use `await db.execute(...)`, with aiosqlite."
    )


def test_of_a_callable_object_the_method_is_named() -> None:
    """A class cannot be made a plain def."""
    stack = (*framework(ENTRY, SOLVE), project("Throttle.__call__", "work()", "work()"))
    assert hint_on(stack).startswith("`Throttle.__call__` never awaits: make it a plain `def`")


def test_of_a_call_on_several_lines_the_whole_expression_is_read(tmp_path: Path) -> None:
    """The frame knows where the expression ends, and the file what stands there."""
    file = tmp_path / "app.py"
    file.write_text("async def f():\n    r = client.get(\n        url,\n        x=1,\n    )\n")
    frame = replace(
        project("f", "    r = client.get(", "client.get(", awaits=True),
        file=str(file),
        line=2,
        end_line=5,
        end_column=6,
    )
    stack = (*framework(ENTRY, RUN_ENDPOINT), frame)
    assert hint_on(stack) == "Use `await run_in_threadpool(client.get, url, x=1)`."


def test_a_long_call_is_shown_without_its_arguments() -> None:
    """A hint is one line of advice, not a listing."""
    call = f"client.post({', '.join(f'argument_{number}' for number in range(9))})"
    stack = (*framework(ENTRY, RUN_ENDPOINT), project("f", call, call, awaits=True))
    assert hint_on(stack) == "Use `await run_in_threadpool(client.post, ...)`."


@pytest.mark.parametrize("expression", ["lock", "user.orders", "rows["])
def test_what_is_no_call_is_not_rewritten(expression: str) -> None:
    """Where the running expression is no call, or cannot be read, no code is made up."""
    stack = (*framework(ENTRY, RUN_ENDPOINT), project("f", expression, expression, awaits=True))
    assert hint_on(stack) == "Use `await run_in_threadpool(...)` around the call."


def test_a_plain_helper_is_awaited_where_it_is_called() -> None:
    """A helper cannot await; the nearest async function above it can."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("read_items", "    data = load(user.id)", "load(user.id)", awaits=True),
        project("load", "    return fetch(key)", "fetch(key)", coroutine=False),
        project("fetch", "    return requests.get(url)", "requests.get(url)", coroutine=False),
    )
    assert hint_on(stack, rule="sync-client", twin="await client.get(...)") == (
        "`load` is not async: in `read_items`, write `await run_in_threadpool(load, user.id)`."
    )


def test_what_is_awaited_already_is_not_put_into_a_thread() -> None:
    """What async code calls back, as SQLAlchemy's ``run_sync`` does, runs on the loop."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("read_items", "    await helper(1)", "await helper(1)", awaits=True),
        project("wrapper", "    work()", "work()", coroutine=False),
    )
    assert hint_on(stack).startswith("`wrapper` is called on the loop and cannot await")


def test_a_comprehension_is_a_part_of_its_function(tmp_path: Path) -> None:
    """Up to Python 3.11 it has a frame of its own; its expression may await all the same."""
    line = "    return [get(one) for one in urls]"
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("page", line, "[get(one) for one in urls]", awaits=True),
        project("page", line, "get(one)", coroutine=False),
    )
    assert hint_on(stack, twin="await client.get(...), with httpx.AsyncClient") == (
        "Use `await client.get(...)`, with httpx.AsyncClient, or"
        " `await run_in_threadpool(get, one)`."
    )


@pytest.mark.parametrize(
    ("rule", "body", "words"),
    [
        ("file", "    yield read()", "write `async for row in iterate_in_threadpool(rows()):`"),
        ("file", "    return read()", "have one plain function for the whole loop"),
        ("sync-database", "    yield read()", "have one plain function for the whole loop"),
    ],
)
def test_a_generator_can_be_gone_through_in_threads(
    tmp_path: Path, rule: str, body: str, words: str
) -> None:
    """Each item in one, but where a connection belongs to the thread that made it."""
    file = tmp_path / "app.py"
    source = f"def rows():\n{body}\n\nasync def page():\n    for row in rows():\n        row\n"
    file.write_text(source)
    lines = source.splitlines()
    page = project("page", lines[4], "rows()", awaits=True)
    helper = project("rows", lines[1], "read()", coroutine=False)
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        replace(page, file=str(file), line=5, end_line=5, first_line=4),
        replace(helper, file=str(file), line=2, end_line=2, first_line=1),
    )
    assert words in hint_on(stack, rule=rule)


def test_a_lambda_has_no_name() -> None:
    """What it was given to is called in a thread."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("page", "sorted(rows, key=key)", "sorted(rows, key=key)", awaits=True),
        project("page.<locals>.<lambda>", "read(row)", "read(row)", coroutine=False),
    )
    assert hint_on(stack) == (
        "A lambda is not async: in `page`, write `await run_in_threadpool(sorted, rows, key=key)`."
    )


def test_a_property_is_read_in_a_thread() -> None:
    """It has no function that could be named."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("page", "user.avatar", "user.avatar", awaits=True),
        project("User.avatar", "read(row)", "read(row)", coroutine=False),
    )
    assert hint_on(stack) == (
        "`User.avatar` is not async: in `page`, write"
        " `await run_in_threadpool(lambda: user.avatar)`."
    )


def test_a_lock_has_an_answer_of_its_own() -> None:
    """It depends on who shares it."""
    line = "    lock.acquire()"
    stack = (*framework(ENTRY, RUN_ENDPOINT), project("f", line, "lock.acquire()", awaits=True))
    assert "`asyncio.Lock`" in hint_on(stack, rule="blocked-stall")
    assert "`asyncio.Lock`" not in hint_on(stack, rule="thread-wait")


def test_an_asgi_app_stays_async() -> None:
    """Nobody would run it in a thread."""
    stack = (
        *framework(ENTRY, ("starlette.routing", "Mount.handle")),
        project("Raw.__call__", "work(1)", "work(1)"),
    )
    endpoint = replace(ENDPOINT, kind="asgi", function="app.Raw")
    request = replace(REQUEST, endpoint=endpoint)
    assert hint_on(stack, request=request) == "Use `await run_in_threadpool(work, 1)`."


def test_a_background_callable_that_is_no_task_stays_async() -> None:
    """A response awaits it, whatever it is."""
    call = ("starlette.responses", "Response.__call__")
    stack = (*framework(ENTRY, call), project("Mail.__call__", "work(1)", "work(1)"))
    assert phase_of(stack, REQUEST, spawned=False) == "background"
    assert hint_on(stack) == "Use `await run_in_threadpool(work, 1)`."


def test_a_callback_has_nobody_above_it_who_could_await() -> None:
    """What the loop calls directly can only hand its work to a thread."""
    stack = (project("on_timer", "    work()", "work()", coroutine=False),)
    assert hint_on(stack, spawned=True) == (
        "`on_timer` is called on the loop and cannot await: give its work to a thread, with"
        " `loop.run_in_executor(None, ...)`."
    )


def test_a_task_that_never_awaits_is_none() -> None:
    """Starting a task does not take work off the loop."""
    stack = (project("child", "    work()", "work()"),)
    assert hint_on(stack, spawned=True) == (
        "`child` never awaits, so as a task it blocks the loop all the same: make it a plain"
        " `def`, and run it with `run_in_threadpool`."
    )
    assert hint_on(stack, spawned=True, twin="await rest()").endswith("; or use `await rest()`.")


def test_a_function_that_needs_the_running_loop_stays_async(tmp_path: Path) -> None:
    """In a worker thread there is no running loop to start a task on."""
    file = tmp_path / "app.py"
    file.write_text("async def read_items():\n    asyncio.create_task(log())\n    work(1)\n")
    frame = project("read_items", "    work(1)", "work(1)")
    frame = replace(frame, file=str(file), line=3, end_line=3)
    stack = (*framework(ENTRY, RUN_ENDPOINT), frame)
    assert hint_on(stack) == "Use `await run_in_threadpool(work, 1)`."


def test_source_that_cannot_be_read_is_no_error(tmp_path: Path) -> None:
    """The file may have changed since it was imported."""
    file = tmp_path / "app.py"
    file.write_text("async def read_items(:\n  '\n(((\n")
    frame = replace(project("read_items", "    work(1)", "work(1)"), file=str(file))
    assert "plain `def`" in hint_on((*framework(ENTRY, RUN_ENDPOINT), frame))


def test_a_thread_that_would_be_held_for_long_is_mentioned() -> None:
    """The pool has 40 threads, and all plain endpoints share them."""
    stack = (*framework(ENTRY, RUN_ENDPOINT), project("f", "work()", "work()"))
    short = Charge(cpu_ns=0, asleep_ns=LONG_NS)
    long = Charge(cpu_ns=1, asleep_ns=LONG_NS)
    assert "40 threads" not in hint_on(stack, charge=short)
    assert "one of the pool's 40 threads" in hint_on(stack, charge=long)


def test_computing_is_sent_to_a_process_in_the_end() -> None:
    """Threads share the interpreter, so what computes for long in Python needs a process."""
    frames = framework(ENTRY, RUN_ENDPOINT)
    line = "    data = json.loads(body)"
    called = (*frames, project("f", line, "json.loads(body)", awaits=True))
    looped = (*frames, project("f", "    total += x * x", "x * x", awaits=True))
    assert hint_on(called, rule="cpu-stall") == (
        "Compute it off the loop, with `await run_in_threadpool(json.loads, body)`; for long, in a"
        " process."
    )
    assert hint_on(looped, rule="cpu-stall") == (
        "Compute it off the loop, with a function of its own and `await run_in_threadpool(...)`;"
        " for long, in a process."
    )
    assert "belongs in a process" in hint_on(
        (*frames, project("f", line, "json.loads(body)")), rule="cpu-stall"
    )


def test_a_database_connection_stays_in_the_thread_that_made_it() -> None:
    """One query alone cannot go to a thread, all of them can."""
    line = "    rows = connection.execute(query)"
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("f", line, "connection.execute(query)", awaits=True),
    )
    assert hint_on(stack, rule="sync-database", twin="await aiosqlite.connect(...)") == (
        "Use `await aiosqlite.connect(...)`, or one plain function for all its queries, called by"
        " `await run_in_threadpool(...)`."
    )


def test_a_file_is_not_opened_in_a_thread_to_be_read_on_the_loop() -> None:
    """Wrapping the call of open alone would not help."""
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("f", "    with open(path) as file:", "open(path)", awaits=True),
    )
    twin = "async with await anyio.open_file(...)"
    assert hint_on(stack, rule="file", twin=twin) == f"Use `{twin}`."


def test_hashing_says_why_it_is_slow() -> None:
    """However few rounds the test uses, production uses more."""
    line = "    ok = bcrypt.checkpw(given, known)"
    stack = (
        *framework(ENTRY, RUN_ENDPOINT),
        project("f", line, "bcrypt.checkpw(given, known)", awaits=True),
    )
    assert hint_on(stack, rule="password-hash") == (
        "Hashing a password is slow by design. Use"
        " `await run_in_threadpool(bcrypt.checkpw, given, known)`."
    )


@pytest.mark.parametrize(
    ("rule", "word"), [("tls-context", "once"), ("stdin", "prompt"), ("starved", "process")]
)
def test_some_rules_have_one_answer(rule: str, word: str) -> None:
    """Where the call stands does not matter for these."""
    stack = (*framework(ENTRY, RUN_ENDPOINT), project("f", "work()", "work()"))
    assert word in hint_on(stack, rule=rule)


def test_validation_runs_on_the_loop_whatever_the_endpoint_is() -> None:
    """Making the endpoint plain would not help."""
    stack = framework(ENTRY, ("fastapi.dependencies.utils", "request_body_to_args"))
    validator = project("Item.checked", "work()", "work()", coroutine=False)
    assert hint_on((*stack, validator)).startswith("Validators run on the event loop")
    assert "as `bytes` in a plain `def` endpoint" in hint_on(stack)


@pytest.mark.parametrize(
    ("kind", "words"), [("sync", "has made itself"), ("async", "`run_in_threadpool` runs")]
)
def test_a_response_is_serialized_on_the_loop_whatever_the_endpoint_is(
    kind: str, words: str
) -> None:
    """A plain endpoint can make the response itself, in its thread; an async one cannot."""
    stack = framework(ENTRY, ("fastapi.routing", "serialize_response"))
    endpoint = replace(ENDPOINT, kind=kind)  # type: ignore[arg-type]  # a literal, by parameter
    assert words in hint_on(stack, request=replace(REQUEST, endpoint=endpoint))


def test_a_response_class_gets_its_content_ready() -> None:
    """A render method cannot await."""
    mark = ("starlette.responses", "Response.__init__")
    render = project("SlowXML.render", "work()", "work()", coroutine=False)
    assert hint_on((*framework(ENTRY, mark), render)).startswith(
        "`SlowXML.render` runs on the event loop"
    )


def test_a_library_s_own_call_is_no_fault_of_the_user_s_code() -> None:
    """There is no line of the project to change."""
    stack = framework(
        ENTRY,
        ("starlette.middleware.base", "BaseHTTPMiddleware.__call__"),
        ("slowapi.middleware", "SlowAPIMiddleware.dispatch"),
    )
    assert hint_on(stack) == (
        "The call is made by `slowapi`, not by your code: look for its async interface."
    )


def test_middleware_that_waits_for_the_app_is_not_at_work() -> None:
    """Pure ASGI middleware is on the stack of all that the app does."""
    around = project("Timing.__call__", "await self.app(scope)", "self.app(scope)", awaits=True)
    parts = framework(
        ("fastapi.dependencies.utils", "solve_dependencies"),
        ("fastapi_users.authentication", "Authenticator.current_user"),
    )
    assert hint_on((*framework(ENTRY), around, *parts)).startswith(
        "The call is made by `fastapi_users`"
    )
    body = framework(("fastapi.dependencies.utils", "request_body_to_args"))
    assert "as `bytes`" in hint_on((*framework(ENTRY), around, *body))


def test_a_stall_without_a_sample_is_judged_by_its_endpoint() -> None:
    """No stack could be taken, but the endpoint is known."""
    definition = project("read_items", "async def read_items():", "")
    sighting = Sighting(rule=None, call=None, request=REQUEST)
    assert hint(sighting, "cpu-stall", "endpoint", definition, ()).startswith(
        "`read_items` never awaits: make it a plain `def`"
    )


@pytest.mark.parametrize(
    "caller", [RUN_ENDPOINT, ("starlette.routing", "request_response.<locals>.app")]
)
def test_an_endpoint_that_has_just_returned_is_told_of_and_not_its_caller(
    caller: tuple[str, str],
) -> None:
    """A long operator lets nobody look before the framework makes its next call."""
    stack = framework(ENTRY, caller)
    definition = project("read_items", "async def read_items():", "")
    sighting = Sighting(rule=None, call=None, request=REQUEST)
    assert hint(sighting, "cpu-stall", "endpoint", definition, stack).startswith(
        "`read_items` never awaits: make it a plain `def`"
    )
    waits = replace(definition, awaits=True)
    assert hint(sighting, "cpu-stall", "endpoint", waits, stack).startswith(
        "Compute it off the loop, with a function of its own"
    )


@pytest.mark.parametrize(
    "frames",
    [
        (SOLVE,),
        (("starlette.background", "BackgroundTask.__call__"),),
        (("starlette.middleware.base", "BaseHTTPMiddleware.__call__"),),
    ],
    ids=["dependency", "background", "middleware"],
)
def test_what_had_returned_before_it_was_seen_is_not_called_the_framework_s(
    frames: tuple[tuple[str, str], ...],
) -> None:
    """A long operator at the end of a function; nobody can say of which."""
    stack = framework(ENTRY, *frames)
    assert hint_on(stack, rule="cpu-stall").startswith("What took so long had returned")
    assert "made by" in hint_on(stack, rule="blocked-stall"), "a sleep lets everybody look"


def test_a_task_that_had_returned_is_not_called_the_loop_s() -> None:
    """The loop was seen where it had run it."""
    stack = framework(("asyncio.events", "Handle._run"))
    assert hint_on(stack, rule="cpu-stall", spawned=True).startswith("What took so long had")
    library = framework(("asyncio.events", "Handle._run"), ("celery.app", "Celery.poll"))
    assert "made by `celery`" in hint_on(library, rule="cpu-stall", spawned=True)


def test_an_endpoint_of_the_framework_s_own_is_told_of() -> None:
    """Nothing that it called has returned: it was at work itself."""
    stack = framework(ENTRY, ("starlette.staticfiles", "StaticFiles.lookup_path"))
    assert "made by `starlette`" in hint_on(stack, rule="cpu-stall")


def test_without_starlette_the_thread_is_asyncio_s() -> None:
    """Other frameworks need not have run_in_threadpool."""
    stack = (project("handle", "    work(1)", "work(1)", awaits=True),)
    request = Request(type="http", route="GET /raw")
    assert hint_on(stack, request=request) == "Use `await asyncio.to_thread(work, 1)`."


def hint_on(
    stack: Stack,
    *,
    rule: str = "sync-client",
    request: Request = REQUEST,
    spawned: bool = False,
    twin: str | None = None,
    charge: Charge | None = None,
) -> str:
    sighting = Sighting(
        rule=rule,
        call="work",
        stack=stack,
        request=request,
        spawned=spawned,
        twin=twin,
        charge=charge,
    )
    blame = next((frame for frame in reversed(stack) if frame.origin == "project"), stack[-1])
    return hint(sighting, rule, phase_of(stack, request, spawned), blame, stack)


def framework(*frames: tuple[str, str]) -> Stack:
    return tuple(
        Frame(file=f"{module}.py", line=1, function=function, module=module)
        for module, function in frames
    )


def project(
    function: str,
    source: str,
    expression: str,
    *,
    coroutine: bool = True,
    awaits: bool = False,
) -> Frame:
    """A frame of the project that stands on ``expression`` in ``source``."""
    start = source.index(expression) + 1
    return Frame(
        file="app.py",
        line=1,
        end_line=1,
        column=start,
        end_column=start + len(expression),
        function=function,
        module="app",
        origin="project",
        source=source,
        coroutine=coroutine,
        awaits=awaits,
    )
