"""What a terminal of 80 columns shows of a run: each place once, told as briefly as asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

LONG = "organization_members_of_all_projects_that_were_archived_in_the_last_quarter"

APP = """
    import driver
    import hashlib
    import sqlite3
    import subprocess
    import time

    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from storage.reports.quarterly.organizations.members.archive import LONG_NAME

    database = sqlite3.connect(":memory:", check_same_thread=False)


    def helper():
        time.sleep(0.001)


    async def shared(request):
        helper()
        return PlainTextResponse("done")


    async def again(request):
        helper()
        return PlainTextResponse("done")


    async def sql(request):
        text = ", ".join(f"'{n}' as a_column_with_a_name_of_some_length_{n}" for n in range(20))
        database.execute(f"select {text}")
        return PlainTextResponse("done")


    async def process(request):
        answer = subprocess.run(["sleep", "0.002"], check=True, bufsize=-1, stdout=subprocess.PIPE)
        return PlainTextResponse(answer.stdout)


    async def deep(request):
        LONG_NAME()
        return PlainTextResponse("done")


    async def file(request):
        open(__file__).close()
        return PlainTextResponse("done")


    async def stall(request):
        end = time.thread_time() + 0.15
        while time.thread_time() < end and hashlib.md5(b"a") and hashlib.md5(b"b" * 20_000):
            pass
        return PlainTextResponse("done")


    async def background(request):
        async def job():
            helper_of_the_job = time.sleep
            helper_of_the_job(0.001)

        return PlainTextResponse("done", background=BackgroundTask(job))


    async def clean(request):
        return PlainTextResponse("done")


    async def never(request):
        return PlainTextResponse("done")


    LONG_PATH = "/organizations/{organization_id}/projects/{project_id}/members/{member_id}/{year}"
    app = Starlette(
        routes=[
            *(
                Route(f"/{each.__name__}", each)
                for each in (
                    shared, again, sql, process, deep, file, stall, background, clean, never
                )
            ),
            *(Route(f"/again/{number}", again) for number in range(6)),
            Route(LONG_PATH, shared),
            *(Route(f"/never/{each}/of/the/tests/comes/along/here", never) for each in range(6)),
        ]
    )
    get = driver.getting(app)
""".replace("LONG_NAME", LONG)

DEEP = """
    import time


    def LONG_NAME():
        time.sleep(0.001)
""".replace("LONG_NAME", LONG)

TESTS = """
    import pytest

    from app import get

    LONG = "/organizations/1/projects/2/members/3/2020"
    PATHS = ("sql", "process", "deep", "file", "stall", "background", "clean")


    @pytest.mark.parametrize("path", PATHS)
    def test_get(path):
        assert get("/" + path) == 200


    @pytest.mark.parametrize(
        "path", ["/shared", "/again", LONG, *(f"/again/{number}" for number in range(6))]
    )
    def test_shared(path):
        assert get(path) == 200


    def test_shared_by_another_test_with_quite_a_long_name_that_takes_more_than_one_line_of_it():
        assert get("/shared") == 200
        assert get("/shared") == 200
"""

MANY = """
    import driver
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    FUNCTIONS
    app = Starlette(routes=[Route(f"/{each}", globals()[f"f{each}"]) for each in range(13)])
    get = driver.getting(app)


    def test_many():
        for number in range(13):
            assert get(f"/{number}") == 200
""".replace(
    "FUNCTIONS",
    "".join(
        f"""
    async def f{number}(request):
        time.sleep(0.0001 * {number + 1})
        return PlainTextResponse("done")

