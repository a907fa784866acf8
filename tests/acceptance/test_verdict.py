"""What the run amounts to: which tests fail, with what to show, and the exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import driver
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    async def block(request):
        time.sleep(0.001)  # an error
        return PlainTextResponse("done")


    async def file(request):
        open(__file__).close()  # a warning
        return PlainTextResponse("done")


    async def stall(request):
        end = time.thread_time() + 0.06
        while time.thread_time() < end:
            pass
        return PlainTextResponse("done")


    async def clean(request):
        return PlainTextResponse("done")


    async def broken(request):
        time.sleep(0.001)
        raise LookupError("of the app")


    app = Starlette(
        routes=[
            Route(f"/{each.__name__}", each) for each in (block, file, stall, clean, broken)
        ]
    )
    get = driver.getting(app)
"""

TESTS = """
    import pytest

    from app import get


    def test_block():
        assert get("/block") == 200


    def test_file():
        assert get("/file") == 200


    def test_clean():
        assert get("/clean") == 200


    def test_own():
        assert True


    @pytest.mark.xfail(reason="known")
    def test_known():
        assert get("/block") == 200


    @pytest.mark.asyncguard(mode="report")
    def test_reported():
        assert get("/block") == 200


    @pytest.mark.asyncguard(mode="fail-run")
    def test_failing_run():
        assert get("/block") == 200


    @pytest.mark.asyncguard(mode="fail-tests")
    def test_failing():
        assert get("/block") == 200
"""

FILES = {"app.py": APP, "test_app.py": TESTS}
SUITES = {
    "errors": ("test_block", "test_file", "test_clean", "test_own"),
    "warnings": ("test_file", "test_clean", "test_own"),
    "clean": ("test_clean", "test_own"),
    "nothing-watched": ("test_own",),
}
"""The tests of a suite, by the verdict on it."""
SENTENCES = {
    "errors": "2 places block the event loop (1 error, 1 warning)",
    "warnings": "1 place blocks the event loop (1 warning)",
    "clean": "no blocking call in 1 request",
    "nothing-watched": "no request was watched: no test called an app in its own process",
}


def run_suite(run_pytest: RunPytest, suite: str, *arguments: str) -> Run:
    """A run of the tests of one suite, all of them passing without the guard."""
    tests = [f"test_app.py::{name}" for name in SUITES[suite]]
    return run_pytest(FILES, "--asyncguard", *arguments, *tests)


def said(run: Run) -> str:
    """What the terminal showed, however it was wrapped."""
    return " ".join(run.stdout.split())


def shown_of(run: Run, name: str, title: str = "") -> str:
    """What stands among the failures under the heading of one test."""
    text = run.stdout.partition("= FAILURES =")[2] if not title else run.stdout
    heading = rf"^_+ {re.escape(title or name)} _+$"
    assert re.search(heading, text, re.MULTILINE), run.output
    return re.split(
        r"^(?:_{3,} [\w.\[\]/ ]+ _{3,}|={3,} .* ={3,})$",
        re.split(heading, text, maxsplit=1, flags=re.MULTILINE)[1],
        maxsplit=1,
        flags=re.MULTILINE,
    )[0]


# --- modes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fail-tests", "fail-run", "report"])
@pytest.mark.parametrize("suite", SUITES)
def test_modes(run_pytest: RunPytest, suite: str, mode: str) -> None:
    """Errors fail their tests, or the run, or nothing; nothing else fails anything."""
    run = run_suite(run_pytest, suite, f"--asyncguard-mode={mode}")
    failing = {"test_block"} if suite == "errors" and mode == "fail-tests" else set()
    assert run.outcomes == {
        name: "failed" if name in failing else "passed" for name in SUITES[suite]
    }, run.output
    assert run.exit_code == (1 if suite == "errors" and mode != "report" else 0)
    assert run.report["summary"]["verdict"] == suite
    sentence = SENTENCES[suite]
    if suite == "errors" and mode == "fail-run":
        sentence = f"the run fails: {sentence}"
    elif suite == "errors" and mode == "report":
        sentence += "; mode report, so nothing fails"
    assert f"asyncguard: {sentence}" in said(run)


