"""Attribute: Sighting and Place -> hint. What to write instead, in the user's own words."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import tokenize
from collections.abc import Iterator
from typing import Final

from pytest_asyncguard.attribute.blame import expression_text
from pytest_asyncguard.attribute.phase import Place, locate
from pytest_asyncguard.model import Frame, Phase, Sighting, Stack
from pytest_asyncguard.origin import project_frame

POOL: Final = 40
"""Worker threads that Starlette, through anyio, has for all requests together."""

LONG_NS: Final = 1_000_000_000
"""A worker thread that is held for longer than this is missed by others."""

THREADED: Final = frozenset({"endpoint", "dependency", "background", "exception-handler", "stream"})
"""Phases whose function is run in a worker thread, or iterated in one, where it is a plain def."""

ALWAYS: Final = {
    "tls-context": "Make the client, or its SSL context, once (at import or in the lifespan) and"
    " share it: loading the CA certificates takes 20 ms and more.",
    "stdin": "Nobody answers a prompt during a request: take the value from the request or the"
    " settings.",
    "starved": "Another thread computed in Python meanwhile: give its work to a process, such as"
    " `concurrent.futures.ProcessPoolExecutor`.",
}
"""Advice that does not depend on where the call stands, by rule."""

# What a function that never awaits may still need the loop for.
_LOOP_BOUND: Final = re.compile(
    r"\b(create_task|ensure_future|get_running_loop|get_event_loop|run_coroutine_threadsafe)\b"
)

_WIDTH: Final = 72
"""A rewritten call that is longer shows no arguments."""


def hint(sighting: Sighting, rule: str, phase: Phase, blame: Frame, stack: Stack) -> str:
    """One or two sentences on what to write instead, chosen by the evidence in the stack.

    A function that never awaits gains nothing from being async. Otherwise the async twin of the
    call is best, and next to that the very call in a worker thread.
    """
    if rule in ALWAYS:
        return ALWAYS[rule]
    place = locate(stack, sighting.request, sighting.spawned)
    if phase == "validation":
        return _of_validation(place)
    if phase == "serialization":
        return _of_serialization(sighting, place)
    if stack and project_frame(stack[place.start :]) is None:
        library = _top(place.entry or stack[-1]) or "a library"
        return f"The call is made by `{library}`, not by your code: look for its async interface."
    why = "Hashing a password is slow by design. " if rule == "password-hash" else ""
    runner = _runner(sighting, stack)
    twin = _twin(sighting, rule, blame) if blame.coroutine else None
    entry = place.entry if stack else blame
    never_awaits = entry is not None and _could_be_plain(entry)
    name = _called(entry, place.owner)
    if never_awaits and phase in THREADED:
        return why + _plain(sighting, rule, name, twin)
    if never_awaits and phase == "task":
        return (
            f"{why}`{name}` never awaits, so as a task it blocks the loop all the same:"
            f" make it a plain `def`, and run it with `{runner}`."
        )
    return why + (_awaited(rule, blame, stack, twin, runner) or _unreachable(blame))


def _plain(sighting: Sighting, rule: str, name: str, twin: str | None) -> str:
    text = f"`{name}` never awaits: make it a plain `def`, and it runs in a worker thread"
    if twin is not None:
        text += f"; or use {_quoted(twin)}"
    charge = sighting.charge
    if charge is not None and charge.held_ns > LONG_NS * sighting.count:
        return f"{text}. It then holds one of the pool's {POOL} threads for as long."
    if rule == "cpu-stall":
        return f"{text}. What computes for long in Python belongs in a process."
    return f"{text}."


def _awaited(rule: str, blame: Frame, stack: Stack, twin: str | None, runner: str) -> str | None:
    """The async twin, or the call in a worker thread, at the nearest place that can await it."""
    if blame.coroutine:
        code = _rewritten(blame, runner)
        if rule == "cpu-stall":
            where = f"`{code}`" if code else f"a function of its own and `await {runner}(...)`"
            return f"Compute it off the loop, with {where}; for long, in a process."
        options = [_quoted(twin)] if twin is not None else []
        if rule == "sync-database":
            # A connection belongs to the thread that made it.
            options.append(
                f"one plain function for all its queries, called by `await {runner}(...)`"
            )
        elif rule != "sleep" and code is not None:
            options.append(f"`{code}`")
        elif not options:
            options.append(f"`await {runner}(...)` around the call")
        return f"Use {', or '.join(options)}."
    helper = blame
    for caller in reversed(_outside(stack, blame)):
        if caller.coroutine and caller.origin == "project":
            code = _rewritten(caller, runner) or f"await {runner}(...)"
            name = _last(caller.function)
            return f"`{_last(helper.function)}` is not async: in `{name}`, write `{code}`."
        if caller.origin == "project":
            helper = caller
    return None


def _unreachable(blame: Frame) -> str:
    """Nothing above the call can await: a callback, or a function that a library calls."""
    return (
        f"`{_last(blame.function)}` is called on the loop and cannot await: give its work to a"
        " thread, with `loop.run_in_executor(None, ...)`."
    )


def _of_validation(place: Place) -> str:
    if place.entry is not None:
        return (
            "Validators run on the event loop: keep them to computing with what they are given,"
            " and look things up in a dependency or in the endpoint."
        )
    return (
        "Bodies are parsed and validated on the event loop: take one this large as `bytes` in a"
        " plain `def` endpoint, and validate it there."
    )


def _of_serialization(sighting: Sighting, place: Place) -> str:
    endpoint = sighting.request.endpoint if sighting.request is not None else None
    if place.entry is not None:
        return (
            f"`{_last(place.entry.function)}` runs on the event loop: do the work before, where"
            " it can be awaited or runs in a thread, and hand over the result."
        )
    if endpoint is not None and endpoint.kind == "sync":
        name = endpoint.function.rpartition(".")[2]
        return (
            "Responses are serialized on the event loop: return less at a time, or a `Response`"
            f" that `{name}` has made itself, in its thread."
        )
    return (
        "Responses are serialized on the event loop: return less at a time, or make the"
        " `Response` in a function that `run_in_threadpool` runs."
    )


def _could_be_plain(frame: Frame) -> bool:
    """Whether an async function would do the same without ``async``, as far as can be seen."""
    if not frame.coroutine or frame.awaits or frame.origin != "project":
        return False
    lines = linecache.getlines(frame.file)[frame.first_line - 1 :]
    try:
        body = inspect.getblock(lines) if lines else ()
    except (SyntaxError, tokenize.TokenError):
        body = ()  # changed since it was imported
    return _LOOP_BOUND.search("".join(body)) is None


def _runner(sighting: Sighting, stack: Stack) -> str:
    """What runs a function in a worker thread here; anyio's also does on trio."""
    request = sighting.request
    known = request is not None and request.endpoint is not None
    if known or any(_top(frame) in ("fastapi", "starlette") for frame in stack):
        return "run_in_threadpool"
    return "asyncio.to_thread"


