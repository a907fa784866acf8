"""What may block: by a comment, option, marker, the fixture or a hook, each with its reason."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import asyncio
    import driver
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    async def on_the_line(request):
        time.sleep(0.001)  # asyncguard: ignore[sleep] it is short
        return PlainTextResponse("done")


    async def on_the_def(request):  # asyncguard: ignore[AG101, file] legacy
        helper()
        return PlainTextResponse("done")


    def helper():
        time.sleep(0.001)


    async def plain(request):
        helper()
        return PlainTextResponse("done")


    async def fixed(request):
        await asyncio.sleep(0)  # asyncguard: ignore[sleep] was time.sleep
        return PlainTextResponse("done")


    async def other_rule(request):
        time.sleep(0.001)  # asyncguard: ignore[file] wrong rule
        return PlainTextResponse("done")


    async def not_asked_for(request):
        await asyncio.sleep(0)  # asyncguard: ignore[sleep] nobody knows
        return PlainTextResponse("done")


    async def branch(request):
        if request.query_params:
            await asyncio.sleep(0)  # asyncguard: ignore[sleep] not taken
        return PlainTextResponse("done")


    def threaded(request):
        time.sleep(0.001)  # asyncguard: ignore[sleep] in a thread
        return PlainTextResponse("done")


    ENDPOINTS = (
        on_the_line, on_the_def, plain, fixed, other_rule, not_asked_for, branch, threaded
    )
    app = Starlette(routes=[Route(f"/{each.__name__}", each) for each in ENDPOINTS])
    get = driver.getting(app)
"""

# --- comments --------------------------------------------------------------------------------

COMMENTS = """
    import pytest

    from app import get


    @pytest.mark.parametrize(
        "name", ["on_the_line", "on_the_def", "fixed", "other_rule", "branch", "threaded"]
    )
    def test_get(name):
        assert get(f"/{name}") == 200
"""
FILES = {"app.py": APP, "test_app.py": COMMENTS}
XDIST = ("pytest_asyncguard.plugin", "xdist.plugin")


@pytest.fixture(name="run", scope="module", params=["one process", "xdist"])
def _run(run_pytest: RunPytest, request: pytest.FixtureRequest) -> Run:
    """A complete run over comments of all kinds."""
    if request.param == "xdist":
        return run_pytest(FILES, "--asyncguard", "-v", "-n2", plugins=XDIST)
    return run_pytest(FILES, "--asyncguard", "-v")


def test_a_comment_ignores_what_it_names(run: Run) -> None:
    """On the line and on the def of an endpoint that is on the way; nothing else is ignored."""
    statuses = {
        finding["routes"][0]["route"]: (finding["status"], finding["reason"])
        for finding in run.findings
    }
    assert statuses == {
        "GET /on_the_line": ("ignored", "it is short"),
        "GET /on_the_def": ("ignored", "legacy"),
        "GET /other_rule": ("new", None),
    }, run.output
    assert [name for name, outcome in run.outcomes.items() if outcome != "passed"] == [
        "test_get[other_rule]"
    ]
    assert run.exit_code == 1
    assert "ignored AG101 sleep: it is short" in run.stdout


def test_a_comment_is_unused_where_its_line_ran_on_the_loop(run: Run) -> None:
    """Not in an endpoint that nobody asked for, a branch that was not taken, or a thread."""
    lines = APP.splitlines()
    unused = [
        (lines[each["line"] - 1].partition("] ")[2], each["rules"], each["file"])
        for each in run.report["unused_ignores"]
    ]
    # The source is dedented for the project; its lines stay where they are.
    wrong = ("wrong rule", ["file"], "app.py")
    # Before CPython 3.12 only what stands on the stack of a finding is known to have run.
    ran = [("was time.sleep", ["sleep"], "app.py")] if sys.version_info >= (3, 12) else []
    assert unused == [*ran, wrong], run.output
    assert "ignore[file] without effect: app.py:" in run.stdout


def test_unused_comments_fail_a_strict_run(run_pytest: RunPytest) -> None:
    """And only one that was complete."""
    files = {**FILES, "test_app.py": COMMENTS.replace('"fixed", ', "")}
    allowed = ("--asyncguard", "--asyncguard-allow=time.sleep it is short")
    assert run_pytest(files, *allowed).exit_code == 0
    run = run_pytest(files, *allowed, "--asyncguard-strict")
    assert run.exit_code == 1
    assert "1 ignore comment without effect (strict)" in " ".join(run.stdout.split())
    partial = run_pytest(files, *allowed, "--asyncguard-strict", "-k", "other")
    assert (partial.exit_code, partial.report["unused_ignores"]) == (0, [])


