"""Attribute: Sighting and Place -> hint. What to write instead, in the user's own words."""

from __future__ import annotations

import inspect
import linecache
import re
import tokenize
from typing import Final

from pytest_asyncguard.attribute.phase import Place, locate
from pytest_asyncguard.attribute.rewrite import running
from pytest_asyncguard.attribute.twin import quoted, twin_of
from pytest_asyncguard.model import Frame, Phase, Sighting, Stack
from pytest_asyncguard.origin import project_frame

POOL: Final = 40
"""Worker threads that Starlette, through anyio, has for all requests together."""

LONG_NS: Final = 1_000_000_000
"""A worker thread that is held for longer than this is missed by others."""

THREADED: Final = frozenset({"endpoint", "dependency", "background", "exception-handler", "stream"})
"""Phases whose function is run in a worker thread, or iterated in one, where it is a plain def."""

CALLED: Final = THREADED | {"websocket"}
"""Phases in which the framework does nothing but call a function of the user's."""

LOOPS: Final = frozenset({"asyncio", "trio", "uvloop"})

OWN_WORK: Final = frozenset({"starlette.middleware.wsgi", "starlette.staticfiles"})
"""Modules of the framework that are such a function themselves."""

RETURNED: Final = (
    "What took so long had returned before it could be seen, as an operator on large values does:"
    " look at the ends of the functions that run there."
)

ALWAYS: Final = {
    "tls-context": "Make the client, or its SSL context, once (at import or in the lifespan) and"
    " share it: loading the CA certificates takes 20 ms and more.",
    "stdin": "Nobody answers a prompt during a request: take the value from the request or the"
    " settings.",
    "starved": "Another thread computed in Python meanwhile: give its work to a process, such as"
    " `concurrent.futures.ProcessPoolExecutor`.",
}
"""Advice that does not depend on where the call stands, by rule."""

_YIELD: Final = re.compile(r"\byield\b")
# What a function that never awaits may still need the loop for.
_LOOP_BOUND: Final = re.compile(
    r"\b(create_task|ensure_future|get_running_loop|get_event_loop|run_coroutine_threadsafe)\b"
)


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
    if rule == "cpu-stall" and _had_returned(phase, place, stack):
        if phase != "endpoint":
            return RETURNED
        stack = ()
        place = locate(stack, sighting.request, sighting.spawned)
    if stack and project_frame(stack[place.start :]) is None:
        library = _top(place.entry or stack[-1]) or "a library"
        return f"The call is made by `{library}`, not by your code: look for its async interface."
    why = "Hashing a password is slow by design. " if rule == "password-hash" else ""
    runner = _runner(sighting, stack)
    twin = twin_of(sighting, rule, blame) if _can_await(blame, stack) else None
    entry = place.entry if stack else blame
    never_awaits = entry is not None and _could_be_plain(entry)
    name = _called(entry, place.owner)
    if never_awaits and _would_be_threaded(sighting, phase, place, stack):
        return why + _plain(sighting, rule, name, twin)
    if never_awaits and phase == "task":
        return (
            f"{why}`{name}` never awaits, so as a task it blocks the loop all the same:"
            f" make it a plain `def`, and run it with `{runner}`"
            f"{f'; or use {quoted(twin)}' if twin is not None else ''}."
        )
    return why + (_awaited(rule, blame, stack, twin, runner) or _unreachable(blame))


def _had_returned(phase: Phase, place: Place, stack: Stack) -> bool:
    """Whether it was not the framework that was at work, but what had just returned to it.

    A long operator lets nobody look before the next call, which the framework may have made, or
    the loop.
    """
    if stack and phase == "task":
        return _top(stack[-1]) in LOOPS
    if not stack or _top(stack[-1]) not in ("fastapi", "starlette"):
        return False
    if phase in CALLED:
        return len(stack) == place.start and stack[-1].module not in OWN_WORK
    return phase == "unknown"


def _would_be_threaded(sighting: Sighting, phase: Phase, place: Place, stack: Stack) -> bool:
    """Whether the framework would run the function in a worker thread if it were plain."""
    endpoint = sighting.request.endpoint if sighting.request is not None else None
    if phase == "endpoint":
        return endpoint is not None and endpoint.kind != "asgi"
    if phase == "background" and stack:
        # A response awaits whatever it is given; it is background tasks that look what it is.
        return stack[place.start - 1].module.endswith(".background")
    return phase in THREADED


