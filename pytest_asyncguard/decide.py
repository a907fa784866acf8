"""Decide: Sighting -> Decision, whether it counts, and how much.

Every answer has a reason, the negative ones above all. Works on plain frames, so each question
can be tested with a written stack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_asyncguard.catalog.allowances import ALLOWANCES, ONCE, TEST_CLIENTS
from pytest_asyncguard.catalog.rows import Allowance
from pytest_asyncguard.catalog.rules import RULES
from pytest_asyncguard.model import (
    Charge,
    Decision,
    Frame,
    Level,
    Rule,
    Sample,
    Severity,
    Sighting,
    Stack,
)
from pytest_asyncguard.origin import project_frame

ONCE_RULES = frozenset({"tls-context"})
SOCKET_MODULES = frozenset({"socket", "ssl", "select", "selectors", "contextlib", "functools"})
LIFESPAN_WARNINGS = frozenset(rule.name for rule in RULES.values() if rule.code <= "AG108")


class Decider:
    """Judges sightings by the catalogue and the user's settings."""

    def __init__(self, levels: Mapping[str, Level]) -> None:
        self._levels = levels
        self._allowances = _Index(ALLOWANCES)
        self._once = _Index(ONCE)
        self._clients = _Index(TEST_CLIENTS)

    def judge(
        self,
        calls: Sequence[Sighting],
        stalls: Sequence[Sighting],
        starved: Sequence[Sighting] = (),
        limit: Callable[[str], int] = lambda _: 0,
    ) -> list[tuple[Sighting, Decision]]:
        """The sightings of one request that count, each with its decision.

        ``limit`` is the threshold of a rule, in nanoseconds; what is in ``stalls`` is over the
        least of them.
        """
        known = [call for call in calls if self.explains(call)]
        charged, rest = reconcile(known, map(_without_starts, stalls))
        long = [one for one in rest if _held_ns(one) >= limit(_rule(one).name)]
        if not long:
            # What is long by itself is told as that, and once.
            long = [one for one in starved if _held_ns(one) >= limit("starved")]
        judged = [(sighting, self.decide(sighting)) for sighting in (*charged, *long)]
        return apart((sighting, made) for sighting, made in judged if made.severity is not None)

    def explains(self, call: Sighting) -> bool:
        """Whether a known call accounts for a stall: what is allowed does so only for the test."""
        return self._allowed(call) is None or self._clients.first(call.stack) is not None

    def _allowed(self, call: Sighting) -> str | None:
        """The reason why a known call is allowed where it was made, if it is."""
        if (row := self._allowances.first(_between(call.stack))) is not None:
            return row.reason
        if (row := self._clients.first(call.stack)) is not None:
            return row.reason
        if any(frame.module.startswith("importlib._bootstrap") for frame in call.stack):
            return "importing a module happens once per process"
        return None

    def decide(self, sighting: Sighting) -> Decision:
        """The decision on a sighting that ``reconcile`` has left standing."""
        rule = _rule(sighting)
        level = self._levels.get(rule.name, rule.severity)
        if level == "off":
            return Decision(rule=rule, severity=None, reason="the rule is switched off")
        if sighting.rule is None or sighting.rule == "starved":
            return self._stall(sighting, rule, level)
        if (reason := self._allowed(sighting)) is not None:
            return Decision(rule=rule, severity=None, reason=reason)
        if _in_lifespan(sighting):
            if rule.name in LIFESPAN_WARNINGS:
                return Decision(
                    rule=rule, severity="warning", reason="start-up delays nobody's request"
                )
            return Decision(rule=rule, severity=None, reason="start-up delays nobody's request")
        if (
            level == "warning"
            and rule.severity == "warning"
            and rule.name not in self._levels
            and sighting.longest is not None
            and sighting.longest.held_ns >= sighting.threshold_ns
        ):
            return Decision(
                rule=rule, severity="error", reason="it held the loop over the threshold"
            )
        return Decision(
            rule=rule,
            severity=level,
            reason="the catalogue names it",
            once=rule.name in ONCE_RULES and rule.name not in self._levels,
        )

    def _stall(self, sighting: Sighting, rule: Rule, level: Severity) -> Decision:
        if _in_lifespan(sighting):
            return Decision(rule=rule, severity=None, reason="start-up delays nobody's request")
        for sample in sighting.samples:
            row = self._allowances.first(sample.stack)
            if row is not None and row.stalls:
                return Decision(rule=rule, severity=None, reason=row.reason)
        total = sum(sample.weight_ns for sample in sighting.samples)
        clients: Counter[Allowance] = Counter()
        for sample in sighting.samples:
            if (row := self._clients.first(sample.stack)) is not None:
                clients[row] += sample.weight_ns
        if clients.total() * 2 > total:
            ((row, _),) = clients.most_common(1)
            return Decision(rule=rule, severity=None, reason=row.reason)
        once: Counter[tuple[Allowance, bool]] = Counter()
        for sample in sighting.samples:
            if (row := self._once.first(sample.stack)) is not None:
                # What the framework builds for itself is done once; what the user has built may
                # be built again.
                own = row.stalls and project_frame(sample.stack) is None
                once[row, own] += sample.weight_ns
        if once.total() * 2 > total:
            (((row, own), _),) = once.most_common(1)
            return Decision(
                rule=rule,
                severity=None if own else "warning",
                reason=row.reason,
                once=level == "error" and not own,
            )
        return Decision(rule=rule, severity=level, reason="it held the loop over the threshold")