WAYS = """
    import pytest

    from app import get


    def test_both():
        assert get("/on_the_def") == get("/plain") == 200
"""


def test_a_comment_on_one_way_does_not_answer_for_another(run_pytest: RunPytest) -> None:
    """A test that comes to a call on two ways fails for the one that nobody answers for."""
    run = run_pytest({**FILES, "test_app.py": WAYS}, "--asyncguard")
    (finding,) = run.findings
    assert (finding["status"], finding["count"]) == ("new", 2), run.output
    assert run.outcomes == {"test_both": "failed"}
    assert run.report["unused_ignores"] == []


REFUSED = """
    import asyncio

    import pytest

    import app


    def refuse(request):
        raise SystemError("before the line")


    def test_refused(monkeypatch):
        monkeypatch.setattr(app.asyncio, "sleep", refuse)
        with pytest.raises(SystemError):
            app.get("/early")


    def test_wait():
        assert app.get("/wait") == 200
"""
EARLY = """

async def early(request):
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # asyncguard: ignore[sleep] not reached


async def wait(request):  # asyncguard: ignore[thread-wait] where it has to
    return PlainTextResponse("done")


app.routes.append(Route("/early", early))
app.routes.append(Route("/wait", wait))
"""


def test_what_did_not_run_is_never_called_unused(run_pytest: RunPytest) -> None:
    """A request may leave before the line; a rule may find nothing by the luck of a moment."""
    files = {"app.py": textwrap.dedent(APP) + EARLY, "test_app.py": REFUSED}
    run = run_pytest(files, "--asyncguard")
    assert (run.exit_code, run.report["run"]["complete"]) == (0, True), run.output
    assert run.report["unused_ignores"] == []


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "xdist"])
def test_a_wrong_comment_fails_the_run(run_pytest: RunPytest, workers: tuple[str, ...]) -> None:
    """It names the place and what is allowed; what it was to cover is a finding."""
    app = APP.replace("ignore[sleep] it is short", "ignore[slep] it is short").replace(
        "ignore[AG101, file] legacy", "ignore"
    )
    run = run_pytest(
        {**FILES, "app.py": app}, "--asyncguard", "-k", "on_the", *workers, plugins=XDIST
    )
    assert run.exit_code == 1
    told = [line for line in run.lines if line.startswith("asyncguard: app.py:")]
    assert [line.split("`")[1] for line in told] == [
        "# asyncguard: ignore[slep] it is short",
        "# asyncguard: ignore",
    ], run.output
    assert "names 'slep', which is no rule (did you mean sleep?)" in told[0]
    assert "names no rule: write `# asyncguard: ignore[RULE] reason`" in told[1]
    assert "and 2 ignore comments are wrong" in " ".join(run.stdout.split())
    assert set(run.outcomes.values()) == {"failed"}
    (line,) = [number for number, text in enumerate(app.splitlines(), 1) if "slep]" in text]
    assert told[0].startswith(f"asyncguard: app.py:{line}: ")


def test_a_wrong_comment_fails_a_run_in_which_nothing_blocks(run_pytest: RunPytest) -> None:
    """Its author believes that something is ignored."""
    app = APP.replace("ignore[sleep] was", "ignored[sleep] was")
    run = run_pytest({**FILES, "app.py": app}, "--asyncguard", "-k", "fixed")
    assert run.exit_code == 1
    assert "1 ignore comment is wrong" in " ".join(run.stdout.split())


# --- patterns --------------------------------------------------------------------------------

ONE = """
    from app import get


    def test_plain():
        assert get("/plain") == 200
"""


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("time.sleep", True),
        ("time.*", True),
        ("app.py::helper", True),
        ("app.py::plain", True),
        ("requests.*", False),
        ("test_app.py::test_plain", False),
    ],
)
def test_a_pattern_allows_calls_and_functions(
    run_pytest: RunPytest, pattern: str, covers: bool
) -> None:
    """By the call's name, or by a function of the project on the way to it."""
    run = run_pytest(
        {"app.py": APP, "test_app.py": ONE}, "--asyncguard", f"--asyncguard-allow={pattern} legacy"
    )
    (finding,) = run.findings
    assert (finding["status"], finding["reason"]) == (
        ("ignored", "legacy") if covers else ("new", None)
    )
    assert run.exit_code == (not covers)
    assert run.report["settings"]["allow"] == {pattern: "legacy"}


