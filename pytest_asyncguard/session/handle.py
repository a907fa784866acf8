"""The fixture ``asyncguard``: what a test can ask of the guard, and tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import pytest

from pytest_asyncguard.catalog import rules
from pytest_asyncguard.model import Finding
from pytest_asyncguard.options.values import BadItemError, allowances


class Running(Protocol):
    """What the handle takes of the session."""

    def findings_so_far(self) -> tuple[Finding, ...]: ...
    def allow(self, patterns: Mapping[str, str | None]) -> None: ...
    def mark(self) -> int | None: ...
    def expect(self, rule: str, since: int) -> bool: ...


class Off:
    """What the handle has where the guard is not switched on: then nothing is found or expected."""

    def findings_so_far(self) -> tuple[Finding, ...]:
        return ()

    def allow(self, patterns: Mapping[str, str | None]) -> None:
        pass

    def mark(self) -> int | None:
        return None

    def expect(self, rule: str, since: int) -> bool:  # noqa: ARG002
        return True


class Handle:
    """The guard, as the test that asked for the fixture sees it."""

    def __init__(self, running: Running) -> None:
        self._running = running

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of this test so far. Those of a request are there once it is answered."""
        return self._running.findings_so_far()

    def allow(self, pattern: str, reason: str) -> None:
        """Let this test call what ``--asyncguard-allow=PATTERN`` would let all tests call."""
        if not reason or not reason.strip():
            raise ValueError("asyncguard.allow: the reason is missing")
        try:
            named = allowances(pattern)
        except BadItemError as error:
            raise ValueError(f"asyncguard.allow: {error.item!r} is not {error}") from None
        self._running.allow(dict.fromkeys(named, reason))

    @contextmanager
    def expect(self, rule: str) -> Iterator[None]:
        """Have the block found by this rule, or the test fails; what is found fails nothing."""
        found = rules.find(rule)
        if found is None:
            names = ", ".join(rules.RULES)
            raise ValueError(f"asyncguard.expect: {rule!r} is not a code or one of {names}")
        since = self._running.mark()
        try:
            yield
        except BaseException:
            if since is not None:
                self._running.expect(found.name, since)
            raise
        if since is not None and not self._running.expect(found.name, since):
            pytest.fail(f"asyncguard.expect({rule!r}): it was not found here", pytrace=False)