@pytest.mark.parametrize("mode", ["fail-tests", "fail-run", "report"])
def test_strict(run_pytest: RunPytest, mode: str) -> None:
    """With strict, a warning does what an error does."""
    run = run_suite(run_pytest, "warnings", f"--asyncguard-mode={mode}", "--asyncguard-strict")
    assert run.outcomes["test_file"] == ("failed" if mode == "fail-tests" else "passed")
    assert run.outcomes["test_clean"] == "passed"
    assert run.exit_code == (0 if mode == "report" else 1), run.output
    assert run.report["summary"]["verdict"] == "errors"
    assert "1 place blocks the event loop (1 warning, strict)" in said(run)


def test_no_test_ran(run_pytest: RunPytest) -> None:
    """Where pytest selects no test its own exit status stands, and the verdict says so."""
    run = run_pytest(FILES, "--asyncguard", "-k", "nothing")
    assert run.exit_code == 5
    assert "asyncguard: no request was watched: no test ran" in said(run), run.output


@pytest.mark.parametrize(
    ("tests", "mode", "exit_code", "outcome"),
    [
        ("test_known", "fail-tests", 0, "xfailed"),
        ("test_reported", "fail-tests", 0, "passed"),
        ("test_reported", "fail-run", 0, "passed"),
        ("test_failing_run", "fail-tests", 1, "passed"),
        ("test_failing_run", "report", 1, "passed"),
        ("test_failing", "report", 1, "failed"),
        ("test_failing", "fail-run", 1, "failed"),
    ],
)
def test_the_mode_of_a_test(
    run_pytest: RunPytest, tests: str, mode: str, exit_code: int, outcome: str
) -> None:
    """What a test's own mode, or its xfail, says of its findings holds for the run as well."""
    options = ("--asyncguard", f"--asyncguard-mode={mode}")
    run = run_pytest(FILES, *options, f"test_app.py::{tests}", "test_app.py::test_clean")
    assert run.outcomes == {tests: outcome, "test_clean": "passed"}, run.output
    assert run.exit_code == exit_code, run.output
    assert [finding["rule"] for finding in run.findings] == ["sleep"]


# --- rules, threshold, marker ----------------------------------------------------------------


def test_levels(run_pytest: RunPytest) -> None:
    """A rule's level is set on the command line, by name or code, over that of the ini file."""
    ini = "[pytest]\nasyncguard_rules =\n    file = off\n    AG101 = warning\n"
    run = run_pytest(
        {**FILES, "pytest.ini": ini},
        "--asyncguard",
        "--asyncguard-rule=AG110=error",
        "test_app.py::test_block",
        "test_app.py::test_file",
    )
    assert run.outcomes == {"test_block": "passed", "test_file": "failed"}, run.output
    severities = {finding["rule"]: finding["severity"] for finding in run.findings}
    assert severities == {"sleep": "warning", "file": "error"}
    assert run.report["settings"]["rules"] == {"file": "error", "sleep": "warning"}


def test_a_rule_that_is_off(run_pytest: RunPytest) -> None:
    """Nothing is told of it at all."""
    run = run_suite(run_pytest, "errors", "--asyncguard-rule=sleep=off")
    assert run.exit_code == 0, run.output
    assert [finding["rule"] for finding in run.findings] == ["file"]


