"""Prices, kept in memory behind a lock and refreshed by a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping


class PriceCache:
    """The current prices by SKU. A refresh keeps readers waiting, for they must see all or none."""

    def __init__(self, prices: Mapping[str, int]) -> None:
        self._prices = dict(prices)
        self._lock = threading.Lock()
        self.reads = 0

    def refresh(self, fetch: Callable[[], Mapping[str, int]]) -> None:
        """Replace the prices; for a worker thread."""
        with self._lock:
            self._prices = dict(fetch())

    def get(self, sku: str) -> int | None:
        """Return the price; for a worker thread, since a refresh may be under way."""
        self.reads += 1
        with self._lock:  # blocks: price-lock
            return self._prices.get(sku)
