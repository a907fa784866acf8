"""What cannot be used is refused by name, before a test runs; what cannot be written loses no more.

The forms of each option's value are the matter of ``tests/unit/test_options.py``.
"""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.cli import main
from pytest_asyncguard.options import OPTIONS, Settings, read
from pytest_asyncguard.session import files

if TYPE_CHECKING:
    from tests.acceptance.conftest import Project

# --- options ---------------------------------------------------------------------------------

NONSENSE = {
    "mode": ("", "strict", "fail"),
    "scope": ("", "all"),
    "threshold": ("", "0", "-1", "nan", "1e400", "fast", "100 hours", "sleep="),
    "rule": ("", "sleep", "sleeep=off", "sleep=on", "AG999=off", "=off"),
    "call": ("", "fetch", ":x", "a.b=nothing", "a..b", "a b"),
    "doubles": ("", "maybe", "2"),
    "allow": ("", "sleep", "AG101", "a::", "::b", "foo("),
    "baseline": ("",),
    "min_exercised": ("", "101", "-1", "many", "nan"),
    "exempt": ("", "health", "get /x"),
    "source": ("",),
    "report": ("", "JSON", "json:", ":x", "junit:x.xml"),
    "github": ("", "perhaps"),
}
"""What no option takes; in the ini file an empty value is none."""


def refused(given: dict[str, object], ini: dict[str, object]) -> str:
    by_ini = {option.ini: ini.get(option.field) for option in OPTIONS}
    by_flag = {option.dest: given.get(option.field) for option in OPTIONS}
    with pytest.raises(pytest.UsageError) as raised:
        read(by_flag.get, by_ini.get, "/project")
    return str(raised.value)


def test_the_table_has_every_option_that_takes_a_value() -> None:
    """A new one is refused nonsense as well."""
    assert NONSENSE.keys() == {option.field for option in OPTIONS if option.metavar}


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.metavar], ids=lambda o: o.field)
def test_nonsense_is_refused_by_name(option: Any) -> None:
    """The message has the option as it was written, the value, and what is allowed."""
    for value in NONSENSE[option.field]:
        one = [value] if option.repeatable else value
        told = refused({option.field: one}, {})
        assert told.startswith(f"{option.flag}: {value!r} is not "), told
        assert len(told.partition(" is not ")[2]) > 3
        if value.strip():
            again = refused({}, {option.field: one})
            assert again == told.replace(option.flag, option.ini, 1)


def test_an_empty_value_in_the_ini_file_is_none() -> None:
    """There it is how a wider setting is taken back."""
    empty = {option.ini: [] if option.repeatable else "" for option in OPTIONS}
    assert read(lambda _: None, empty.get, "/project") == Settings(rule={}, call={})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--asyncguard-source=nowhere"], "--asyncguard-source: "),
        (["--asyncguard-baseline="], "--asyncguard-baseline: '' is not a path"),
        (["--asyncguard-report=xml"], "--asyncguard-report: 'xml' is not FORMAT:PATH, where"),
        (
            ["--asyncguard-report=json:a.json", "--asyncguard-report=html:./a.json"],
            "--asyncguard-report: 'html': cannot write './a.json': there goes json already",
        ),
        (
            ["--asyncguard-report=sarif:app.py/a.sarif"],
            "--asyncguard-report: 'sarif': cannot write 'app.py/a.sarif': ",
        ),
    ],
)
def test_a_run_that_cannot_be_as_it_was_asked_for_does_not_begin(
    project: Project, arguments: list[str], told: str
) -> None:
    """One line, pytest's exit status for wrong usage, and nothing written or changed."""
    project.sites("sites_a.py", 1)
    project.write("pytest.ini", "[pytest]\n")
    before = {path: path.read_bytes() for path in project.folder.iterdir() if path.is_file()}
    ran = project.run(*arguments)
    (line,) = [line for line in ran.output.splitlines() if line]
    assert line.startswith(f"ERROR: {told}"), ran.output
    assert (ran.exit_code, ran.report) == (4, {})
    after = {path: path.read_bytes() for path in project.folder.iterdir() if path.is_file()}
    assert after == before


MARKED = """
    import pytest

    from app import get, routes

    WRONG = [
        pytest.mark.asyncguard(mode=""),
        pytest.mark.asyncguard(allow=["sleep"]),
        pytest.mark.asyncguard(threshold=True),
        pytest.mark.asyncguard(reason=3),
        pytest.mark.asyncguard(enabled="perhaps"),
        pytest.mark.asyncguard("report"),
        pytest.mark.asyncguard(baseline="x"),
    ]


    @pytest.mark.parametrize("number", [pytest.param(i, marks=m) for i, m in enumerate(WRONG)])
    def test_wrong(number):
        get(min(routes))
"""
SAID = (
    "(mode=...): '' is not one of fail-tests, fail-run, report",
    "(allow=...): 'sleep' is not DOTTED.CALL or PATH::FUNCTION",
    "(threshold=...): True is not a duration above zero",
    "(reason=...): 3 is not text",
    "(enabled=...): 'perhaps' is not true or false",
    " takes keywords only",
    "(baseline=...): 'baseline' is not one of enabled, mode, threshold, allow, reason",
)


