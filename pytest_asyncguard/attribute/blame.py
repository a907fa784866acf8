"""Blame: which line of the user's code, and what call on it, a sighting is about."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_asyncguard._compat import expression_of
from pytest_asyncguard.attribute.phase import locate
from pytest_asyncguard.catalog.clients import SIBLINGS
from pytest_asyncguard.model import Frame, Request, Sample, Sighting, Stack
from pytest_asyncguard.origin import inner_part, project_frame

# Library functions that only pass a call on; nobody means them when they call something.
TRANSPARENT = frozenset({"contextlib", "functools", "asyncio", "anyio", "greenlet"})

_IMPORTING = ("importlib._bootstrap", "zipimport")

_NOWHERE = Frame(file="<unknown>", line=1, function="<unknown>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The place to blame, the stack that leads there, and how sure that is.

    ``stack`` goes on to the call; ``below`` is what of it the blamed place called. ``spread`` is
    the number of lines over which a stall was spread where no single one had half of it: then the
    place is the nearest frame they have in common.
    """

    frame: Frame
    stack: Stack
    project: bool
    below: Stack = ()
    spread: int = 1


def blame(sighting: Sighting) -> Blame:
    """The innermost frame of the user's project within the request.

    Without one on the stack, it is the endpoint, which asked for the work (a response model is
    serialized by the framework alone); and without an endpoint, the outermost library frame.
    """
    if sighting.rule == "starved":
        # Not the request's own code: that of the thread which kept the GIL.
        return _blame_samples(replace(sighting, request=None, spawned=True))
    if sighting.rule is None:
        return _blame_samples(sighting)
    return _blame_stack(sighting.stack, sighting)


def _blame_stack(stack: Stack, sighting: Sighting) -> Blame:
    index = project_frame(stack)
    if index is not None:
        return Blame(frame=stack[index], stack=stack, project=True, below=stack[index + 1 :])
    place = locate(stack, sighting.request, sighting.spawned)
    below = stack[place.start :]
    if place.phase != "middleware" and (frame := _endpoint_frame(sighting.request)) is not None:
        return Blame(frame=frame, stack=stack, project=True, below=below)
    frame = place.entry or (stack[0] if stack else _NOWHERE)
    return Blame(frame=frame, stack=stack, project=False, below=below)


def _endpoint_frame(request: Request | None) -> Frame | None:
    endpoint = request.endpoint if request is not None else None
    if endpoint is None or endpoint.file is None or endpoint.line is None:
        return None
    source = linecache.getline(endpoint.file, endpoint.line).rstrip("\r\n") or None
    name = endpoint.function
    return Frame(
        file=endpoint.file,
        line=endpoint.line,
        first_line=endpoint.line,
        function=name.rpartition(".")[2] or name,
        source=source,
        origin="project",
        coroutine=endpoint.kind == "async",
        awaits=bool(endpoint.awaits),
    )


def _blame_samples(sighting: Sighting) -> Blame:
    samples = sighting.samples
    weights: Counter[tuple[str, int, str]] = Counter()
    heaviest: dict[tuple[str, int, str], Sample] = {}
    outside = 0
    for sample in samples:
        index = project_frame(sample.stack)
        if index is None:
            outside += sample.weight_ns
            continue
        frame = sample.stack[index]
        place = (frame.file, frame.line, frame.function)
        weights[place] += sample.weight_ns
        if place not in heaviest or sample.weight_ns > heaviest[place].weight_ns:
            heaviest[place] = sample
    if not weights or outside > sum(weights.values()):
        framework = (sample for sample in samples if project_frame(sample.stack) is None)
        longest = max(framework, key=lambda sample: sample.weight_ns, default=None)
        return _blame_stack(longest.stack if longest else (), sighting)
    (place, weight), *_ = weights.most_common(1)
    if weight * 2 >= sum(weights.values()):
        return _blame_stack(heaviest[place].stack, sighting)
    return _common(samples, len(weights)) or _blame_stack(heaviest[place].stack, sighting)


def _common(samples: Iterable[Sample], lines: int) -> Blame | None:
    """The nearest frame of the project through which more than half of the time passed."""
    through: Counter[tuple[tuple[str, str], ...]] = Counter()
    total = 0
    shown: defaultdict[tuple[tuple[str, str], ...], list[tuple[Sample, int]]] = defaultdict(list)
    for sample in samples:
        total += sample.weight_ns
        path: list[tuple[str, str]] = []
        begin = inner_part(sample.stack)
        for index, frame in enumerate(sample.stack):
            path.append((frame.file, frame.function))
            if frame.origin == "project" and index >= begin:
                key = tuple(path)
                through[key] += sample.weight_ns
                shown[key].append((sample, index))
    common = [key for key, weight in through.items() if weight * 2 > total]
    if not common:
        return None
    key = max(common, key=len)
    by_line: Counter[int] = Counter()
    for sample, index in shown[key]:
        by_line[sample.stack[index].line] += sample.weight_ns
    line = by_line.most_common(1)[0][0]
    sample, index = max(
        (pair for pair in shown[key] if pair[0].stack[pair[1]].line == line),
        key=lambda pair: pair[0].weight_ns,
    )
    return Blame(
        frame=sample.stack[index], stack=sample.stack[: index + 1], project=True, spread=lines
    )


