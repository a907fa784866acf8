"""The rules: what each finds, and how serious it is by default."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.model import Rule

_ROWS: Final = (
    Rule(code="AG101", name="sleep", severity="error", summary="time.sleep"),
    Rule(
        code="AG102",
        name="sync-client",
        severity="error",
        summary="a network client's synchronous API",
    ),
    Rule(
        code="AG103",
        name="sync-database",
        severity="error",
        summary="a database driver's synchronous API",
    ),
    Rule(
        code="AG104",
        name="socket",
        severity="error",
        summary="a blocking socket operation, TLS handshake or DNS look-up",
    ),
    Rule(
        code="AG105",
        name="subprocess",
        severity="error",
        summary="running a process, or waiting for one",
    ),
    Rule(
        code="AG106",
        name="thread-wait",
        severity="error",
        summary="waiting for another thread",
    ),
    Rule(
        code="AG107",
        name="password-hash",
        severity="error",
        summary="hashing a password: slow by design, however few rounds the test uses",
    ),
    Rule(code="AG108", name="stdin", severity="error", summary="reading standard input"),
    Rule(
        code="AG109",
        name="tls-context",
        severity="warning",
        summary="loading CA certificates",
    ),
    Rule(code="AG110", name="file", severity="warning", summary="local file-system work"),
    Rule(
        code="AG201",
        name="cpu-stall",
        severity="error",
        summary="computing for the threshold or longer in one hold",
    ),
    Rule(
        code="AG202",
        name="blocked-stall",
        severity="error",
        summary="asleep for the threshold or longer in one hold, in no call that is known",
    ),
    Rule(
        code="AG203",
        name="starved",
        severity="warning",
        summary="another thread held the GIL while the request was ready to run",
    ),
)

RULES: Final = {rule.name: rule for rule in _ROWS}
"""By name, in order of their codes."""

STALLS: Final = ("cpu-stall", "blocked-stall")
"""The rules that need no catalogue row: they are found by the clock."""


def find(text: str) -> Rule | None:
    """The rule that is called ``text``, by name or code."""
    wanted = text.strip().lower()
    return next((rule for rule in _ROWS if wanted in (rule.name, rule.code.lower())), None)