def _twin(sighting: Sighting, rule: str, blame: Frame) -> str | None:
    """The async equivalent of the call; for a sleep, with the user's own seconds."""
    twin = sighting.twin
    if twin is None or "to_thread(" in twin:
        return None
    if rule == "sleep" and (call := _call_in(blame)) is not None:
        return twin.replace("...", ", ".join(_arguments(call)))
    return twin


def _rewritten(frame: Frame, runner: str) -> str | None:
    """The call that was running in ``frame``, as a call of ``runner``."""
    call = _call_in(frame)
    if call is None or ast.unparse(call.func) == "open":
        # A file that is opened in a thread is still read on the loop.
        return None
    function = ast.unparse(call.func)
    code = f"await {runner}({', '.join([function, *_arguments(call)])})"
    if len(code) > _WIDTH:
        code = f"await {runner}({function}, ...)"
    return code if len(code) <= _WIDTH else None


def _call_in(frame: Frame) -> ast.Call | None:
    """The call expression that was running; None where it was something else, or not known."""
    if frame.source is None or frame.column is None or frame.end_column is None:
        return None
    if frame.end_line in (None, frame.line):
        text: str | None = frame.source[frame.column - 1 : frame.end_column - 1]
    else:
        text = expression_text(frame)
    try:
        expression = ast.parse(text or "", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if isinstance(expression, ast.Await):
        expression = expression.value
    return expression if isinstance(expression, ast.Call) else None


def _arguments(call: ast.Call) -> Iterator[str]:
    yield from map(ast.unparse, call.args)
    for keyword in call.keywords:
        value = ast.unparse(keyword.value)
        yield f"{keyword.arg}={value}" if keyword.arg else f"**{value}"


def _outside(stack: Stack, frame: Frame) -> Stack:
    """The frames around ``frame``."""
    for index in range(len(stack) - 1, -1, -1):
        if stack[index] == frame:
            return stack[:index]
    return ()


def _quoted(twin: str) -> str:
    """The code of a twin in quotes, without the library that it is of."""
    code, of, library = twin.partition(", with ")
    return f"`{code}`{of}{library}"


def _called(entry: Frame | None, owner: str | None) -> str:
    """The owner, or the very method where that is a class."""
    if entry is not None and (owner is None or entry.function.endswith(f"{owner}.__call__")):
        return _last(entry.function)
    return owner or "it"


def _top(frame: Frame) -> str:
    return frame.module.partition(".")[0]


def _last(function: str) -> str:
    return function.rpartition("<locals>.")[2]
