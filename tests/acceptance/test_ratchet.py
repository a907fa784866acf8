"""A project with a baseline: it may get better, and it may not get worse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Project

BASELINE = "asyncguard-baseline.json"


# --- partial runs ----------------------------------------------------------------------------

FAILING = "\n\ndef test_fails():\n    assert False\n"
Prepare = Callable[["Project"], None]


def nothing(project: Project) -> None: ...


def other_test(project: Project) -> None:
    project.write("test_other.py", "def test_other(): pass\n")


def fail_first(project: Project) -> None:
    project.write("test_a.py", FAILING)


def fail_last_time(project: Project) -> None:
    project.write("test_z.py", FAILING)
    project.run()
    project.write("test_z.py", FAILING.replace("False", "True"))


def cannot_be_collected(project: Project) -> None:
    project.write("test_z.py", "import missing_module\n")


def crash(project: Project) -> None:
    project.write("test_a.py", "import os\n\n\ndef test_crash():\n    os._exit(3)\n")


def interrupt(project: Project) -> None:
    project.write("test_a.py", "def test_interrupt():\n    raise KeyboardInterrupt\n")


XDIST = ("xdist.plugin",)


@pytest.mark.parametrize(
    ("prepare", "arguments", "why"),
    [
        (nothing, ["-k", "site_1"], "-k"),
        (nothing, ["-m", "nonsense"], "-m, no test ran"),
        (nothing, ["--deselect", "test_app.py::test_site[/sites_a/site_1]"], "deselected tests"),
        (nothing, ["test_app.py::test_site[/sites_a/site_1]"], "only test_app.py::test_site["),
        (other_test, ["test_other.py"], "only test_other.py"),
        (other_test, ["--ignore=test_app.py"], "--ignore"),
        (fail_first, ["-x"], "it stopped early"),
        (fail_first, ["--maxfail=1"], "it stopped early"),
        (fail_first, [], "tests failed"),
        (fail_last_time, ["--lf"], "--lf"),
        (cannot_be_collected, [], "it was interrupted, a file could not be collected"),
        (cannot_be_collected, ["--continue-on-collection-errors"], "a file could not be collected"),
        (interrupt, [], "it was interrupted"),
        (crash, ["-n1", "--max-worker-restart=0"], "a worker crashed"),
        (nothing, ["-n2", "-k", "site_1"], "-k"),
    ],
)
def test_a_partial_run_removes_nothing(
    small: Project, prepare: Prepare, arguments: list[str], why: str
) -> None:
    """What it did not see may still be there; it says so, and adds what it saw."""
    before = small.entries
    prepare(small)
    small.edit("sites_a.py", "time.sleep(0.0001 * 3)", "pass")
    plugins = XDIST if "-n" in " ".join(arguments) else ()
    ran = small.run("--asyncguard-update-baseline", *arguments, plugins=plugins)
    assert small.entries == before, ran.output
    assert f"asyncguard: partial run ({why}" in ran.output, ran.output
    assert "): the baseline keeps " in ran.output
    assert ran.report["run"]["complete"] is (why == "tests failed")


@pytest.mark.parametrize(
    ("prepare", "arguments"),
    [
        (nothing, ["test_app.py"]),
        (nothing, ["."]),
        (nothing, ["-k", "site"]),
        (nothing, ["-x", "--maxfail=3"]),
        (nothing, ["-n2"]),
        (nothing, ["-n2", "--dist=loadscope"]),
    ],
)
def test_a_complete_run_is_known_as_one(
    small: Project, prepare: Prepare, arguments: list[str]
) -> None:
    """Options that leave nothing out make no difference, nor do many workers."""
    small.edit("sites_a.py", "time.sleep(0.0001 * 3)", "pass")
    plugins = XDIST if "-n2" in arguments else ()
    ran = small.run("--asyncguard-strict", *arguments, plugins=plugins)
    assert (ran.exit_code, ran.counts) == (1, (0, 2, 1)), ran.output
    ran = small.run("--asyncguard-update-baseline", *arguments, plugins=plugins)
    assert "2 entries, 0 added, 1 removed" in ran.output


def test_testpaths_say_what_is_complete(small: Project) -> None:
    """Other tests in the project are another suite."""
    (small.folder / "e2e").mkdir()
    small.write("e2e/test_far.py", "def test_far(): pass\n")
    assert not small.run("test_app.py").report["run"]["complete"]
    small.edit("pytest.ini", "[pytest]\n", "[pytest]\ntestpaths = test_app.py\n")
    assert small.run("test_app.py").report["run"]["complete"]
    assert not small.run("e2e").report["run"]["complete"]


def test_a_partial_run_fails_for_nothing_stale(small: Project) -> None:
    """Strict or not."""
    ran = small.run("--asyncguard-strict", "-k", "site_1")
    assert (ran.exit_code, ran.counts) == (0, (0, 1, 0))
    assert (
        "partial run (-k): 2 entries of the baseline not seen, which proves nothing" in ran.output
    )


def test_a_blind_guard_writes_nothing(small: Project) -> None:
    """It saw nothing, and would write that down."""
    before = small.path.read_bytes()
    small.write(
        "blind.py",
        "from pytest_asyncguard.guard import Guard\n\nGuard._check = lambda self: 'made so'\n",
    )
    ran = small.run("--asyncguard-update-baseline", plugins=("blind",))
    assert ran.exit_code == 1
    assert "asyncguard: INACTIVE, nothing was watched: made so" in ran.output
    assert small.path.read_bytes() == before


def test_what_a_rule_would_find_that_is_off_is_not_stale(small: Project) -> None:
    """Nobody looked for it: it is neither told nor taken out."""
    before = small.path.read_bytes()
    ran = small.run("--asyncguard-rule=sleep=off", "--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (0, (0, 0, 0))
    small.update("--asyncguard-rule=sleep=off")
    assert small.path.read_bytes() == before


# --- entries ---------------------------------------------------------------------------------


def date(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "xdist"])
def test_an_expired_entry_fails(small: Project, workers: list[str]) -> None:
    """On the day after; it is told whose it is, and an update does not prolong it."""
    plugins = XDIST if workers else ()
    old, new = '"reason": null, "owner": null, "expires": null', f'"expires": "{date(30)}"'
    small.edit(BASELINE, old, f'"reason": "legacy", "owner": "orders team", {new}')
    assert small.run(*workers, plugins=plugins).exit_code == 0
    small.edit(BASELINE, date(30), date(-2))
    ran = small.run(*workers, plugins=plugins)
    assert (ran.exit_code, ran.counts) == (1, (1, 2, 0))
    assert len(ran.failed) == 1
    assert "(1 error), and 1 has expired in the baseline" in ran.output
    (finding,) = [each for each in ran.report["findings"] if each["status"] == "new"]
    why = f"its entry in the baseline expired on {date(-2)} (orders team: legacy)"
    assert finding["reason"] == why
    place = f"{finding['file']}:{finding['line']}"
    assert f"asyncguard: {place}: AG101 sleep: {why}" in ran.output.splitlines()
    before = small.path.read_bytes()
    assert small.update(*workers, *(["-pxdist.plugin"] if workers else [])).exit_code == 1
    assert small.path.read_bytes() == before


def test_what_the_team_wrote_is_in_the_report(small: Project) -> None:
    """The reason stands beside the finding that it excuses."""
    small.edit(BASELINE, '"reason": null', '"reason": "rewrite in May"')
    ran = small.run("-v")
    assert [f["reason"] for f in ran.report["findings"]] == ["rewrite in May", None, None]
    assert "baselined AG101 sleep: rewrite in May" in ran.output


def test_a_warning_is_baselined_like_an_error(project: Project) -> None:
    """Strict makes an error of it, and then it has to be known."""
    project.write("sites_a.py", "async def site_1():\n    open(__file__).close()\n")
    assert project.update("--asyncguard-strict").exit_code == 0
    assert [entry["rule"] for entry in project.entries] == ["file"]
    assert project.run("--asyncguard-strict").exit_code == 0


# --- a file that cannot be used --------------------------------------------------------------


@pytest.mark.parametrize("update", [[], ["--asyncguard-update-baseline"]], ids=["use", "update"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the file is empty"),
        ("{", "line 1: this is not JSON (Expecting property name enclosed in double quotes)"),
        ('{"asyncguard_baseline": 2}', "line 1: version 2 is newer than the one"),
        ("{\n<<<<<<< HEAD\n", "line 2: a merge conflict that is not resolved"),
        ('{"asyncguard_baseline": 1, "entries": [\n{}]}', "line 2: 'path' is missing"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(
    project: Project, content: str, message: str, update: list[str]
) -> None:
    """Before a test runs, with line and cause; an update does not write over it."""
    project.sites("sites_a.py", 1)
    project.write(BASELINE, content)
    ran = project.run(*update)
    assert ran.exit_code == 4
    assert f"ERROR: --asyncguard-baseline: '{BASELINE}': {message}" in ran.output
    assert "test session starts" not in ran.output
    assert project.path.read_text(encoding="utf-8") == content


def test_a_baseline_that_is_not_there_is_a_usage_error(project: Project) -> None:
    """It says how to make one."""
    ran = project.run()
    assert ran.exit_code == 4
    assert (
        f"ERROR: --asyncguard-baseline: '{BASELINE}': there is no such file; "
        "--asyncguard-update-baseline makes it"
    ) in ran.output


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "cannot write it: it is a folder"),
        ("app.py/b.json", "app.py: Not a directory"),
        ("/proc/none/b.json", "/proc: "),
    ],
)
def test_a_baseline_that_cannot_be_written_is_a_usage_error(
    project: Project, path: str, message: str
) -> None:
    """Known before a test runs."""
    if path.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("there is no /proc")
    ran = project.update(f"--asyncguard-baseline={path}")
    assert ran.exit_code == 4
    assert "ERROR: --asyncguard-baseline: " in ran.output
    assert message in ran.output


def test_an_update_that_fails_loses_nothing(small: Project) -> None:
    """On a full disk the old file stays, whole; the run fails and says why."""
    before = small.path.read_bytes()
    small.sites("sites_a.py", 1, 2, 3, 4)
    small.write(
        "full.py",
        "import os\n\n\ndef replace(*paths, real=os.replace):\n"
        "    if paths[1].endswith('baseline.json'):\n"
        "        raise OSError(28, 'No space left on device')\n"
        "    real(*paths)\n\n\nos.replace = replace\n",
    )
    ran = small.run("--asyncguard-update-baseline", plugins=("full",))
    assert ran.exit_code == 1
    assert f"{BASELINE} (No space left on device) was not written" in ran.output
    assert small.path.read_bytes() == before
    assert ran.report["summary"]["baselined"] == 4
    assert [path.name for path in small.folder.glob("*.tmp")] == []


# --- whoever reads it ------------------------------------------------------------------------


def test_workers_have_the_baseline_of_the_controller(small: Project) -> None:
    """They need not find the file, and only what is new fails a test."""
    small.sites("sites_b.py", 4)
    small.write(
        "conftest.py",
        "import os\n\n\ndef pytest_configure(config):\n"
        "    if hasattr(config, 'workerinput'):\n"
        f"        os.path.exists({BASELINE!r}) and os.rename({BASELINE!r}, 'hidden.json')\n",
    )
    ran = small.run("-n2", plugins=XDIST)
    assert (ran.exit_code, ran.counts) == (1, (1, 3, 0)), ran.output
    assert ran.failed == ["test_app.py::test_site[/sites_b/site_4]"]


@pytest.mark.parametrize("mode", ["fail-tests", "fail-run", "report"])
def test_the_modes_fail_for_what_is_new(small: Project, mode: str) -> None:
    """What is known fails in none of them."""
    assert small.run(f"--asyncguard-mode={mode}").exit_code == 0
    small.sites("sites_b.py", 4)
    ran = small.run(f"--asyncguard-mode={mode}")
    assert ran.exit_code == (mode != "report")
    assert len(ran.failed) == (mode == "fail-tests")
    assert ran.counts == (1, 3, 0)