MARKED = """
    import pytest

    from app import get

    pytestmark = pytest.mark.asyncguard(threshold="10ms")


    @pytest.mark.asyncguard(enabled=False)
    def test_disabled():
        assert get("/block") == 200


    @pytest.mark.asyncguard(threshold=0.04)
    def test_float():
        assert get("/stall") == 200


    @pytest.mark.parametrize(
        "threshold",
        [
            pytest.param(each, marks=pytest.mark.asyncguard(threshold=each))
            for each in ("40ms", "40 MS", "0.04s", ".04", "0.04 s", 1, "1s", "1000ms")
        ],
    )
    def test_forms(threshold):
        assert get("/stall") == 200


    def test_of_the_module():
        assert get("/stall") == 200


    @pytest.mark.asyncguard(mode="report", threshold=5)
    class TestNearest:
        def test_of_the_class(self):
            assert get("/stall") == 200
            assert get("/block") == 200

        @pytest.mark.asyncguard(mode="fail-tests")
        def test_of_the_function(self):
            assert get("/stall") == 200
            assert get("/block") == 200

        @pytest.mark.asyncguard(enabled=False)
        def test_off(self):
            assert get("/block") == 200


    @pytest.mark.asyncguard()
    def test_empty():
        assert get("/block") == 200
"""


@pytest.fixture(name="marked", scope="module")
def _marked(run_pytest: RunPytest) -> Run:
    """A run whose tests have settings of their own."""
    return run_pytest({"app.py": APP, "test_app.py": MARKED}, "--asyncguard", "--strict-markers")


def rules_of(run: Run, name: str) -> list[str]:
    """The rules of what is reported of one test."""
    return sorted(finding["rule"] for finding in run.of_test(name))


@pytest.mark.parametrize("threshold", ["40ms", "40 MS", "0.04s", ".04", "0.04 s"])
def test_a_threshold_below(marked: Run, threshold: str) -> None:
    """In whatever form it is written, 40 ms is less than the 60 ms for which the app computes."""
    assert rules_of(marked, f"test_forms[{threshold}]") == ["cpu-stall"], marked.output
    assert marked.outcomes[f"test_forms[{threshold}]"] == "failed"


@pytest.mark.parametrize("threshold", ["1", "1s", "1000ms"])
def test_a_threshold_above(marked: Run, threshold: str) -> None:
    """A number is seconds."""
    assert rules_of(marked, f"test_forms[{threshold}]") == []
    assert marked.outcomes[f"test_forms[{threshold}]"] == "passed"


def test_the_nearest_marker_wins(marked: Run) -> None:
    """Keyword by keyword: function over class over module over the command line."""
    assert rules_of(marked, "test_float") == ["cpu-stall"]
    assert rules_of(marked, "test_of_the_module") == ["cpu-stall"]
    assert rules_of(marked, "test_of_the_class") == ["sleep"]
    assert rules_of(marked, "test_of_the_function") == ["sleep"]
    assert rules_of(marked, "test_empty") == ["sleep"]
    assert marked.outcomes["test_of_the_class"] == "passed"
    assert marked.outcomes["test_of_the_function"] == "failed"


@pytest.mark.parametrize("name", ["test_disabled", "test_off"])
def test_a_test_that_is_not_watched(marked: Run, name: str) -> None:
    """With ``enabled=False`` nothing of it is seen."""
    assert rules_of(marked, name) == []
    assert marked.outcomes[name] == "passed"


BAD_MARKERS = """
    import pytest

    from app import get


    def test_before():
        assert get("/clean") == 200


    @pytest.mark.asyncguard(mode="fails")
    def test_value():
        assert get("/clean") == 200


    @pytest.mark.asyncguard(limit=3)
    def test_keyword():
        assert get("/clean") == 200


    @pytest.mark.asyncguard("report")
    def test_positional():
        assert get("/clean") == 200


    @pytest.mark.asyncguard(threshold="-1ms")
    def test_threshold():
        assert get("/clean") == 200


    def test_after():
        assert get("/block") == 200
"""
BAD = {
    "test_value": ("test_app.py::test_value", "mode", "'fails'", "fail-tests, fail-run, report"),
    "test_keyword": ("test_app.py::test_keyword", "limit", "enabled, mode, threshold"),
    "test_positional": ("test_app.py::test_positional", "keywords only"),
    "test_threshold": ("test_app.py::test_threshold", "threshold", "'-1ms'", "100ms, 0.1s"),
}
"""By test, what its error has to name."""


