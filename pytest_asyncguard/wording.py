"""The words in which findings are told, shared by the messages in reports and by the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_asyncguard.model import Phase

PHASES: Final[Mapping[Phase, str]] = {
    "middleware": "in middleware of",
    "dependency": "in a dependency of",
    "validation": "while validating the input of",
    "endpoint": "in the endpoint of",
    "serialization": "while serializing the response of",
    "stream": "in the response stream of",
    "background": "in a background task of",
    "exception-handler": "in an exception handler of",
    "websocket": "in the handler of",
    "task": "in a task started by",
    "lifespan": "in",
    "test": "in the test's own code during",
    "unknown": "during",
}
"""Each phase as the words that lead to a route."""

LIFESPAN: Final = "LIFESPAN"
"""The route of start-up and shut-down, which no client can request."""


OWNED: Final[Mapping[Phase, str]] = {
    "middleware": "in middleware {} of",
    "dependency": "in dependency {} of",
    "background": "in background task {} of",
    "exception-handler": "in exception handler {} of",
    "task": "in task {} started by",
}
"""The same where the part of the request has a name of its own."""

STALLS: Final[Mapping[str, str]] = {
    "cpu-stall": "computing",
    "blocked-stall": "waiting",
    "starved": "another thread",
}
"""What the loop was held by, in the place of a call that could be named."""


def whose(
    phase: Phase, route: str | None, owner: str | None = None, rule: str | None = None
) -> str:
    """The part of the request, and the request: "in dependency current_user of GET /items"."""
    if rule == "starved":
        return f"with a request waiting {whose(phase, route, owner)}"
    if route is None:
        return "in the test's own code" if phase == "test" else "outside any request"
    words = OWNED[phase].format(owner) if owner and phase in OWNED else PHASES[phase]
    return f"{words} {'the lifespan' if route == LIFESPAN else route}"


def cost(held: float | None, *, most: bool = False) -> str:
    """What a known call did to the loop: "held the event loop for 250 ms".

    A call that was quick is not said to have held anything: it blocks for as long as the world
    takes to answer, and a test double answers at once. ``most``: of several, it was the longest.
    """
    if held is None:
        return "blocks the event loop"
    if held < 0.001:
        return f"blocks the event loop ({duration(held)} here)"
    return f"held the event loop for {'up to ' if most else ''}{duration(held)}"


def stall(held: float | None, *, most: bool = False) -> str:
    """What is said of a hold without a known call in it."""
    return f"the event loop was held for {'up to ' if most else ''}{duration(held or 0.0)}"


def starved(thread: str | None, held: float | None, *, most: bool = False) -> str:
    """What is said of a request that was ready to run: "thread worker kept the GIL for 150 ms"."""
    took = f"{'up to ' if most else ''}{duration(held or 0.0)}"
    return f"{thread or STALLS['starved']} kept the GIL for {took}"


def duration(seconds: float) -> str:
    """Seconds as people say them: "<1 ms", "250 ms", "1.2 s"."""
    if seconds < 0.001:
        return "<1 ms"
    if (milliseconds := round(seconds * 1000)) < 1000:
        return f"{milliseconds} ms"
    return f"{seconds:.1f} s"


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 error", "2 errors"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def message(
    *,
    call: str | None,
    detail: str | None,
    rule: str,
    phase: Phase,
    owner: str | None,
    route: str | None,
    held: float | None,
    spread: int = 1,
    project: bool = True,
) -> str:
    """The one sentence of a machine report: what, whose, how long.

    It has to stand alone, in an annotation or a chat message. ``spread`` is the number of lines
    over which a stall was spread, ``project`` is False where none of them is the project's.
    """
    place = whose(phase, route, owner, rule)
    if rule == "starved":
        told = f"{starved(detail, held)} {place}"
    elif call is None:
        told = f"{STALLS.get(rule, 'something')} {place} {cost(held)}"
    else:
        given = f"({detail})" if detail and len(detail) <= 60 else ""
        told = f"{call}{given} {place} {cost(held)}"
    if spread > 1:
        told += f", over {counted(spread, 'line')}"
    return told if project else f"{told}, with no line of the project on the stack"