class _Index:
    """Allowances by top-level module, remembered by frame."""

    def __init__(self, rows: Iterable[Allowance]) -> None:
        self._by_top: defaultdict[str, list[Allowance]] = defaultdict(list)
        for row in rows:
            self._by_top[row.module.partition(".")[0]].append(row)
        self._known: dict[tuple[str, str], Allowance | None] = {}

    def first(self, stack: Iterable[Frame]) -> Allowance | None:
        for frame in stack:
            if (row := self.of(frame)) is not None:
                return row
        return None

    def of(self, frame: Frame) -> Allowance | None:
        if frame.origin == "project":
            return None
        key = (frame.module, frame.function)
        if key not in self._known:
            self._known[key] = next(
                filter(None, (self._match(row, *key) for row in self._rows(key))), None
            )
        return self._known[key]

    def _rows(self, key: tuple[str, str]) -> Sequence[Allowance]:
        return self._by_top.get(key[0].partition(".")[0], ())

    def _match(self, row: Allowance, module: str, function: str) -> Allowance | None:
        if module != row.module and not module.startswith(row.module + "."):
            return None
        inside = not row.functions or any(
            function == name or function.startswith(name + ".<locals>") for name in row.functions
        )
        return row if inside else None


def again(decision: Decision) -> Decision:
    """The decision on what was to be done once, and was done for another request of the app."""
    if not decision.once:
        return decision
    return replace(decision, severity="error", reason="it is done on request after request")


def _rule(sighting: Sighting) -> Rule:
    if sighting.rule == "socket" and sighting.named_by_caller and _has_client(sighting.stack):
        return RULES["sync-client"]
    if sighting.rule is not None:
        return RULES[sighting.rule]
    charge = sighting.charge or Charge(cpu_ns=0, asleep_ns=0)
    return RULES["cpu-stall" if charge.cpu_ns >= charge.asleep_ns else "blocked-stall"]


def _held_ns(sighting: Sighting) -> int:
    return sighting.charge.held_ns if sighting.charge is not None else 0


def _has_client(stack: Stack) -> bool:
    """Whether a library stands between the user's line and the socket: it is a client, then."""
    below = _between(stack)
    return project_frame(stack) is not None and any(
        frame.module.partition(".")[0] not in SOCKET_MODULES for frame in below
    )


def _between(stack: Stack) -> Stack:
    """The frames between the user's own line and the call."""
    index = project_frame(stack)
    return stack if index is None else stack[index + 1 :]


def _in_lifespan(sighting: Sighting) -> bool:
    request = sighting.request
    return request is not None and request.type == "lifespan" and not sighting.spawned


# --- one call of the user's, one finding -----------------------------------------------------

_TELLING = (
    "sync-database",
    "sync-client",
    "password-hash",
    "subprocess",
    "stdin",
    "socket",
    "thread-wait",
    "sleep",
    "tls-context",
    "file",
)
"""What a library does for one call, from what tells most of it to what comes with it."""


def apart(judged: Iterable[tuple[Sighting, Decision]]) -> list[tuple[Sighting, Decision]]:
    """One sighting for each call that the user wrote.

    A library may look up a host, connect, sleep before it tries again, and read a file of
    certificates: no call that the catalogue knows spans all of that. And where a line is an error,
    what else it does is no warning of its own.
    """
    groups: defaultdict[object, list[tuple[Sighting, Decision]]] = defaultdict(list)
    for sighting, made in judged:
        index = project_frame(sighting.stack)
        alone = index is None or sighting.rule is None
        key: object = id(sighting) if alone else (sighting.stack[index or 0], sighting.spawned)
        groups[key].append((sighting, made))
    kept: list[tuple[Sighting, Decision]] = []
    for group in groups.values():
        (first, made), *others = sorted(group, key=_told)
        for other in others:
            if other[0].rule == first.rule:
                kept.append(other)
            elif other[0].charge is not None:
                first = _charged(first, other[0].charge)
        kept.append((first, made))
    errors = {site(call.stack) for call, made in kept if call.rule and made.severity == "error"}
    return [
        (sighting, made)
        for sighting, made in kept
        if made.severity == "error"
        or made.rule.severity == "error"
        or site(sighting.stack) not in errors
    ]