@pytest.fixture(name="bad", scope="module", params=["one process", "xdist"])
def _bad(run_pytest: RunPytest, request: pytest.FixtureRequest) -> Run:
    """A run with markers that have wrong arguments."""
    files = {"app.py": APP, "test_app.py": BAD_MARKERS}
    if request.param == "one process":
        return run_pytest(files, "--asyncguard")
    plugins = ("pytest_asyncguard.plugin", "xdist.plugin")
    return run_pytest(files, "--asyncguard", "-n1", plugins=plugins)


def test_a_bad_marker_is_its_tests_error(bad: Run) -> None:
    """It is that test's error, and no other's; the run goes on."""
    assert bad.outcomes == {
        "test_before": "passed",
        **dict.fromkeys(BAD, "error"),
        "test_after": "failed",
    }, bad.output
    assert bad.exit_code == 1
    assert "INTERNALERROR" not in bad.output


@pytest.mark.parametrize("name", BAD)
def test_a_bad_marker_is_explained(bad: Run, name: str) -> None:
    """The error names the test, the keyword, the value and what is allowed, without a traceback."""
    shown = shown_of(bad, "", f"ERROR at setup of {name}")
    told = " ".join(shown.split())
    for words in BAD[name]:
        assert words in told, bad.output
        assert words in bad.messages[name]
    assert "pytest_asyncguard/" not in shown


# --- kinds of tests --------------------------------------------------------------------------

KINDS = """
    import unittest

    import pytest

    from app import get


    @pytest.mark.xfail(reason="known")
    def test_xfail():
        assert get("/block") == 200


    @pytest.mark.xfail(reason="known", strict=True)
    def test_xfail_strict():
        assert get("/block") == 200


    @pytest.mark.xfail(reason="known")
    def test_xfail_by_itself():
        assert get("/block") == 404


    @pytest.mark.xfail(reason="known", raises=KeyError)
    def test_xfail_for_another_reason():
        assert get("/block") == 404


    @pytest.mark.xfail(reason="not so", strict=False)
    def test_xpass():
        assert get("/clean") == 200


    @pytest.mark.skip(reason="not now")
    def test_skip():
        assert get("/block") == 200


    def test_skip_late():
        get("/block")
        pytest.skip("after all")


    @pytest.mark.parametrize("path", ["/block", "/clean"])
    def test_parametrised(path):
        assert get(path) == 200


    class TestClass:
        @pytest.mark.parametrize("path", ["/block", "/clean"])
        def test_method(self, path):
            assert get(path) == 200


    class TestUnit(unittest.TestCase):
        def test_unit_block(self):
            self.assertEqual(get("/block"), 200)

        def test_unit_clean(self):
            self.assertEqual(get("/clean"), 200)

        @unittest.expectedFailure
        def test_unit_expected(self):
            self.assertEqual(get("/clean"), 404)


    class TestUnitSetup(unittest.TestCase):
        def setUp(self):
            get("/block")

        def test_unit_setup(self):
            pass


    def test_failing():
        assert get("/block") == 404, "its own failure"


    def test_raising():
        get("/broken")


    @pytest.fixture
    def asked():
        return get("/block")


    def test_in_setup(asked):
        assert asked == 200
        open("ran", "w").close()


    @pytest.fixture
    def failing():
        get("/block")
        raise LookupError("of the fixture")


    def test_failing_setup(failing):
        pass


    @pytest.fixture
    def leaving():
        yield
        get("/block")


    def test_in_teardown(leaving):
        pass


    def test_failing_and_teardown(leaving):
        assert get("/clean") == 404, "its own failure"


    @pytest.fixture(scope="module")
    def shared():
        return get("/block")


    @pytest.mark.parametrize("number", [1, 2])
    def test_shared(shared, number):
        assert shared == 200
"""
OUTCOMES = {
    "test_xfail": "xfailed",
    "test_xfail_strict": "xfailed",
    "test_xfail_by_itself": "xfailed",
    "test_xfail_for_another_reason": "failed",
    "test_xpass": "passed",
    "test_skip": "skipped",
    "test_skip_late": "skipped",
    "test_parametrised[/block]": "failed",
    "test_parametrised[/clean]": "passed",
    "test_method[/block]": "failed",
    "test_method[/clean]": "passed",
    "test_unit_block": "failed",
    "test_unit_clean": "passed",
    "test_unit_expected": "xfailed",
    "test_unit_setup": "failed",
    "test_failing": "failed",
    "test_raising": "failed",
    "test_in_setup": "failed",
    "test_failing_setup": "error",
    "test_in_teardown": "error",
    "test_failing_and_teardown": "both",
    "test_shared[1]": "failed",
    "test_shared[2]": "passed",
}


