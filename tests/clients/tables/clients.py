"""Each client of the catalogue, replaced whole by a mock: a method of what it makes is called."""

from __future__ import annotations

from pytest_asyncguard.catalog.clients import CLIENTS

RULE = ""

SETUP = """
import {module}

@pytest.fixture(autouse=True)
def double():
    global MADE
    with patch("{module}.{name}"):
        MADE = {module}.{name}()
        yield
"""


def _row(target: str, rule: str, called: str, blocking: frozenset[str] | None) -> dict[str, str]:
    module, _, name = target.partition(":")
    method = min(blocking or {"work"})
    return {
        "name": f"a mock for {target}",
        "needs": module,
        "rule": rule,
        "setup": SETUP.format(module=module, name=name),
        "call": f"MADE.{method}()",
        "found": f"{called}.{method}",
        "replaced": "yes",
    }


ROWS = [_row(client.target, client.rule, client.name, client.blocking) for client in CLIENTS]
