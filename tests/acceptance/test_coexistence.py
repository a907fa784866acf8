"""Beside other plugins and under other options of pytest, the same findings."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import driver
    import sqlite3
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    def helper():
        time.sleep(0.001)


    async def block(request):
        helper()
        return PlainTextResponse("done")


    async def other(request):
        helper()
        with sqlite3.connect(":memory:") as connection:
            connection.execute("select 1")
        connection.close()
        return PlainTextResponse("done")


    async def file(request):
        open(__file__).close()
        return PlainTextResponse("done")


    async def clean(request):
        return PlainTextResponse("done")


    async def never(request):
        return PlainTextResponse("done")


    app = Starlette(
        routes=[Route(f"/{each.__name__}", each) for each in (block, other, file, clean, never)]
    )
    get = driver.getting(app)
"""

TESTS = """
    import pytest

    from app import get


    @pytest.mark.parametrize("number", range(4))
    @pytest.mark.parametrize("path", ["/block", "/other", "/file", "/clean"])
    def test_get(path, number):
        assert get(path) == 200


    def test_wrong():
        assert get("/block") == 404, "its own failure"


    @pytest.fixture
    def asked():
        return get("/block")


    def test_in_setup(asked):
        assert asked == 200


    @pytest.mark.xfail(strict=True)
    def test_known():
        assert get("/block") == 200
"""

FILES = {"app.py": APP, "test_app.py": TESTS}
GUARD = "pytest_asyncguard.plugin"


@pytest.fixture(name="alone", scope="module")
def _alone(run_pytest: RunPytest) -> Run:
    """One process, and no other plugin."""
    return run_pytest(FILES, "--asyncguard")


def without_times(value: Any) -> Any:
    """A part of a report without durations, and without what is taken of the longest sighting."""
    if isinstance(value, dict):
        return {
            name: without_times(each)
            for name, each in value.items()
            if not name.endswith("_seconds") and name not in {"message", "stack", "hint"}
        }
    return [without_times(each) for each in value] if isinstance(value, list) else value


def assert_same(run: Run, alone: Run) -> None:
    """Findings, census, counts, outcomes and exit status are those of the run alone."""
    for part in ("findings", "endpoints", "summary"):
        assert without_times(run.report[part]) == without_times(alone.report[part]), run.output
    assert run.outcomes == alone.outcomes, run.output
    assert run.exit_code == alone.exit_code == 1
    for name in ("tests", "requests", "loops", "complete", "probes"):
        assert run.report["run"][name] == alone.report["run"][name]


def test_alone(alone: Run) -> None:
    """What the others are compared with is worth it."""
    assert {finding["rule"] for finding in alone.findings} == {"sleep", "sync-database", "file"}
    assert {row["verdict"] for row in alone.report["endpoints"]} == {
        "blocks",
        "warns",
        "clean",
        "unexercised",
    }
    assert alone.report["run"]["workers"] == 1


# --- xdist -----------------------------------------------------------------------------------


@pytest.fixture(name="parallel", scope="module")
def _parallel(run_pytest: RunPytest) -> Run:
    """Two workers."""
    return run_pytest(FILES, "--asyncguard", "-n2", plugins=(GUARD, "xdist.plugin"))


def test_xdist(parallel: Run, alone: Run) -> None:
    """Two workers find what one process finds: each site once, with all of its tests."""
    assert_same(parallel, alone)
    assert parallel.report["run"]["workers"] == 2


def test_xdist_shows_the_same(parallel: Run, alone: Run) -> None:
    """A failing test shows its finding, and the summary stands there once."""
    for run in (parallel, alone):
        shown = run.stdout.partition("__ test_in_setup __")[2].strip("_\n ")
        if run is parallel:  # it says which worker it was
            shown = shown.partition("\n")[2]
        assert shown.startswith("AG101 sleep: time.sleep(0.001 s)"), run.output
        assert run.stdout.count("= asyncguard =") == 1
        assert run.stdout.count("asyncguard: wrote report.json") == 1
        assert "asyncguard: 4 places block the event loop (3 errors, 1 warning)" in run.lines
    failed = [
        {line for line in run.lines if line.startswith("FAILED")} for run in (parallel, alone)
    ]
    assert failed[0] == failed[1]
    assert parallel.messages == alone.messages
    assert "asyncguard: fail-tests, threshold 100 ms, scope app" in parallel.lines