@pytest.fixture(name="kinds", scope="module")
def _kinds(run_pytest: RunPytest) -> Run:
    """One run of tests of every kind."""
    return run_pytest({"app.py": APP, "test_app.py": KINDS}, "--asyncguard", "-ra")


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome(kinds: Run, name: str) -> None:
    """A finding fails the test that met it, whatever kind of test; xfail and skip hold."""
    assert kinds.outcomes[name] == OUTCOMES[name], kinds.output


def test_each_test_is_listed(kinds: Run) -> None:
    """The finding names the tests that met it, also those that did not fail for it."""
    finding = next(each for each in kinds.findings if each["route"] == "GET /block")
    named = {test.rpartition("::")[2] for test in finding["tests"]}
    assert named == {
        name
        for name in OUTCOMES
        if not name.endswith("clean]")
        and name
        not in {
            "test_xpass",
            "test_skip",
            "test_unit_clean",
            "test_unit_expected",
            "test_raising",
            "test_shared[2]",
        }
    }
    assert finding["tests"] == sorted(finding["tests"])


@pytest.mark.parametrize(
    "name", ["test_parametrised[/block]", "test_in_setup", "TestUnit.test_unit_block"]
)
def test_the_finding_is_all_that_is_shown(kinds: Run, name: str) -> None:
    """A test that fails for nothing else shows the finding, not its own lines."""
    first, *_ = shown_of(kinds, name).strip().splitlines()
    assert first.startswith("AG101 sleep: time.sleep(0.001 s)")
    assert "def test_" not in shown_of(kinds, name)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("test_failing", "AssertionError: its own failure"),
        ("test_raising", "LookupError: of the app"),
        ("test_xfail_for_another_reason", "assert 200 == 404"),
    ],
)
def test_a_failing_test_keeps_its_failure(kinds: Run, name: str, own: str) -> None:
    """Its own failure stands first, and the finding in a section below."""
    shown = shown_of(kinds, name)
    assert 0 < shown.find(own) < shown.find("AG101 sleep"), kinds.output
    assert re.search(r"^-+ asyncguard -+$", shown, re.MULTILINE)


def test_a_finding_in_set_up_lets_the_test_run(kinds: Run) -> None:
    """It is the test's own report that fails for it, once the test has run."""
    assert (kinds.folder / "ran").is_file()
    assert "ERROR at setup of test_in_setup" not in kinds.stdout


def test_a_set_up_that_fails_keeps_its_failure(kinds: Run) -> None:
    """The finding is shown below the failure of the fixture."""
    shown = shown_of(kinds, "", "ERROR at setup of test_failing_setup")
    assert 0 < shown.find("LookupError: of the fixture") < shown.find("AG101 sleep"), kinds.output


def test_a_finding_in_teardown_is_an_error(kinds: Run) -> None:
    """As everything is that goes wrong in teardown."""
    shown = shown_of(kinds, "", "ERROR at teardown of test_in_teardown")
    assert shown.strip().startswith("AG101 sleep: time.sleep")


def test_the_short_summary(kinds: Run) -> None:
    """It says what and where for a finding, and for the test's own failure what pytest says."""
    lines = [line for line in kinds.lines if line.startswith(("FAILED", "ERROR"))]
    assert "FAILED test_app.py::test_in_setup - AG101 time.sleep at app.py:11" in lines
    assert any(
        line.startswith("FAILED test_app.py::test_failing - AssertionError: its own failure")
        for line in lines
    ), kinds.output


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_stop_at_the_first(run_pytest: RunPytest, option: str) -> None:
    """A finding counts for it; a run that stopped early is not complete."""
    run = run_suite(run_pytest, "errors", option)
    assert run.outcomes == {"test_block": "failed"}, run.output
    assert run.exit_code == 1
    assert run.report["run"]["complete"] is False


