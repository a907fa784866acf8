"""Each use of a library, with its usual test double: found on the loop, and nowhere else."""

from __future__ import annotations

from typing import Any


def test_on_the_loop_it_is_one_finding(runs: Any, calling: Any) -> None:
    """Named as the user wrote it, on the user's line, however fast or faked it is."""
    assert runs.of(calling, "loop") == calling.wanted


def test_in_a_thread_it_is_none(runs: Any, calling: Any) -> None:
    """Neither in a ``def`` endpoint nor through ``run_in_threadpool``."""
    assert [runs.of(calling, name) for name in ("plain", "pool")] == [[], []]


def test_what_an_async_endpoint_may_do_is_none(runs: Any, free: Any) -> None:
    """The async twin of a library, what does not wait, and what others do for the app."""
    assert runs.of(free, "twin") == []


def test_nothing_else_is_found(runs: Any) -> None:
    """Every finding belongs to a test that is to have one."""
    tests = {test for finding in runs.report["findings"] for test in finding["tests"]}
    assert [test for test in sorted(tests) if not test.endswith("::test_loop")] == []


def test_a_finding_says_that_it_was_a_double(runs: Any, all_rows: Any) -> None:
    """The reader knows then why it took no time; and where there was none, it does not."""
    doubled = {row.module for row in all_rows if row.replaced}
    for finding in runs.report["findings"]:
        module = finding["tests"][0].partition(".py::")[0].rpartition("/")[2]
        assert (finding["detail"] == "replaced by a test double") == (module in doubled), finding