"""
        for number in range(13)
    ),
)

FILES = {
    "app.py": APP,
    "storage/reports/quarterly/organizations/members/archive.py": DEEP,
    "test_app.py": TESTS,
}
SHARED = "app.py:19 in helper"
LEVELS = {
    "quiet": ("-q",),
    "normal": (),
    "verbose": ("-v",),
    "very verbose": ("-vv",),
    "coloured": ("--color=yes",),
    "plain": ("--color=no",),
}
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture(name="runs", scope="module")
def _runs(run_pytest: RunPytest) -> dict[str, Run]:
    """The same run at each level of verbosity, with and without colour."""
    return {level: run_pytest(FILES, "--asyncguard", *options) for level, options in LEVELS.items()}


def plain(run: Run) -> list[str]:
    """What it printed, without colours."""
    return ESCAPE.sub("", run.stdout).splitlines()


def part(lines: list[str], title: str) -> list[str]:
    """The lines of one of the sections that pytest sets apart."""
    start = next(
        (index for index, line in enumerate(lines) if re.fullmatch(rf"=+ {title} =+", line)), None
    )
    assert start is not None, "\n".join(lines)
    rest = lines[start + 1 :]
    end = next((index for index, line in enumerate(rest) if re.match(r"=+ .* =+$", line)), None)
    return rest[:end]


def ours(run: Run) -> list[str]:
    """The section ``asyncguard`` of the summary."""
    return part(plain(run), "asyncguard")


def is_name(line: str) -> bool:
    """Whether it holds nothing but a place or the name of a test, which are never cut."""
    return bool(re.fullmatch(r" *(\S+\.py:\d+|\S+\.py::\S+)|_ \S+ _", line))


@pytest.mark.parametrize("level", LEVELS)
def test_no_line_is_wider_than_the_terminal(runs: dict[str, Run], level: str) -> None:
    """Neither in the failures nor in the summary, but for a path, of which editors make links."""
    run = runs[level]
    shown = part(plain(run), "FAILURES") + (ours(run) if level != "quiet" else [])
    # pytest's own line has the path of a temporary folder in it.
    shown = [line for line in shown if not line.startswith("- generated xml file:")]
    assert len(shown) > 40
    assert [line for line in shown if len(line) > 80 and not is_name(line)] == []


@pytest.mark.parametrize("level", LEVELS)
def test_paths_are_whole(runs: dict[str, Run], level: str) -> None:
    """However narrow the terminal is."""
    path = "storage/reports/quarterly/organizations/members/archive.py:6"
    assert f"  {path}" in plain(runs[level]), runs[level].output


@pytest.mark.parametrize("level", LEVELS)
def test_a_failing_test_shows_the_finding_first(runs: dict[str, Run], level: str) -> None:
    """Right under its heading: what, where, the underlined source, whose, what instead."""
    lines = part(plain(runs[level]), "FAILURES")
    start = next(
        i for i, line in enumerate(lines) if re.fullmatch(r"_+ test_get\[process\] _+", line)
    )
    what, where, source, carets, whose, instead = lines[start + 1 : start + 7]
    assert re.fullmatch(r"AG105 subprocess: subprocess\.run\(sleep\) held the event loop.*", what)
    assert where == "  app.py:39 in process"
    assert re.fullmatch(r" {6}\.\.\.subprocess\.run\(.*\.\.\.", source)
    assert carets == " " * 9 + "^" * (len(source) - 9)
    assert whose == "  in the endpoint of GET /process"
    assert instead.startswith("  instead: `process` never awaits: make it a plain `def`")


@pytest.mark.parametrize("level", [level for level in LEVELS if level != "quiet"])
def test_a_site_is_listed_once(runs: dict[str, Run], level: str) -> None:
    """However many tests and routes went through it; errors stand before warnings."""
    lines = ours(runs[level])
    assert sum(line.strip() == SHARED for line in lines) == (
        1 if level != "very verbose" else 2  # there its stack ends with it
    ), runs[level].output
    severities = [match[1] for line in lines if (match := re.match(r"(error|warning) AG", line))]
    assert severities == ["error"] * 6 + ["warning"]


def test_the_summary_in_short(runs: dict[str, Run]) -> None:
    """Without -v: whose in short, how often in how many tests, no source, no names of tests."""
    lines = ours(runs["normal"])
    start = lines.index(f"  {SHARED}")
    until = lines.index("", start)
    told = " ".join(" ".join(lines[start + 1 : until]).split())
    assert re.match(
        r"in the endpoint of GET /shared, GET /again, GET /again/0 and 6 more, "
        r"11 times in 10 tests instead: ",
        told,
    ), told
    assert not [line for line in lines if "test_app.py" in line or "^^^" in line]


def test_the_summary_at_length(runs: dict[str, Run]) -> None:
    """With -v: the source, each route, the way from there, the tests; with -vv the whole stack."""
    verbose, very = ours(runs["verbose"]), ours(runs["very verbose"])
    start = verbose.index(f"  {SHARED}")
    until = verbose.index("", start)
    assert verbose[start + 1 : start + 3] == ["      time.sleep(0.001)", "      " + "^" * 17]
    told = " ".join(" ".join(verbose[start:until]).split())
    assert all(f"GET /again/{number}" in told for number in range(6))
    assert "in 10 tests: test_app.py::test_shared[/again/0]" in told
    assert re.search(r"called through: app\.py:\d+ in (shared|again) instead: ", told)
    start = very.index(f"  {SHARED}")
    told = " ".join(" ".join(very[start : very.index("", start)]).split())
    assert re.search(r"called through: .* app\.py:\d+ in (shared|again) app\.py:19 in helper", told)


def test_more_sites_than_are_shown(run_pytest: RunPytest) -> None:
    """Without -v the first ten, and the number of the others."""
    run = run_pytest({**FILES, "test_many.py": MANY}, "--asyncguard", "test_many.py")
    lines = ours(run)
    assert sum(line.startswith("error AG101") for line in lines) == 10, run.output
    assert "3 more: run with -v" in lines
    assert "asyncguard: 13 places block the event loop (13 errors)" in lines


@pytest.mark.parametrize("level", ["normal", "coloured", "plain"])
def test_the_census(runs: dict[str, Run], level: str) -> None:
    """One line says how many endpoints were exercised and block; then a few that were not."""
    lines = ours(runs[level])
    start = lines.index("16 of 23 endpoints exercised, 14 block")
    told = " ".join(" ".join(lines[start + 1 :]).split())
    assert told.startswith(
        "not exercised: GET /never, GET /never/0/of/the/tests/comes/along/here, "
        "GET /never/1/of/the/tests/comes/along/here and 4 more asyncguard:"
    ), runs[level].output


def test_the_census_at_length(runs: dict[str, Run]) -> None:
    """With -v every endpoint has a line."""
    lines = ours(runs["verbose"])
    for start in (
        r"blocks +GET /again: 1 request\b",
        r"clean +GET /clean: 1 request\b",
        r"warns +GET /file: 1 request\b",
        r"unexercised +GET /never$",
    ):
        assert [line for line in lines if re.match(start, line)], start
    assert (
        sum(bool(re.match(r"(blocks|clean|warns|unexercised) +GET /", each)) for each in lines)
        == 23
    )


@pytest.mark.parametrize("level", LEVELS)
def test_the_verdict_stands_last(runs: dict[str, Run], level: str) -> None:
    """Of what the plugin says, but for the files that it has written."""
    verdict = "asyncguard: 7 places block the event loop (6 errors, 1 warning)"
    written = "asyncguard: wrote report.json"
    lines = plain(runs[level])
    last = next(i for i, line in enumerate(lines) if re.match(r"=+ short test summary", line))
    said = [line for line in lines[:last] if line != written]
    assert said[-1] == verdict, runs[level].output
    assert lines.count(verdict) == 1
    assert lines.count(written) == (0 if level == "quiet" else 1)


def test_quiet(runs: dict[str, Run]) -> None:
    """The failures, and one line: the verdict."""
    lines = plain(runs["quiet"])
    assert not [line for line in lines if re.fullmatch(r"=+ asyncguard =+", line)]
    assert not [line for line in lines if line.startswith("asyncguard: fail-tests")]
    assert sum(line.startswith("asyncguard:") for line in lines) == 1


def test_colour(runs: dict[str, Run]) -> None:
    """Colours are there where pytest has them, and take nothing from the words and add nothing."""
    assert "\x1b" not in runs["plain"].stdout
    assert "\x1b" not in runs["normal"].stdout  # no terminal
    assert re.search(r"\x1b\[31merror AG101 sleep", runs["coloured"].stdout)
    assert re.search(r"\x1b\[33mwarning AG110 file", runs["coloured"].stdout)
    assert without_durations(ours(runs["coloured"])) == without_durations(ours(runs["plain"]))


def without_durations(lines: list[str]) -> list[str]:
    """The words without durations, on which line breaks depend, and without the longest's hint."""
    told = " ".join(" ".join(lines).split())
    # What takes less than a millisecond here and more there is told in other words.
    told = re.sub(r"held the event loop for (up to )?[\d.]+ m?s\b", "blocks the event loop", told)
    told = told.replace(" (<1 ms here)", "")
    return re.sub(r"(up to )?<?[\d.]+ m?s\b|`\w+`", "", told).split()


CLEAN = """
    from app import get


    def test_clean():
        assert get("/clean") == 200
"""


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (("-qq",), 0),
        (("-q",), 1),
        ((), 1),
    ],
)
def test_a_clean_run_says_little(
    run_pytest: RunPytest, options: tuple[str, ...], lines: int
) -> None:
    """One line with the verdict and the census, or none."""
    files = {**FILES, "test_app.py": CLEAN}
    run = run_pytest(files, "--asyncguard", *options, report=False)
    said = [line for line in run.lines if line.startswith("asyncguard: no ")]
    assert len(said) == lines, run.output
    assert "= asyncguard =" not in run.stdout
    if not options:
        told = " ".join(run.stdout.split())
        assert "asyncguard: no blocking call in 1 request; 1 of 23 endpoints exercised" in told


def test_the_header(runs: dict[str, Run]) -> None:
    """It says that the guard is on, and with what."""
    assert "asyncguard: fail-tests, threshold 100 ms, scope app" in runs["normal"].lines