DOCTEST = '''
    """
    >>> from app import get
    >>> get("/block")
    200
    """


    def clean():
        """
        >>> from app import get
        >>> get("/clean")
        200
        """
'''


def test_doctests(run_pytest: RunPytest) -> None:
    """An example in a docstring or a text file is a test like any other."""
    text = ">>> from app import get\n>>> get('/block')\n200\n"
    files = {"app.py": APP, "examples.py": DOCTEST, "examples.txt": text}
    arguments = ("--doctest-modules", "--doctest-glob=*.txt", "examples.py", "examples.txt")
    run = run_pytest(files, "--asyncguard", *arguments)
    assert run.outcomes == {
        "examples": "failed",
        "examples.clean": "passed",
        "examples.txt": "failed",
    }, run.output
    assert run.messages["examples.txt"].startswith("AG101 time.sleep at app.py:")
    (finding,) = run.findings
    assert finding["tests"] == ["examples.py::examples", "examples.txt::examples.txt"]


def test_again_those_that_failed(run_pytest: RunPytest) -> None:
    """A test that a finding failed is a failed one for ``--lf``; that run is not complete."""
    script = """
        import sys

        import pytest

        given = ["-p", "pytest_asyncguard.plugin", "--asyncguard"]
        pytest.main([*given, "-q", "test_app.py::test_block", "test_app.py::test_clean"])
        sys.exit(pytest.main([*given, "--lf", "-v", "--asyncguard-report=json:last.json"]))
    """
    files = {**FILES, "again.py": script, "test_run.py": "def test_run(): pass"}
    run = run_pytest(files, "test_run.py", report=False)
    done = subprocess.run(
        [sys.executable, "again.py"],
        cwd=run.folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = json.loads((run.folder / "last.json").read_bytes())
    assert (last["run"]["tests"], last["run"]["complete"]) == (1, False), done.stdout
    assert last["findings"][0]["tests"] == ["test_app.py::test_block"]
    assert done.returncode == 1


# --- runs that prove less ---------------------------------------------------------------------

BROKEN = """
    import pytest

    import pytest_asyncguard.probes.audit


    @pytest.fixture(autouse=True, scope="session")
    def broken():
        def fail(*args):
            raise LookupError("provoked")

        pytest_asyncguard.probes.audit.report = fail
"""


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [((), 1), (("--asyncguard-mode=report",), 0), (("-n1", "--asyncguard-mode=fail-run"), 1)],
    ids=["fail-tests", "report", "fail-run with xdist"],
)
def test_a_guard_that_fails_on_the_way(
    run_pytest: RunPytest, arguments: tuple[str, ...], exit_code: int
) -> None:
    """The tests keep their outcome; the run says what it did not look for, and fails for it."""
    run = run_pytest(
        {**FILES, "conftest.py": BROKEN},
        *("--asyncguard", "test_app.py::test_file", "test_app.py::test_clean"),
        *arguments,
        plugins=("pytest_asyncguard.plugin", "xdist.plugin"),
    )
    assert set(run.outcomes.values()) == {"passed"}, run.output
    assert run.exit_code == exit_code
    why = "a part of the guard failed (audit: LookupError: provoked)"
    assert f"but {why}" in said(run)
    assert not run.report["run"]["complete"]
    assert [each for each in run.report["run"]["probes"] if not each["active"]] == [
        {"name": "audit", "active": False, "reason": "LookupError: provoked"}
    ]


@pytest.mark.parametrize(
    ("suite", "exit_code"), [("errors", 1), ("clean", 0)], ids=["errors", "clean"]
)
def test_without_a_terminal(run_pytest: RunPytest, suite: str, exit_code: int) -> None:
    """Nobody tells of the run; the verdict is its exit status, and a report can be printed."""
    arguments = ("-pno:terminal", "--asyncguard-mode=fail-run", "--asyncguard-report=json:-")
    run = run_suite(run_pytest, suite, *arguments)
    assert run.exit_code == exit_code, run.output
    assert json.loads(run.stdout)["summary"] == run.report["summary"]