def test_a_wrong_marker_is_the_error_of_its_test(project: Project) -> None:
    """It names the test, the keyword, the value and what is allowed."""
    project.sites("sites_a.py", 1)
    project.write("pytest.ini", "[pytest]\n")
    project.write("test_app.py", re.sub("^    ", "", MARKED, flags=re.MULTILINE))
    ran = project.run("-rE")
    for number, said in enumerate(SAID):
        wanted = f"test_app.py::test_wrong[{number}]: @pytest.mark.asyncguard{said}"
        assert wanted in ran.output, ran.output
    assert f"{len(SAID)} errors" in ran.output
    assert ran.exit_code == 1


# --- files -----------------------------------------------------------------------------------


def test_a_full_disk_takes_one_file_and_says_which(project: Project) -> None:
    """The others are written, the verdict stands, and the run fails in every mode."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    project.sites("sites_a.py", 1, 2, 3)
    ran = project.update(
        "--asyncguard-mode=report",
        "--asyncguard-report=sarif:/dev/full",
        "--asyncguard-report=html:page.html",
    )
    assert ran.exit_code == 1
    told = " ".join(ran.output.split())
    assert "the run fails: no new blocking call in 3 requests, but /dev/full (No space left" in told
    assert ran.counts == (0, 3, 0)
    assert len(project.entries) == 3
    assert "<h1" in (project.folder / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("step", ["os.makedirs", "builtins.open", "os.replace"])
def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it fails, what was there before is still there, and nothing else is left."""
    path = tmp_path / "report.json"
    path.write_text("before")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(step, full)
        with pytest.raises(OSError, match="No space left"):
            files.write(str(path), "after")
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
    files.write(str(path), "after")
    assert path.read_text() == "after"


def test_a_read_only_folder_is_known_before_a_test_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the nearest folder that is there; the super-user may write everywhere, so it is played."""
    assert files.unwritable(str(tmp_path / "a" / "b" / "c.json")) is None

    def forbidden(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", forbidden)
    reason = files.unwritable(str(tmp_path / "a" / "b" / "c.json"))
    assert reason == f"{tmp_path}: Permission denied"
    assert files.unwritable(str(tmp_path)) == "it is a folder"


TORN = {
    "": "line 1: this is not JSON, or not all of it",
    '{"schema_version": 1,\n"tool": {': "line 2: this is not JSON, or not all of it",
    "[]": "this is no report of pytest-asyncguard",
    '{"schema_version": 99}': "schema version 99, and this pytest-asyncguard reads 1",
    '{"schema_version": 1, "tool": {"version": "1"}}': "endpoints is missing",
}


@pytest.mark.parametrize("text", TORN)
@pytest.mark.parametrize("command", ["merge", "render --format=html", "gate"])
def test_a_torn_report_is_no_clean_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str
) -> None:
    """Each command names the file and the cause, and says so by an exit status of its own."""
    path = tmp_path / "part.json"
    path.write_text(text)
    name, *options = command.split()
    assert main([name, str(path), *options]) == 2
    printed, told = capsys.readouterr()
    assert (printed, told.count("\n")) == ("", 1)
    assert told.startswith(f"asyncguard {name}: {path}: {TORN[text]}"), told


def test_a_report_that_is_not_there_is_no_clean_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is a folder one."""
    for path, cause in ((tmp_path / "a.json", "No such file"), (tmp_path, "Is a directory")):
        assert main(["gate", str(path)]) == 2
        assert f"asyncguard gate: {path}: {cause}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"), [(BrokenPipeError(), 1), (OSError(errno.ENOSPC, "No space"), 2)]
)
def test_the_verdict_is_told_though_nobody_reads_it(
    small: Project, monkeypatch: pytest.MonkeyPatch, error: OSError, status: int
) -> None:
    """A pipe that was closed changes no exit status; a full disk is no verdict."""
    report = small.folder / "report.json"
    made = json.loads(report.read_bytes())
    for finding in made["findings"]:
        finding["status"] = "new"
    report.write_text(json.dumps(made))

    class Closed:
        def write(self, text: str) -> None:
            raise error

        def fileno(self) -> int:
            raise ValueError

    monkeypatch.setattr("sys.stdout", Closed())
    assert main(["gate", str(report)]) == status


def test_junit_without_a_file_is_told(small: Project) -> None:
    """The properties go into pytest's own file, and there is none."""
    told = "asyncguard: report junit: there is no --junitxml to write into"
    ran = small.run("--asyncguard-report=junit")
    assert (ran.exit_code, told in ran.output) == (0, True)
    ran = small.run("--asyncguard-report=junit", "--junitxml=a.xml")
    assert (ran.exit_code, told in ran.output) == (0, False)