def _told(judged: tuple[Sighting, Decision]) -> tuple[bool, int]:
    rule = judged[0].rule
    return judged[1].severity != "error", _TELLING.index(rule) if rule in _TELLING else -1


# --- two kinds of evidence, one finding ------------------------------------------------------


def reconcile(
    calls: Sequence[Sighting], stalls: Iterable[Sighting]
) -> tuple[tuple[Sighting, ...], tuple[Sighting, ...]]:
    """Give the time that known calls explain to those calls; of the stalls keep the rest.

    A sample whose blame line is that of a known call made in the same hold is explained by it. A
    call that a probe could not time (an audit event, a trace callback) is charged with its
    samples. A stall of which less than the threshold is left is none. Calls that are no finding
    explain nothing: leave them out.
    """
    charged = list(calls)
    at: defaultdict[object, list[int]] = defaultdict(list)
    for index, call in enumerate(charged):
        at[site(call.stack)].append(index)
    left: list[Sighting] = []
    for stall in stalls:
        charge = stall.charge or Charge(cpu_ns=0, asleep_ns=0)
        known = {place for call in stall.known if (place := site(call.stack)) in at}
        remaining: list[Sample] = []
        explained: Counter[object] = Counter()
        for sample in stall.samples:
            if (place := site(sample.stack)) in known:
                explained[place] += sample.weight_ns
            else:
                remaining.append(sample)
        total = sum(sample.weight_ns for sample in stall.samples)
        for place, weight in explained.items():
            untimed = [index for index in at[place] if not charged[index].timed]
            if untimed:
                charged[untimed[0]] = _charged(charged[untimed[0]], _share(charge, weight, total))
        # By time, and by line: a short hold has few samples, and a call that no probe could time
        # has nothing but samples.
        rest = _without(charge, (made.charge for made in stall.known if site(made.stack) in at))
        if total:
            part = charge.held_ns * sum(sample.weight_ns for sample in remaining) // total
            rest = _share(rest, min(part, rest.held_ns), max(1, rest.held_ns))
        if rest.held_ns >= stall.threshold_ns:
            left.append(replace(stall, samples=tuple(remaining), charge=rest))
    return tuple(charged), tuple(left)


def _without_starts(stall: Sighting) -> Sighting:
    """``stall`` without what it waited for threads to start.

    ``Thread.start`` returns once the thread has got a processor: on a crowded machine that takes
    long, and is nobody's fault.
    """
    samples = tuple(sample for sample in stall.samples if not _starts_thread(sample.stack))
    if stall.charge is None or len(samples) == len(stall.samples):
        return stall
    total = sum(sample.weight_ns for sample in stall.samples)
    left = sum(sample.weight_ns for sample in samples)
    return replace(stall, samples=samples, charge=_share(stall.charge, left, max(1, total)))


def _starts_thread(stack: Stack) -> bool:
    return any(
        frame.function == "Thread.start" and frame.module == "threading" for frame in stack[-8:]
    )


def site(stack: Stack) -> object:
    """What two stacks have in common when they blame the same line."""
    index = project_frame(stack)
    if index is None:
        return tuple((frame.file, frame.function) for frame in stack[:1])
    frame = stack[index]
    return frame.file, frame.line, frame.function


def _without(charge: Charge, parts: Iterable[Charge]) -> Charge:
    """What is left without what was measured: sleep off sleep, computing off computing."""
    taken = list(parts)
    return Charge(
        cpu_ns=max(0, charge.cpu_ns - sum(part.cpu_ns for part in taken)),
        asleep_ns=max(0, charge.asleep_ns - sum(part.asleep_ns for part in taken)),
    )


def _share(charge: Charge, part: int, total: int) -> Charge:
    return Charge(cpu_ns=charge.cpu_ns * part // total, asleep_ns=charge.asleep_ns * part // total)


def _charged(call: Sighting, more: Charge) -> Sighting:
    before = call.charge or Charge(cpu_ns=0, asleep_ns=0)
    return replace(
        call,
        longest=max((call.longest or more, more), key=lambda charge: charge.held_ns),
        charge=Charge(
            cpu_ns=before.cpu_ns + more.cpu_ns, asleep_ns=before.asleep_ns + more.asleep_ns
        ),
    )