# --- runs that watch nothing -----------------------------------------------------------------

LOOK = """
    import atexit
    import sys
    import time

    sleep = time.sleep


    def look():
        print("started:", "pytest_asyncguard.session" in sys.modules, time.sleep is not sleep)


    def pytest_configure():
        look()


    atexit.register(look)
"""


@pytest.mark.parametrize("option", ["--collect-only", "--help", "-VV", "--markers"])
def test_what_runs_no_test_installs_nothing(run_pytest: RunPytest, option: str) -> None:
    """Neither are the probes installed nor is the guard imported."""
    files = {**FILES, "look.py": LOOK}
    run = run_pytest(files, "--asyncguard", "-plook", option, report=False)
    assert run.exit_code == 0, run.output
    said = [line for line in run.lines if line.startswith("started:")]
    assert said, run.output
    assert set(said) == {"started: False False"}
    assert "asyncguard: fail-tests" not in run.stdout


def test_help_and_markers(run_pytest: RunPytest) -> None:
    """Options, ini names and the marker are documented where pytest shows them."""
    run = run_pytest({}, "--help", report=False)
    for name in ("--asyncguard-mode=MODE", "--asyncguard-report=FORMAT", "asyncguard_threshold"):
        assert name in run.stdout
    run = run_pytest({}, "--markers", report=False)
    assert "@pytest.mark.asyncguard(enabled=..., mode=..., threshold=..." in run.stdout


# --- usage errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        (
            "--asyncguard-mode=strict",
            "--asyncguard-mode: 'strict' is not one of fail-tests, fail-run, report",
        ),
        ("--asyncguard-scope=all", "--asyncguard-scope: 'all' is not one of app, loop"),
        (
            "--asyncguard-threshold=0",
            "--asyncguard-threshold: '0' is not a duration above zero, as in 100ms, 0.1s",
        ),
        (
            "--asyncguard-rule=sleeep=off",
            "--asyncguard-rule: 'sleeep=off' is not NAME=error|warning|off, where NAME is",
        ),
        ("--asyncguard-report=xml", "--asyncguard-report: 'xml' is not FORMAT:PATH, where"),
        ("--asyncguard-call=fetch", "--asyncguard-call: 'fetch' is not a dotted name"),
        ("--asyncguard-doubles=maybe", "--asyncguard-doubles: 'maybe' is not true or false"),
    ],
)
def test_a_bad_value(run_pytest: RunPytest, argument: str, wanted: str) -> None:
    """One ERROR line names the option, the value and what is allowed; exit status 4."""
    run = run_pytest(FILES, "--asyncguard", argument, report=False)
    assert run.exit_code == 4
    (line,) = [line for line in run.stderr.splitlines() if line]
    assert line.startswith(f"ERROR: {wanted}"), run.output


@pytest.mark.parametrize(
    ("ini", "wanted"),
    [
        ("asyncguard = perhaps", "asyncguard: "),
        ("asyncguard_mode = fail", "asyncguard_mode: 'fail' is not one of fail-tests, fail-run"),
        ("asyncguard_threshold = fast", "asyncguard_threshold: 'fast' is not a duration above"),
        ("asyncguard_rules =\n    sleep=on", "asyncguard_rules: 'sleep=on' is not NAME=error|"),
    ],
)
def test_a_bad_value_in_the_ini_file(run_pytest: RunPytest, ini: str, wanted: str) -> None:
    """The same, under the name that the option has there."""
    run = run_pytest({**FILES, "pytest.ini": f"[pytest]\n{ini}\n"}, "--asyncguard", report=False)
    assert run.exit_code == 4
    (line,) = [line for line in run.stderr.splitlines() if line]
    assert line.startswith(f"ERROR: {wanted}"), run.output
