"""Taking money: the terminal wants a moment before it answers."""

from __future__ import annotations

import time

SETTLING_SECONDS = 0.15


def charge() -> str:
    """Charge a card; for a worker thread."""
    time.sleep(SETTLING_SECONDS)
    return "paid"
