"""Attribute: Sighting and Decision -> Finding. Whose request, which part of it, which line."""

from __future__ import annotations

import os
from dataclasses import replace

from pytest_asyncguard.attribute.anchor import anchor
from pytest_asyncguard.attribute.blame import Blame, blame, called_name, library_called, occurrence
from pytest_asyncguard.attribute.hint import hint
from pytest_asyncguard.attribute.installed import Installations
from pytest_asyncguard.attribute.phase import owner_of, phase_of
from pytest_asyncguard.catalog.clients import TWINS
from pytest_asyncguard.identity import fingerprint
from pytest_asyncguard.model import (
    Decision,
    Endpoint,
    Finding,
    RouteCount,
    Severity,
    Sighting,
    Spread,
    StackFrame,
)
from pytest_asyncguard.wording import message


class Attributor:
    """Makes findings, with paths relative to ``rootdir``."""

    def __init__(self, rootdir: str) -> None:
        self._rootdir = os.path.abspath(rootdir)
        self._installations = Installations(rootdir)

    def attribute(self, sighting: Sighting, decision: Decision, test: str | None) -> Finding:
        """The finding that a sighting amounts to. ``decision`` must have a severity."""
        severity: Severity | None = decision.severity
        assert severity is not None
        blamed = blame(sighting)
        frame = blamed.frame
        own = sighting.stack if decision.rule.name == "starved" else blamed.stack
        phase = phase_of(own, sighting.request, sighting.spawned)
        call = called_name(sighting, blamed)
        library = library_called(blamed)
        sighting = replace(
            sighting,
            call=call,
            twin=TWINS.get(library, sighting.twin) if library is not None else sighting.twin,
        )
        route = sighting.request.route if sighting.request is not None else None
        owner = owner_of(own, sighting.request, phase)
        instead = hint(sighting, decision.rule.name, phase, frame, blamed.stack)
        if phase == "middleware" and owner and not blamed.project:
            instead += self._installed(owner)
        file = self.relative(frame.file)
        known_by = anchor(frame) if sighting.call is None else frame
        held = _spread(sighting, "held_ns")
        count = sighting.count
        return Finding(
            fingerprint=fingerprint(
                decision.rule.code, file, frame.function, known_by.source, occurrence(known_by)
            ),
            code=decision.rule.code,
            rule=decision.rule.name,
            severity=severity,
            call=call,
            detail=sighting.detail,
            message=message(
                call=call,
                detail=sighting.detail,
                rule=decision.rule.name,
                phase=phase,
                owner=owner,
                route=route,
                held=held.max if held is not None else None,
                spread=blamed.spread,
                project=blamed.project,
            ),
            hint=instead,
            file=file,
            line=frame.line,
            end_line=frame.end_line,
            column=frame.column,
            end_column=frame.end_column,
            function=frame.function,
            source=frame.source,
            route=route,
            routes=(RouteCount(route=route, phase=phase, count=count),),
            phase=phase,
            count=count,
            held_seconds=held,
            # To be kept from the GIL is neither computing nor sleep.
            cpu_seconds=_spread(sighting, "cpu_ns") if own is blamed.stack else None,
            asleep_seconds=_spread(sighting, "asleep_ns") if own is blamed.stack else None,
            tests=(test,) if test is not None else (),
            stack=self._stack(blamed),
        )

    def located(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint with its file relative to rootdir; without one where it lies elsewhere."""
        file = self.relative(endpoint.file) if endpoint.file else None
        if file is None or file.startswith("<") or os.path.isabs(file):
            return replace(endpoint, file=None, line=None)
        return replace(endpoint, file=file)

    def _installed(self, owner: str) -> str:
        """Where the project installs a library's middleware: the only line of it to be shown."""
        found = self._installations.of(owner)
        return f" `{owner}` is installed at {self.relative(found[0])}:{found[1]}." if found else ""

    def relative(self, file: str) -> str:
        """``file`` relative to rootdir where it lies below it, with forward slashes."""
        path = os.path.abspath(file) if not file.startswith("<") else file
        if path.startswith(os.path.join(self._rootdir, "")):
            path = os.path.relpath(path, self._rootdir)
        return path.replace(os.sep, "/")

    def _stack(self, blamed: Blame) -> tuple[StackFrame, ...]:
        return tuple(
            StackFrame(
                file=self.relative(frame.file),
                line=frame.line,
                function=frame.function,
                source=frame.source.strip() if frame.source else None,
                project=frame.origin == "project",
            )
            for frame in blamed.stack
        )


def _spread(sighting: Sighting, field: str) -> Spread | None:
    if sighting.charge is None:
        return None
    longest = sighting.longest or sighting.charge
    return Spread(max=getattr(longest, field) / 1e9, total=getattr(sighting.charge, field) / 1e9)