CRASH = """
    import os

    from app import get


    def test_before():
        assert get("/block") == 200


    def test_crash():
        get("/other")
        os._exit(3)


    def test_after():
        assert get("/file") == 200
"""


def test_a_worker_that_crashes(run_pytest: RunPytest) -> None:
    """What its earlier tests have found is not lost with it, and the run goes on."""
    files = {"app.py": APP, "test_app.py": CRASH}
    run = run_pytest(files, "--asyncguard", "-n1", plugins=(GUARD, "xdist.plugin"))
    assert {finding["route"] for finding in run.findings} == {"GET /block", "GET /file"}, run.output
    assert run.exit_code == 1
    assert "INTERNALERROR" not in run.output


# --- other options ---------------------------------------------------------------------------

OPTIONS = {
    "warnings are errors": ("-Werror",),
    "no terminal": ("-pno:terminal",),
    "few plugins": ("-pno:logging", "-pno:cacheprovider", "-pno:warnings", "-pno:doctest"),
    "no capture": ("--capture=no",),
    "capture by sys": ("--capture=sys",),
    "importlib": ("--import-mode=importlib",),
    "plain asserts": ("--assert=plain",),
    "strict": ("--strict-markers", "--strict-config"),
    "few words": ("--tb=no", "-rN"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_under_other_options(run_pytest: RunPytest, alone: Run, name: str) -> None:
    """Whatever pytest is told, the findings and the outcomes are the same."""
    # With importlib as the mode, pytest does not put the tests' own folder on sys.path.
    files = {**FILES, "pytest.ini": "[pytest]\npythonpath = .\n"}
    run = run_pytest(files, "--asyncguard", *OPTIONS[name])
    assert_same(run, alone)
    assert "INTERNALERROR" not in run.output
    assert "Traceback" not in run.stderr


def test_found_by_its_entry_point(run_pytest: RunPytest, alone: Run) -> None:
    """As an installed plugin, beside all others that are installed here."""
    run = run_pytest(FILES, "--asyncguard", autoload=True)
    assert_same(run, alone)


@pytest.mark.parametrize(
    "files",
    [
        {"conftest.py": "pytest_plugins = ['pytest_asyncguard.plugin']\n"},
        {"pytest.ini": "[pytest]\naddopts = -p pytest_asyncguard.plugin --asyncguard\n"},
    ],
    ids=["conftest", "addopts"],
)
def test_loaded_otherwise(run_pytest: RunPytest, alone: Run, files: dict[str, str]) -> None:
    """By a conftest file, later than is good and not too late; or by the ini file's addopts."""
    arguments = () if "pytest.ini" in files else ("--asyncguard",)
    run = run_pytest(
        {**FILES, **files},
        *arguments,
        "--asyncguard-report=json:report.json",
        plugins=(),
        report=False,
    )
    assert_same(run, alone)


def test_switched_on_in_the_ini_file(run_pytest: RunPytest, alone: Run) -> None:
    """``asyncguard = true`` does what ``--asyncguard`` does."""
    run = run_pytest({**FILES, "pytest.ini": "[pytest]\nasyncguard = true\n"})
    assert_same(run, alone)


# --- reruns ----------------------------------------------------------------------------------

RERUN = """
    import pytest

    from app import get

    tries = []


    def test_always():
        assert get("/block") == 200


    def test_once():
        tries.append(1)
        assert get("/other" if len(tries) == 1 else "/clean") == 200


    def test_flaky():
        tries.append(1)
        assert get("/clean") == (404 if len(tries) < 4 else 200)


    def test_clean():
        assert get("/clean") == 200
"""


def test_reruns(run_pytest: RunPytest) -> None:
    """A test that is run again loses nothing of what its first run has found."""
    if importlib.util.find_spec("pytest_rerunfailures") is None:
        pytest.skip("pytest-rerunfailures is not installed")
    files = {"app.py": APP, "test_app.py": RERUN}
    plugins = (GUARD, "pytest_rerunfailures")
    run = run_pytest(files, "--asyncguard", "--reruns=1", plugins=plugins)
    assert "INTERNALERROR" not in run.output
    assert "1 failed, 3 passed, 3 rerun" in run.stdout, run.output
    (finding,) = run.of_test("test_always")
    counts = {row["route"]: row["count"] for row in finding["routes"]}
    assert counts == {"GET /block": 2, "GET /other": 1}
    assert {each["rule"] for each in run.of_test("test_once")} == {"sleep", "sync-database"}
    assert run.exit_code == 1


# --- other plugins ---------------------------------------------------------------------------

OTHERS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "randomly": ("pytest_randomly", ("--randomly-seed=7",), {}),
    "timeout by signal": ("pytest_timeout", ("--timeout=50", "--timeout-method=signal"), {}),
    "timeout by thread": ("pytest_timeout", ("--timeout=50", "--timeout-method=thread"), {}),
    "cov": ("pytest_cov.plugin", ("--cov=app", "--cov-branch", "--cov-report="), {}),
    "cov by sys.monitoring": (
        "pytest_cov.plugin",
        ("--cov=app", "--cov-report="),
        {"COVERAGE_CORE": "sysmon"},
    ),
    "django": ("pytest_django.plugin", (), {}),
}
"""By name: the module of the plugin, what it is told, and the environment."""


def installed(module: str) -> None:
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")


@pytest.mark.parametrize("name", OTHERS)
def test_beside_another_plugin(run_pytest: RunPytest, alone: Run, name: str) -> None:
    """It does its own work, and the report is the same, in the same order."""
    module, arguments, environment = OTHERS[name]
    installed(module)
    run = run_pytest(
        FILES, "--asyncguard", *arguments, plugins=(GUARD, module), environment=environment
    )
    assert_same(run, alone)
    assert "INTERNALERROR" not in run.output
    assert (run.folder / ".coverage").exists() is name.startswith("cov")


TIMEOUT = """
    import time

    import app
    from app import get


    def test_before():
        assert get("/block") == 200


    def test_hangs(monkeypatch):
        monkeypatch.setattr(app, "helper", lambda: time.sleep(60))
        get("/block")


    def test_after():
        assert get("/file") == 200
"""


def test_a_test_that_times_out(run_pytest: RunPytest) -> None:
    """It fails for its time; what it and the others have met is there."""
    installed("pytest_timeout")
    run = run_pytest(
        {"app.py": APP, "test_app.py": TIMEOUT},
        *("--asyncguard", "--timeout=1", "--timeout-method=signal"),
        plugins=(GUARD, "pytest_timeout"),
    )
    assert run.outcomes == {
        "test_before": "failed",
        "test_hangs": "failed",
        "test_after": "passed",
    }, run.output
    assert "Timeout" in run.messages["test_hangs"]
    assert "AG101" in run.messages["test_before"]
    assert {each["rule"] for each in run.of_test("test_after")} == {"file"}
    assert run.of_test("test_hangs") != []


BLOCKBUSTER = """
    import asyncio

    import pytest
    from blockbuster import BlockingError, blockbuster_ctx

    from app import get


    @pytest.fixture
    def blockbuster():
        with blockbuster_ctx():
            yield


    def test_both(blockbuster):
        with pytest.raises(BlockingError):
            get("/block")


    def test_clean(blockbuster):
        assert get("/clean") == 200


    def test_after():
        assert get("/block") == 200
"""


def test_blockbuster(run_pytest: RunPytest) -> None:
    """It raises into the app what it finds, as before; what it let through is found here."""
    installed("blockbuster")
    run = run_pytest({"app.py": APP, "test_app.py": BLOCKBUSTER}, "--asyncguard")
    assert (run.outcomes["test_clean"], run.outcomes["test_after"]) == ("passed", "failed")
    assert "BlockingError" not in run.messages.get("test_both", "")
    assert {each["rule"] for each in run.of_test("test_after")} == {"sleep"}, run.output
    assert "AsyncguardInternalWarning" not in run.output


PYLEAK = """
    import asyncio

    import pytest
    from pyleak import no_event_loop_blocking, no_task_leaks

    from app import app


    async def ask(path):
        async def send(message):
            pass

        scope = {
            "type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"",
            "headers": [],
        }
        async with no_task_leaks(action="raise"), no_event_loop_blocking(action="raise"):
            await app(scope, None, send)


    @pytest.mark.parametrize("path", ["/block", "/clean"])
    def test_both(path):
        asyncio.run(ask(path))
"""


def test_pyleak(run_pytest: RunPytest) -> None:
    """It looks at the loop from a thread of its own, and sees no task or stall of ours."""
    installed("pyleak")
    run = run_pytest({"app.py": APP, "test_app.py": PYLEAK}, "--asyncguard")
    assert run.outcomes == {"test_both[/block]": "failed", "test_both[/clean]": "passed"}
    assert run.messages["test_both[/block]"].startswith("AG101 time.sleep"), run.output
    assert len(run.findings) == 1
