"""The reports of a run: all that were asked for, whole, the same however the tests were run."""

from __future__ import annotations

import importlib.util
import json
import xml.etree.ElementTree as ET
from pathlib import Path
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
        time.sleep(0.001)
        return PlainTextResponse("done")


    async def file(request):
        open(__file__).close()
        return PlainTextResponse("done")


    async def ignored(request):
        time.sleep(0.001)  # asyncguard: ignore[sleep] why
        return PlainTextResponse("done")


    async def unused(request):
        return PlainTextResponse("done")  # asyncguard: ignore[sleep]


    async def never(request):
        return PlainTextResponse("done")


    ENDPOINTS = block, file, ignored, unused, never
    app = Starlette(routes=[Route(f"/{each.__name__}", each) for each in ENDPOINTS])
    get = driver.getting(app)
"""
TESTS = """
    import pytest

    from app import get


    @pytest.mark.parametrize("number", range({}))
    @pytest.mark.parametrize("name", {})
    def test_get(name, number):
        assert get(f"/{{name}}") == 200
"""
FILES = {
    "app.py": APP,
    "test_a.py": TESTS.format(2, ["block", "file"]),
    "test_b.py": TESTS.format(2, ["block", "ignored"]),
    "test_c.py": TESTS.format(1, ["unused"]),
}
ONE = {"app.py": APP, "test_app.py": TESTS.format(1, ["block"])}
XDIST = ("pytest_asyncguard.plugin", "xdist.plugin")


def reports(*asked: str) -> list[str]:
    return [f"--asyncguard-report={each}" for each in asked]


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "xdist"])
def test_several_reports_at_once(run_pytest: RunPytest, workers: tuple[str, ...]) -> None:
    """Each is written once, where it was asked for or where its format usually is."""
    asked = reports("sarif", "gitlab:out/quality.json", "markdown", "sarif:out/again.sarif")
    run = run_pytest(FILES, "--asyncguard", *asked, *workers, plugins=XDIST)
    written = ["report.json", "asyncguard.sarif", "out/quality.json", "asyncguard.md"]
    for name in [*written, "out/again.sarif"]:
        assert run.stdout.count(f"asyncguard: wrote {name}\n") == 1, run.output
        assert (run.folder / name).stat().st_size > 0
    sarif = json.loads((run.folder / "asyncguard.sarif").read_bytes())
    assert [each["ruleId"] for each in sarif["runs"][0]["results"]] == ["AG101", "AG110"]
    (quality, _) = json.loads((run.folder / "out/quality.json").read_bytes())
    assert quality["location"]["path"] == "app.py"
    assert (run.folder / "out/again.sarif").read_bytes() == (
        run.folder / "asyncguard.sarif"
    ).read_bytes()
    assert sorted(path.name for path in run.folder.rglob("*.tmp")) == []


def test_a_report_replaces_the_one_before_whole(run_pytest: RunPytest) -> None:
    """Through a link, too; what is no file is written to, and stays what it is."""
    prepare = """
        import os, pathlib

        pathlib.Path("old.md").write_text("x" * 100_000)
        os.symlink("old.md", "link.md")
    """
    run = run_pytest(
        {**ONE, "conftest.py": prepare},
        "--asyncguard",
        *reports("markdown:link.md", "sarif:/dev/null"),
    )
    assert (run.folder / "link.md").is_symlink()
    assert (run.folder / "old.md").read_text(encoding="utf-8").startswith("### asyncguard: 1 place")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["xml:a.xml"], "'xml' is not FORMAT:PATH, where FORMAT is json, sarif, github, gitlab,"),
        (["sarif:test_app.py/a"], "'sarif': cannot write 'test_app.py/a': "),
        (["sarif:."], "'sarif': cannot write '.': it is a folder"),
        (["sarif:a", "markdown:./a"], "'markdown': cannot write './a': there goes sarif already"),
        (["junit:a.xml"], "'junit:a.xml' is not junit without a path: it goes into pytest's"),
    ],
)
def test_what_cannot_be_written_is_known_before_a_test_runs(
    run_pytest: RunPytest, asked: list[str], message: str
) -> None:
    """A usage error names the format, the path and why."""
    run = run_pytest(ONE, "--asyncguard", *reports(*asked))
    assert run.exit_code == 4
    assert f"ERROR: --asyncguard-report: {message}" in run.stderr
    assert run.outcomes == {}


FULL = """
    import os


    def replace(*paths, real=os.replace):
        if str(paths[1]).endswith(".sarif"):
            raise OSError(28, "No space left on device")
        real(*paths)


    os.replace = replace
