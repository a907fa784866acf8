from __future__ import annotations

import pytest

from pytest_asyncguard.identity import fingerprint


def test_a_fingerprint_is_the_same_everywhere_and_always() -> None:
    """Baselines are committed: the recipe is part of the contract and does not change."""
    found = fingerprint("AG101", "app/main.py", "create", "    time.sleep(1)", 0)
    assert found == "7e1876927a31e2e2"


def test_white_space_does_not_count() -> None:
    """A formatter that moves a line about does not make its finding new."""
    lines = ("f(a, b)", "    f(a, b)\n", "\tf(a,   b)  ")
    assert len({fingerprint("AG101", "a.py", "f", line, 0) for line in lines}) == 1


@pytest.mark.parametrize(
    "other",
    [
        ("AG102", "a.py", "f", "x()", 0),
        ("AG101", "b.py", "f", "x()", 0),
        ("AG101", "a.py", "g", "x()", 0),
        ("AG101", "a.py", "f", "y()", 0),
        ("AG101", "a.py", "f", None, 0),
        ("AG101", "a.py", "f", "x()", 1),
        ("AG101", "a.p", "yf", "x()", 0),
    ],
)
def test_each_part_of_the_identity_counts(other: tuple[str, str, str, str | None, int]) -> None:
    """Two sites differ in rule, file, function, line or occurrence, and in the parts as parts."""
    assert fingerprint(*other) != fingerprint("AG101", "a.py", "f", "x()", 0)


def test_a_file_name_that_is_no_text_has_an_identity() -> None:
    """Bytes that could not be decoded stand in a path as lone surrogates."""
    assert len(fingerprint("AG101", "app/\udcff.py", "f", None, 0)) == 16
