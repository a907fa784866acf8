"""What a parcel costs: the carrier's library is synchronous and slow, so it runs in threads."""

from __future__ import annotations

from collections.abc import Callable

FLAT_RATE_CENTS = 690

Carrier = Callable[[str], int]


def standard_carrier(postcode: str) -> int:
    """Quote a price in cents, by the first digit of the postcode."""
    return 400 + 50 * int(postcode[0])