@pytest.mark.parametrize(
    "ini",
    [
        {"pytest.ini": "[pytest]\nasyncguard_allow =\n    open\n    time.sleep  # see #12\n"},
        {"pyproject.toml": '[tool.pytest.ini_options]\nasyncguard_allow = ["time.sleep see #12"]'},
        {"tox.ini": "[pytest]\nasyncguard_allow = time.sleep see #12\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_the_ini_file_allows_with_reasons(run_pytest: RunPytest, ini: dict[str, str]) -> None:
    """A line for each, in every form that pytest reads."""
    run = run_pytest({"app.py": APP, "test_app.py": ONE, **ini}, "--asyncguard")
    assert [(each["status"], each["reason"]) for each in run.findings] == [("ignored", "see #12")]
    assert run.exit_code == 0


# --- marker, fixture, hooks ------------------------------------------------------------------

OWN = """
    import pytest

    from app import get


    @pytest.mark.asyncguard(allow=["time.sleep"], reason="of the test")
    def test_marked():
        get("/plain")


    @pytest.mark.asyncguard(allow="time.sleep its own", reason="of the marker")
    def test_marked_with_a_reason():
        get("/plain")


    @pytest.mark.asyncguard(allow=["requests.*"])
    def test_marked_for_another_call():
        get("/plain")


    def test_allowed(asyncguard):
        get("/plain")
        asyncguard.allow("app.py::helper", "of the fixture")


    @pytest.fixture
    def allowing(asyncguard):
        asyncguard.allow("time.sleep", "of a fixture that asks for it")
        get("/plain")


    def test_allowed_by_a_fixture(allowing):
        get("/plain")


    def test_not_allowed_any_more():
        get("/plain")


    def test_findings(asyncguard):
        assert asyncguard.findings == ()
        get("/plain")
        (finding,) = asyncguard.findings
        assert (finding.rule, finding.call, finding.status) == ("sleep", "time.sleep", "new")
        get("/on_the_line")
        assert [each.status for each in asyncguard.findings] == ["ignored", "new"]
        get("/plain")
        assert asyncguard.findings[1].count == 2
        asyncguard.allow("time.sleep", "seen")
        assert [each.status for each in asyncguard.findings] == ["ignored", "ignored"]


    @pytest.mark.parametrize("rule", ["sleep", "AG101"])
    def test_expected(asyncguard, rule):
        with asyncguard.expect(rule):
            get("/plain")
        assert [each.reason for each in asyncguard.findings] == ["the test expects it"]


    def test_expected_and_not_found(asyncguard):
        get("/plain")
        asyncguard.allow("time.sleep", "before the block")
        with asyncguard.expect("sleep"):
            get("/fixed")


    def test_expected_elsewhere(asyncguard):
        with asyncguard.expect("sleep"):
            get("/plain")
        get("/plain")


    def test_expected_another(asyncguard):
        with asyncguard.expect("file"):
            get("/plain")


    def test_expected_and_broken(asyncguard):
        with asyncguard.expect("sleep"):
            get("/plain")
            raise LookupError("of the test")


    @pytest.mark.asyncguard(enabled=False)
    def test_expected_where_nothing_is_watched(asyncguard):
        with asyncguard.expect("sleep"):
            get("/plain")
        assert asyncguard.findings == ()


    @pytest.mark.parametrize("wrong", ["slep", "AG999"])
    def test_expected_nonsense(asyncguard, wrong):
        with pytest.raises(ValueError, match="'(slep|AG999)' is not a code or one of sleep, "):
            with asyncguard.expect(wrong):
                pass


    @pytest.mark.parametrize(
        ("pattern", "reason", "said"),
        [
            ("time.sleep", "", "the reason is missing"),
            ("time.sleep", None, "the reason is missing"),
            ("sleep", "x", "'sleep' is not DOTTED.CALL or PATH::FUNCTION"),
        ],
    )
    def test_allowed_nonsense(asyncguard, pattern, reason, said):
        with pytest.raises(ValueError, match=said):
            asyncguard.allow(pattern, reason)
"""
FAILING = {
    "test_marked_for_another_call": "AG101",
    "test_not_allowed_any_more": "AG101",
    "test_expected_and_not_found": "asyncguard.expect('sleep'): it was not found here",
    "test_expected_elsewhere": "AG101",
    "test_expected_another": "asyncguard.expect('file'): it was not found here",
    "test_expected_and_broken": "LookupError",
}
"""By test, what its failure says."""


@pytest.fixture(name="own", scope="module", params=["one process", "xdist"])
def _own(run_pytest: RunPytest, request: pytest.FixtureRequest) -> Run:
    """A run over tests that say themselves what may block."""
    files = {"app.py": APP, "test_app.py": OWN}
    if request.param == "xdist":
        return run_pytest(files, "--asyncguard", "-n2", plugins=XDIST)
    return run_pytest(files, "--asyncguard")


def test_a_test_says_what_may_block_in_it(own: Run) -> None:
    """By its marker or the fixture, for itself and for no other test."""
    failed = {name for name, outcome in own.outcomes.items() if outcome == "failed"}
    assert failed == set(FAILING), own.output
    assert set(own.outcomes.values()) == {"passed", "failed"}, own.output


@pytest.mark.parametrize("name", FAILING)
def test_what_a_test_did_not_say_fails_it(own: Run, name: str) -> None:
    """The failure says what is wrong: a finding, or none where one was expected."""
    assert FAILING[name] in own.messages[name], own.output


def test_a_site_is_ignored_if_every_test_ignores_it(own: Run) -> None:
    """One test that does not is enough to make it news."""
    (helper,) = [each for each in own.findings if each["function"] == "helper"]
    assert helper["status"] == "new"
    assert own.exit_code == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_marked", "of the test"),
        ("test_marked_with_a_reason", "its own"),
        ("test_allowed", "of the fixture"),
        ("test_allowed_by_a_fixture", "of a fixture that asks for it"),
        ("test_expected[sleep]", "the test expects it"),
    ],
)
def test_the_reason_is_in_the_report(run_pytest: RunPytest, name: str, reason: str) -> None:
    """What was ignored is counted, and not lost."""
    run = run_pytest({"app.py": APP, "test_app.py": OWN}, "--asyncguard", f"test_app.py::{name}")
    assert [(each["status"], each["reason"]) for each in run.findings] == [("ignored", reason)]
    assert run.exit_code == 0
    assert run.report["summary"]["ignored"] == 1


HOOKS = """
    import dataclasses

    import pytest


    def pytest_asyncguard_allowances(config):
        return ["open  # of the hook", {line!r}]


    def pytest_asyncguard_finding(config, finding):
        assert finding.status == "new"
        if finding.route == "GET /plain":
            return "the hook says so"
        if finding.route == "GET /other_rule":
            return dataclasses.replace(finding, hint="ask the hook")
"""
HOOKED = """
    import pytest

    from app import get


    @pytest.mark.parametrize("name", ["plain", "other_rule", "on_the_line"])
    def test_get(name):
        assert get(f"/{name}") == 200
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "xdist"])
def test_a_hook_has_a_say_in_each_finding(run_pytest: RunPytest, workers: tuple[str, ...]) -> None:
    """It may give a reason to ignore it, or other words; what a comment covers is settled."""
    files = {
        "app.py": APP,
        "test_app.py": HOOKED,
        "conftest.py": HOOKS.replace("{line!r}", "'os.stat'"),
    }
    run = run_pytest(files, "--asyncguard", *workers, plugins=XDIST)
    told = {f["route"]: (f["status"], f["reason"], f["hint"]) for f in run.findings}
    assert told["GET /plain"][:2] == ("ignored", "the hook says so"), run.output
    assert told["GET /other_rule"] == ("new", None, "ask the hook")
    assert told["GET /on_the_line"][:2] == ("ignored", "it is short")
    assert run.exit_code == 1


def test_a_hook_allows_what_a_line_of_the_ini_file_would(run_pytest: RunPytest) -> None:
    """With its reason, and refused where it is none."""
    files = {
        "app.py": APP,
        "test_app.py": ONE,
        "conftest.py": HOOKS.replace("{line!r}", "'time.* by a plugin'").replace("/plain", "/no"),
    }
    run = run_pytest(files, "--asyncguard")
    assert [each["reason"] for each in run.findings] == ["by a plugin"]
    files["conftest.py"] = HOOKS.replace("{line!r}", "'sleep'")
    run = run_pytest(files, "--asyncguard", report=False)
    assert run.exit_code == 4
    assert "ERROR: pytest_asyncguard_allowances: 'sleep' is not DOTTED.CALL" in run.stderr