def called_name(sighting: Sighting, blamed: Blame) -> str | None:
    """The call as the user wrote it: ``requests.get``, not the ``socket.connect`` deep below."""
    if sighting.call is None:
        return None
    if not sighting.named_by_caller:
        return sighting.call
    method = _method(blamed.frame)
    if sighting.call == "sqlite3" and not blamed.below:
        return f"sqlite3.{method or _statement(sighting.detail)}"
    called = [frame for frame in blamed.below if _can_be_meant(frame)]
    library = (called[0].module if called else sighting.call).partition(".")[0]
    if (written := _written(blamed.frame)) is not None and written.startswith(f"{library}."):
        return written
    if not called:
        return sighting.call
    if sighting.owned and (name := _owned(sighting.call, called[0], library, method)):
        return name
    # A decorator's closure stands for the function below it that it decorates.
    own = (frame for frame in called if frame.module.partition(".")[0] == library)
    meant = next((frame for frame in own if _is_public(frame.function)), called[0])
    return meant.public or meant.function


def _owned(call: str, frame: Frame, library: str, method: str | None) -> str | None:
    """The method that the user called, under the class in ``call``, if it is one of that class.

    It may be defined in a mixin, whose name nobody writes, or be made at run time.
    """
    owner = call.rpartition(".")[0]
    home, _, name = frame.function.rpartition(".")
    if not home or SIBLINGS.get(library, library) != call.partition(".")[0]:
        return None
    if "<locals>" in home:
        return f"{owner}.{method}" if method else None
    defined = _resolved(f"{frame.module}.{home}")
    if defined not in getattr(_resolved(owner), "__mro__", (defined,)):
        return None
    # Written may be another name of it: redis has ``incr`` for ``incrby``.
    if method is not None and inspect.getattr_static(defined, method, None) is not None:
        return f"{owner}.{method}"
    return f"{owner}.{name}" if not name.startswith("_") else None


def _resolved(dotted: str) -> object:
    """What stands under a dotted name, of the modules that are there."""
    module, _, rest = dotted, "", ""
    while module and module not in sys.modules:
        module, _, word = module.rpartition(".")
        rest = f"{word}.{rest}"
    found: object = sys.modules.get(module)
    for part in rest.strip(".").split("."):
        found = inspect.getattr_static(found, part, None) if part else found
    return found


def _can_be_meant(frame: Frame) -> bool:
    # A frozen module has a name (`os` is one), and code without a file has none.
    library = frame.module.partition(".")[0]
    return bool(library) and library not in TRANSPARENT and not frame.module.startswith(_IMPORTING)


def _is_public(function: str) -> bool:
    name = function.rpartition(".")[2]
    return "<locals>" not in function and (not name.startswith("_") or name.endswith("__"))


def library_called(blamed: Blame) -> str | None:
    """The top-level name of the library that the user called."""
    return next((f.module.partition(".")[0] for f in blamed.below if _can_be_meant(f)), None)


def _written(frame: Frame) -> str | None:
    """The dotted name that the running expression of ``frame`` calls, if it leads to something.

    Packages rename what they export: ``pymysql.connect`` is a class of another name.
    """
    expression = _expression(frame)
    node = expression.func if isinstance(expression, ast.Call) else None
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or not parts:
        return None
    written = ".".join((node.id, *reversed(parts)))
    return written if node.id in sys.modules and _resolved(written) is not None else None


def _method(frame: Frame) -> str | None:
    """The name of the method that the running expression of ``frame`` calls."""
    expression = _expression(frame)
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        return expression.func.attr
    return None


def _statement(detail: str | None) -> str:
    verb = (detail or "").partition(" ")[0].lower()
    return verb if verb in ("commit", "rollback") else "execute"


def expression_text(frame: Frame) -> str | None:
    """The source text of the expression that was running, without its line breaks."""
    # Code that was compiled from a string has no file to look the line up in.
    if frame.column is None or frame.end_column is None or frame.file.startswith("<"):
        return None
    last = frame.end_line or frame.line
    lines = [
        linecache.getline(frame.file, line).rstrip("\r\n") for line in range(frame.line, last + 1)
    ]
    if not lines or not lines[0]:
        return None
    lines[-1] = lines[-1][: frame.end_column - 1]
    lines[0] = lines[0][frame.column - 1 :]
    return " ".join(" ".join(lines).split())


def _expression(frame: Frame) -> ast.expr | None:
    text = expression_text(frame)
    try:
        return expression_of(text) if text else None
    except (SyntaxError, ValueError):
        return None


def occurrence(frame: Frame) -> int:
    """How many times the blamed source line stands earlier in the same function."""
    if frame.source is None:
        return 0
    wanted = " ".join(frame.source.split())
    return sum(
        " ".join(linecache.getline(frame.file, line).split()) == wanted
        for line in range(frame.first_line, frame.line)
    )