"""
BROKEN = """
    class Broken:
        name = "broken"

        def render(self, report):
            raise LookupError("provoked")


    def pytest_asyncguard_report_formats():
        return [Broken()]
"""


@pytest.mark.parametrize("mode", ["fail-tests", "report"])
def test_one_report_that_fails_takes_no_other_with_it(run_pytest: RunPytest, mode: str) -> None:
    """The others are written, the terminal has its summary, and the run fails in every mode."""
    files = {"app.py": APP, "test_app.py": TESTS.format(1, ["never"])}
    run = run_pytest(
        {**files, "conftest.py": FULL + BROKEN},
        "--asyncguard",
        f"--asyncguard-mode={mode}",
        *reports("sarif:a.sarif", "markdown", "broken:b"),
    )
    assert run.exit_code == 1
    told = " ".join(run.stdout.split())
    assert (
        "but a.sarif (No space left on device), b (LookupError: provoked) were not written" in told
    ), run.output
    assert "Traceback" not in run.output
    assert run.report["summary"]["verdict"] == "clean"
    assert (run.folder / "asyncguard.md").exists()
    assert not list(run.folder.glob("*.tmp"))
    assert set(run.outcomes.values()) == {"passed"}


def test_the_last_line_is_the_verdict(run_pytest: RunPytest) -> None:
    """Whatever else there is to say stands above it."""
    run = run_pytest(FILES, "--asyncguard", *reports("json:-", "sarif"), "-p", "no:cacheprovider")
    end = next(i for i, line in enumerate(run.lines) if "short test summary info" in line)
    assert run.lines[end - 1] == (
        "asyncguard: 2 places block the event loop (1 error, 1 warning)"
    ), run.output


# --- GitHub ----------------------------------------------------------------------------------


def github(run_pytest: RunPytest, *arguments: str, **environment: str) -> tuple[Run, str]:
    """A run on GitHub Actions, and the step summary."""
    summary = Path(environment["GITHUB_STEP_SUMMARY"])
    summary.write_text("before\n", encoding="utf-8")
    run = run_pytest(ONE, "--asyncguard", *arguments, environment=environment, plugins=XDIST)
    return run, summary.read_text(encoding="utf-8")


@pytest.fixture(name="environment")
def _environment(tmp_path: Path) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_WORKSPACE": "",
    }


ANNOTATION = "::error file=app.py,line=11,endLine=11,col=5,endColumn=22,title=AG101 sleep::"


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "xdist"])
def test_github_needs_no_option(
    run_pytest: RunPytest, environment: dict[str, str], workers: tuple[str, ...]
) -> None:
    """Annotations are printed, and the summary is added to what others wrote, once."""
    run, summary = github(run_pytest, *workers, **environment)
    assert [line.startswith(ANNOTATION) for line in run.lines if "::" in line[:9]] == [True], (
        run.output
    )
    assert summary.startswith("before\n### asyncguard: 1 place blocks the event loop")
    assert summary.count("### asyncguard") == 1


@pytest.mark.parametrize(
    ("arguments", "changes", "annotated"),
    [
        (["--asyncguard-github=false"], {}, 0),
        ([], {"GITHUB_ACTIONS": ""}, 0),
        (reports("github"), {"GITHUB_ACTIONS": ""}, 1),
        (reports("github"), {}, 1),
        (["-q"], {}, 1),
    ],
)
def test_github_is_told_if_it_is_there_and_wanted(
    run_pytest: RunPytest,
    environment: dict[str, str],
    arguments: list[str],
    changes: dict[str, str],
    annotated: int,
) -> None:
    """The option switches it off; asked for by its name it is printed anywhere, and once."""
    run, summary = github(run_pytest, *arguments, **{**environment, **changes})
    assert sum(line.startswith("::error ") for line in run.lines) == annotated, run.output
    on_github = "--asyncguard-github=false" not in arguments and not changes
    assert ("### asyncguard" in summary) is on_github


def test_paths_are_those_of_the_repository(
    run_pytest: RunPytest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where rootdir is a folder of it; the JSON report keeps pytest's own."""
    top = {"GITHUB_WORKSPACE": str(tmp_path_factory.getbasetemp())}
    run, summary = github(run_pytest, *reports("sarif"), **{**environment, **top})
    name = f"{run.folder.name}/app.py"
    assert any(line.startswith(f"::error file={name},") for line in run.lines), run.output
    assert f"`{name}:11`" in summary
    sarif = json.loads((run.folder / "asyncguard.sarif").read_bytes())
    (result,) = sarif["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == name
    assert run.findings[0]["file"] == "app.py"


def test_a_step_summary_that_cannot_be_written_is_told(
    run_pytest: RunPytest, environment: dict[str, str], tmp_path: Path
) -> None:
    """As any report."""
    environment["GITHUB_STEP_SUMMARY"] = str(tmp_path)
    run = run_pytest(ONE, "--asyncguard", environment=environment)
    assert "the step summary (Is a directory) was not written" in " ".join(run.stdout.split())
    assert run.exit_code == 1


# --- JUnit -----------------------------------------------------------------------------------


def properties(run: Run) -> list[tuple[str, list[str]]]:
    """By test case, its properties."""
    root = ET.parse(run.folder / "junit.xml").getroot()
    return [
        (case.get("name", ""), [f"{p.get('name')}={p.get('value')}" for p in case.iter("property")])
        for case in root.iter("testcase")
    ]


JUNIT = """
    import pytest

    from app import get


    @pytest.fixture
    def both_sides():
        get("/block")
        yield
        get("/file")


    def test_both_sides(both_sides, record_property):
        record_property("theirs", 1)


    def test_clean():
        get("/never")


    def test_ignored():
        get("/ignored")
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "xdist"])
def test_junit_has_properties(run_pytest: RunPytest, workers: tuple[str, ...]) -> None:
    """Of the test that met a finding, in set-up and teardown too, beside its own."""
    files = {"app.py": APP, "test_app.py": JUNIT}
    mode = "--asyncguard-mode=fail-run"
    run = run_pytest(files, "--asyncguard", mode, *reports("junit"), *workers, plugins=XDIST)
    told = dict(properties(run))
    assert [text.rpartition(" app.py")[0] for text in told["test_both_sides"]] == [
        "",
        "asyncguard=AG101 sleep",
        "asyncguard=AG110 file",
    ], run.output
    assert told["test_both_sides"][0] == "theirs=1"
    assert (told["test_clean"], told["test_ignored"]) == ([], [])


def test_junit_has_no_properties_unless_asked(run_pytest: RunPytest) -> None:
    """Strict schemas of JUnit know none."""
    assert properties(run_pytest(ONE, "--asyncguard")) == [("test_get[block-0]", [])]


@pytest.mark.skipif(
    importlib.util.find_spec("pytest_rerunfailures") is None, reason="needs pytest-rerunfailures"
)
def test_a_test_that_runs_again_has_its_properties_once(run_pytest: RunPytest) -> None:
    """Each attempt has its own test case, with what this attempt met."""
    tests = """
        from app import get

        attempts = []


        def test_again():
            attempts.append(1)
            get("/block" if len(attempts) < 3 else "/never")
    """
    run = run_pytest(
        {"app.py": APP, "test_app.py": tests},
        "--asyncguard",
        "--reruns=3",
        *reports("junit"),
        plugins=("pytest_asyncguard.plugin", "pytest_rerunfailures"),
    )
    told = [len(each) for _, each in properties(run)]
    # pytest 7 writes the last attempt alone.
    assert told == ([1, 1, 0] if len(told) > 1 else [0]), run.output
    assert run.exit_code == 1
    (finding,) = run.findings
    assert (finding["count"], len(finding["tests"])) == (2, 1)


# --- how much was exercised ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("--asyncguard-min-exercised=80",), 0, "mode report, so nothing fails"),
        (("--asyncguard-min-exercised=81%",), 1, "4 of 5 endpoints exercised, fewer than 81%"),
        (("--asyncguard-min-exercised=100", "--asyncguard-exempt=/never"), 0, "mode report"),
        (("--asyncguard-min-exercised=100", "-k", "block"), 0, "mode report, so nothing fails"),
    ],
)
def test_an_api_that_is_not_exercised_fails(
    run_pytest: RunPytest, arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    """Of the endpoints that count; a part of the tests is not asked."""
    mode = "report" if exit_code == 0 else "fail-run"
    run = run_pytest(FILES, "--asyncguard", f"--asyncguard-mode={mode}", *arguments)
    assert run.exit_code == exit_code
    told = " ".join(run.stdout.split())
    assert sentence in told
    assert ("fewer than" in told) is bool(exit_code)
    assert ("partial run (-k): it is not judged by how many" in told) is ("-k" in arguments)


def test_an_exempt_endpoint_is_not_in_the_census(run_pytest: RunPytest) -> None:
    """Nobody is told that it was not exercised; one that blocks is told all the same."""
    run = run_pytest(FILES, "--asyncguard", "--asyncguard-exempt=/never", "--asyncguard-exempt=/b*")
    routes = {row["route"]: row["verdict"] for row in run.report["endpoints"]}
    assert "GET /never" not in routes
    assert routes["GET /block"] == "blocks"
    counts = run.report["summary"]
    assert (counts["endpoints"], counts["exercised"], counts["blocking"]) == (3, 3, 1)