def _plain(sighting: Sighting, rule: str, name: str, twin: str | None) -> str:
    text = f"`{name}` never awaits: make it a plain `def`, and it runs in a worker thread"
    if twin is not None:
        text += f"; or use {quoted(twin)}"
    charge = sighting.charge
    if charge is not None and charge.held_ns > LONG_NS * sighting.count:
        return f"{text}. It then holds one of the pool's {POOL} threads for as long."
    if rule == "cpu-stall":
        return f"{text}. What computes for long in Python belongs in a process."
    return f"{text}."


def _awaited(rule: str, blame: Frame, stack: Stack, twin: str | None, runner: str) -> str | None:
    """The async twin, or the call in a worker thread, at the nearest place that can await it."""
    frames = (*_outside(stack, blame), blame)
    for index in range(len(frames) - 1, -1, -1):
        frame = frames[index]
        if not (frame.coroutine and frame.origin == "project"):
            continue
        between = [each for each in frames[index + 1 :] if each.origin == "project"]
        # A comprehension may be a frame of its own, and is a part of the function it stands in.
        helper = next((each for each in between if each.function != frame.function), None)
        if helper is None:
            return _here(rule, blame, twin, runner)
        found = running(frame)
        if found.is_awaited:
            return None  # something async below it calls the helper back
        name = _last(helper.function)
        told = "A lambda" if name == "<lambda>" else f"`{name}`"
        told = f"{told} is not async: in `{_last(frame.function)}`,"
        if found.loop and rule != "sync-database" and _YIELD.search(_body(helper)):
            return f"{told} write `{found.loop}`."
        if found.lasts is not None:
            return f"{told} have {_whole(found.lasts, runner)}."
        code = found.in_thread(runner) or found.as_lambda(runner) or f"await {runner}(...)"
        return f"{told} write `{code}`."
    return None


def _here(rule: str, blame: Frame, twin: str | None, runner: str) -> str:
    """What to write in the very place of the call."""
    found = running(blame)
    code = found.in_thread(runner)
    if rule == "cpu-stall":
        # What is called in a loop is quick, and the loop is what takes long.
        alone = code is not None and not found.repeated
        where = f"`{code}`" if alone else f"a function of its own and `await {runner}(...)`"
        return f"Compute it off the loop, with {where}; for long, in a process."
    if rule == "blocked-stall" and found.locks:
        return (
            "While a thread has the lock, every request waits: use an `asyncio.Lock` if coroutines"
            f" alone share it, or {_whole(found.lasts or 'all that needs it', runner)}."
        )
    options = [quoted(twin)] if twin is not None else []
    if rule == "sync-database":
        # A connection belongs to the thread that made it.
        options.append(_whole("all its queries", runner))
    elif found.lasts is not None and not found.opens:
        options.append(_whole(found.lasts, runner))
    elif rule != "sleep" and code is not None:
        options.append(f"`{code}`")
    elif not options:
        options.append(f"`await {runner}(...)` around the call")
    return f"Use {', or '.join(options)}."


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
    return _LOOP_BOUND.search(_body(frame)) is None


def _body(frame: Frame) -> str:
    """The source of the function; nothing where it has changed since it was imported."""
    lines = linecache.getlines(frame.file)[frame.first_line - 1 :]
    try:
        return "".join(inspect.getblock(lines) if lines else ())
    except (SyntaxError, tokenize.TokenError):
        return ""


def _runner(sighting: Sighting, stack: Stack) -> str:
    """What runs a function in a worker thread here; anyio's also does on trio."""
    request = sighting.request
    known = request is not None and request.endpoint is not None
    if known or any(_top(frame) in ("fastapi", "starlette") for frame in stack):
        return "run_in_threadpool"
    return "asyncio.to_thread"


def _can_await(frame: Frame, stack: Stack) -> bool:
    """Whether an ``await`` may stand there: in an async function, or a comprehension of one."""
    if frame.coroutine:
        return True
    around = _outside(stack, frame)[-1:]
    return (
        any(outer.coroutine and outer.function == frame.function for outer in around)
        and running(frame).lasts is None
    )


def _outside(stack: Stack, frame: Frame) -> Stack:
    """The frames around ``frame``."""
    for index in range(len(stack) - 1, -1, -1):
        if stack[index] == frame:
            return stack[:index]
    return ()


def _whole(work: str, runner: str) -> str:
    return f"one plain function for {work}, called by `await {runner}(...)`"


def _called(entry: Frame | None, owner: str | None) -> str:
    """The owner, or the very method where that is a class."""
    if entry is not None and (owner is None or entry.function.endswith(f"{owner}.__call__")):
        return _last(entry.function)
    return owner or "it"


def _top(frame: Frame) -> str:
    return frame.module.partition(".")[0]


def _last(function: str) -> str:
    return function.rpartition("<locals>.")[2]
