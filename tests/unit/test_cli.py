from __future__ import annotations

import ast
import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_asyncguard.baseline import entry_of, read, write
from pytest_asyncguard.catalog.rules import RULES
from pytest_asyncguard.cli import main, parts
from pytest_asyncguard.cli.explain import WIDTH, page
from pytest_asyncguard.model import Finding, ProbeState, Rule, RunReport, StackFrame
from pytest_asyncguard.options import OPTIONS
from pytest_asyncguard.render import RENDERERS

ROOT = Path(__file__).parents[2]
GOLDEN: dict[str, Any] = runpy.run_path(
    str(ROOT / "tests" / "golden" / "__init__.py"), run_name="golden"
)
SLEEP: Finding = GOLDEN["sighting"](
    "app.py:3 in f", "time.sleep(1)", message="time.sleep in the endpoint of GET /a", count=2
)
FILE: Finding = GOLDEN["sighting"](
    "app.py:7 in g", "open(x)", what="AG110 file", call="open", severity="warning", message="open"
)


def report(*findings: Finding, routes: str = "GET /a", **fields: Any) -> RunReport:
    """A report; a route with a question mark was not exercised."""
    rows = [
        GOLDEN["endpoint"](route.rstrip("?"), *(("unexercised",) if "?" in route else ("clean", 1)))
        for route in routes.split(", ")
    ]
    made: RunReport = GOLDEN["report"](findings, rows)
    run = replace(made.run, probes=(ProbeState(name="calls", active=True),))
    return replace(made, **{"run": run, "settings": {"mode": "fail-tests"}, **fields})


def part(made: RunReport, **fields: Any) -> RunReport:
    return replace(made, run=replace(made.run, **fields))


@pytest.fixture(name="save", autouse=True)
def _save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, RunReport], str]:
    """Write a report into the current folder, which is an empty one, and return its name."""
    monkeypatch.chdir(tmp_path)

    def save(name: str, made: RunReport) -> str:
        (tmp_path / name).write_text(RENDERERS["json"].render(made), encoding="utf-8")
        return name

    return save


Save = Callable[[str, RunReport], str]
Capture = pytest.CaptureFixture[str]


# --- explain ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_the_page_of_a_rule_is_what_explain_prints(rule: Rule, capsys: Capture) -> None:
    """Both are made of the catalogue: asyncguard explain AG101 > docs/rules/AG101.md."""
    for name in (rule.code, rule.name, rule.code.lower()):
        assert main(["explain", name]) == 0
        told = capsys.readouterr().out
        assert told == (ROOT / "docs" / "rules" / f"{rule.code}.md").read_text(encoding="utf-8")


def test_there_is_no_page_without_a_rule() -> None:
    """A page that no rule stands behind would never change again."""
    pages = {path.stem for path in (ROOT / "docs" / "rules").glob("*.md")}
    assert pages == {rule.code for rule in RULES.values()}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_page_answers_every_question(rule: Rule) -> None:
    """What it finds, why it hurts, an example and the right version, each of which is Python."""
    assert all((rule.finds, rule.why, rule.example, rule.instead))
    assert ast.dump(ast.parse(rule.example)) != ast.dump(ast.parse(rule.instead))
    assert max(map(len, page(rule).splitlines())) <= WIDTH + 12
    flags = {option.flag for option in OPTIONS}
    named = {word.split("=")[0].strip("`") for word in page(rule).split() if "--async" in word}
    assert named <= flags


def test_explain_lists_the_rules(capsys: Capture) -> None:
    """Asked without a rule, it says which ones there are."""
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [rule.code, rule.name, rule.severity] for rule in RULES.values()
    ]


# --- what cannot be used ---------------------------------------------------------------------

TORN = json.dumps({"schema_version": 1, "tool": {}})[:-5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "AG999"], "explain: 'AG999' is not a code or one of sleep, sync-client,"),
        (["merge", "a.json", "none.json"], "merge: none.json: No such file or directory"),
        (["merge", "a.json", "./a.json"], "merge: ./a.json: the same part as a.json"),
        (["merge", "a.json", "torn.json"], "merge: torn.json: line 1: this is not JSON, or not"),
        (["merge", "a.json", "empty.json"], "merge: empty.json: line 1: this is not JSON"),
        (["merge", "a.json", "latin.json"], "merge: latin.json: this is not UTF-8"),
        (["merge", "a.json", "deep.json"], "merge: deep.json: this is no report"),
        (["merge", "a.json", "list.json"], "merge: list.json: this is no report of"),
        (["merge", "a.json", "newer.json"], "merge: newer.json: schema version 2, and this"),
        (["merge", "a.json", "-o", "empty.json/x"], "merge: empty.json/x: "),
        (["render", "none.json", "--format", "sarif"], "render: none.json: No such file"),
        (["render", "a.json", "--format", "xml"], "render: 'xml' is not one of the formats json,"),
        (["gate", "none.json"], "gate: none.json: No such file or directory"),
        (["gate", "a.json", "--baseline", "b.json"], "gate: b.json: there is no such file; --up"),
        (["gate", "a.json", "--baseline", "list.json"], "gate: list.json: line 1: this is no base"),
        (["gate", "a.json", "--baseline", "."], "gate: .: Is a directory"),
        (["gate", "a.json", "--update-baseline"], "gate: --update-baseline: which one?"),
    ],
)
def test_what_cannot_be_used_is_named(
    arguments: list[str], message: str, save: Save, tmp_path: Path, capsys: Capture
) -> None:
    """Exit status 2, and never a verdict; what is there is not touched."""
    save("a.json", report(SLEEP))
    contents = {
        "torn.json": TORN.encode(),
        "empty.json": b"",
        "latin.json": b'{"a": "\xe4"}',
        "deep.json": b"[" * 100_000,
        "list.json": b"[]",
        "newer.json": b'{"schema_version": 2}',
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"asyncguard {message}")
    assert (tmp_path / "empty.json").read_bytes() == b""
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("findings"), "findings is missing"),
        (lambda d: d.pop("tool"), "tool_version is missing"),
        (lambda d: d.update(extra=1), "extra is not known"),
        (lambda d: d["findings"][0].update(line="7"), "findings[0].line: '7' is not int"),
        (lambda d: d["findings"][0].update(line=True), "findings[0].line: True is not int"),
        (lambda d: d["findings"][0].pop("routes"), "findings[0].routes is missing"),
        (
            lambda d: d["findings"][0].update(severity="fatal"),
            "findings[0].severity: 'fatal' is not one of error, warning",
        ),
        (
            lambda d: d["findings"][0].update(held_seconds=[]),
            "findings[0].held_seconds: [] is not an object",
        ),
        (lambda d: d["run"].update(packages={"a": 1}), "run.packages.a: 1 is not str"),
        (lambda d: d.update(endpoints={}), "endpoints: {} is not tuple"),
        (lambda d: d.update(settings=None), "settings: None is not Mapping"),
    ],
)
def test_a_report_is_read_with_all_its_fields(
    change: Callable[[dict[str, Any]], object],
    message: str,
    save: Save,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    """What is missing is not taken for nothing: the place in the report is told."""
    path = tmp_path / save("a.json", report(SLEEP))
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    assert main(["gate", "a.json"]) == 2
    assert capsys.readouterr().err == f"asyncguard gate: a.json: {message}\n"


@pytest.mark.parametrize("arguments", [[], ["gate"], ["merge"], ["render", "a"], ["nonsense"]])
def test_a_command_says_what_it_takes(arguments: list[str], capsys: Capture) -> None:
    """As every command line does."""
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert "usage: asyncguard" in capsys.readouterr().err


# --- merge -----------------------------------------------------------------------------------


def merged(save: Save, tmp_path: Path, *runs: RunReport, arguments: str = "") -> dict[str, Any]:
    names = [save(f"{number}.json", each) for number, each in enumerate(runs)]
    assert main(["merge", *names, "-o", "out/all.json", *arguments.split()]) == 0
    result: dict[str, Any] = json.loads((tmp_path / "out" / "all.json").read_bytes())
    return result


@pytest.mark.parametrize("name", GOLDEN["REPORTS"])
def test_every_report_is_read_as_it_was_written(name: str, save: Save) -> None:
    """Reading loses nothing and adds nothing."""
    made = GOLDEN["REPORTS"][name]
    render = RENDERERS["json"].render
    assert render(parts.read(save("a.json", made))) == render(made)


def test_one_part_is_itself(save: Save, tmp_path: Path) -> None:
    """Merging it with nothing changes nothing."""
    made = report(SLEEP, FILE, routes="GET /a, GET /b?")
    assert merged(save, tmp_path, made) == json.loads(RENDERERS["json"].render(made))


def test_exercised_anywhere_is_exercised(save: Save, tmp_path: Path) -> None:
    """The census is that of all parts, and so is what blocks."""
    on_a = replace(
        SLEEP,
        routes=tuple(replace(row, route="GET /a") for row in SLEEP.routes),
    )
    after = merged(
        save,
        tmp_path,
        report(on_a, routes="GET /a, GET /b?, GET /c?"),
        report(routes="GET /a, GET /b, GET /c?"),
    )
    rows = {row["route"]: (row["verdict"], row["requests"]) for row in after["endpoints"]}
    assert rows == {
        "GET /a": ("blocks", 2),
        "GET /b": ("clean", 1),
        "GET /c": ("unexercised", 0),
    }
    counts = after["summary"]
    assert (counts["endpoints"], counts["exercised"], counts["blocking"]) == (3, 2, 1)
    assert (after["run"]["requests"], after["run"]["tests"]) == (84, 40)


def test_one_site_is_one_finding(save: Save, tmp_path: Path) -> None:
    """What parts saw of it is added up, and new anywhere is new."""
    known = replace(SLEEP, status="baselined", tests=("b.py::t",))
    after = merged(save, tmp_path, report(known), report(SLEEP, FILE))
    assert [(each["rule"], each["status"], each["count"]) for each in after["findings"]] == [
        ("sleep", "new", 4),
        ("file", "new", 1),
    ]
    assert after["findings"][0]["tests"] == ["b.py::t", "tests/test_orders.py::test_create"]
    assert after["summary"]["errors"] == 1


def test_the_order_of_the_parts_makes_no_difference(save: Save, tmp_path: Path) -> None:
    """CI systems hand over artifacts in any order."""
    runs = report(SLEEP, routes="GET /a, GET /b?"), report(FILE, routes="GET /b, GET /c")
    assert merged(save, tmp_path, *runs) == merged(save, tmp_path, *runs[::-1])


def test_what_differs_between_parts_is_told(save: Save, tmp_path: Path) -> None:
    """Versions stand side by side; a probe that was active everywhere is active."""
    first = part(report(), python="3.11.7", loops=("uvloop",), packages={"pytest": "9.2.0"})
    off = ProbeState(name="calls", active=False, reason="x")
    second = part(
        report(), python="3.12.1", packages={"pytest": "9.2.0", "trio": "1"}, probes=(off,)
    )
    assert merged(save, tmp_path, second, first)["run"]["probes"][0]["active"] is False
    run = merged(save, tmp_path, first, second)["run"]
    assert (run["python"], run["platform"]) == ("3.11.7, 3.12.1", "linux")
    assert run["packages"] == {"pytest": "9.2.0", "trio": "1"}
    assert run["loops"] == ["asyncio", "uvloop"]
    assert run["probes"] == [{"name": "calls", "active": False, "reason": "x"}]


def test_parts_are_complete_if_somebody_says_so(save: Save, tmp_path: Path) -> None:
    """Each was asked for a part of the tests, so none of them can tell."""
    half = part(report(), complete=False)
    assert merged(save, tmp_path, report(), report())["run"]["complete"]
    assert not merged(save, tmp_path, report(), half)["run"]["complete"]
    assert merged(save, tmp_path, half, half, arguments="--complete")["run"]["complete"]


def test_a_stale_entry_is_one_that_no_part_saw(save: Save, tmp_path: Path) -> None:
    """On another Python it may still be there."""
    stale = ("a" * 16, "b" * 16, SLEEP.fingerprint)
    first, second = report(stale_baseline=stale), report(SLEEP, stale_baseline=stale[1:])
    assert merged(save, tmp_path, first, second)["stale_baseline"] == ["b" * 16]


def test_unused_ignores_are_told_of_a_complete_whole(save: Save, tmp_path: Path) -> None:
    """None of the parts could; the sources are those in the current folder."""
    source = "async def f():{}\n\n    time.sleep(1){}\n"
    comment = "  # asyncguard: ignore[file] old"
    (tmp_path / "app.py").write_text(source.format("", comment), encoding="utf-8")
    frame = StackFrame(file="app.py", line=3, function="f", source=None, project=True)
    once = replace(SLEEP, stack=(frame,), count=1)
    half = part(report(once), complete=False)
    assert merged(save, tmp_path, half)["unused_ignores"] == []
    assert merged(save, tmp_path, half, arguments="--complete")["unused_ignores"] == [
        {"file": "app.py", "line": 3, "rules": ["file"], "reason": "old"}
    ]
    # Whoever stands on a def may have been needed on a way that the report does not show.
    twice = part(report(once, replace(FILE, count=2)), complete=False)
    assert len(merged(save, tmp_path, twice, arguments="--complete")["unused_ignores"]) == 1
    (tmp_path / "app.py").write_text(source.format(comment, ""), encoding="utf-8")
    assert len(merged(save, tmp_path, half, arguments="--complete")["unused_ignores"]) == 1
    assert merged(save, tmp_path, twice, arguments="--complete")["unused_ignores"] == []


# --- render ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_every_format_can_be_made_later(
    name: str, save: Save, tmp_path: Path, capsys: Capture
) -> None:
    """The text is that of the run itself, in a file or printed."""
    made = report(SLEEP, FILE)
    save("a.json", made)
    assert main(["render", "a.json", "--format", name]) == 0
    printed = capsys.readouterr().out
    assert main(["render", "a.json", "--format", name, "-o", "b"]) == 0
    assert (tmp_path / "b").read_text(encoding="utf-8") == printed
    assert printed == RENDERERS[name].render(made)


# --- gate ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "arguments", "status", "sentence"),
    [
        ({}, "", 1, "1 place blocks the event loop (1 error)"),
        ({"mode": "report"}, "", 0, "1 place blocks the event loop (1 error); mode report, so"),
        ({"mode": "report"}, "--mode fail-run", 1, "the run fails: 1 place blocks"),
        ({}, "--mode report", 0, "1 place blocks the event loop (1 error); mode report, so"),
        ({"min_exercised": 90}, "--mode fail-tests", 1, "2 endpoints exercised, fewer than 90%"),
        ({"min_exercised": 90, "exempt": ["/b"]}, "", 1, "1 place blocks the event loop (1 error)"),
    ],
)
def test_the_gate_has_the_settings_of_the_run(
    settings: dict[str, object],
    arguments: str,
    status: int,
    sentence: str,
    request: pytest.FixtureRequest,
) -> None:
    """But for those of its own command line; the exit status is the verdict."""
    save, capsys = request.getfixturevalue("save"), request.getfixturevalue("capsys")
    save("a.json", report(SLEEP, routes="GET /a, GET /b?", settings=settings))
    assert main(["gate", "a.json", *arguments.split()]) == status
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == ["app.py:3: error: AG101 sleep: time.sleep in the endpoint of GET /a"]
    assert sentence in last


def test_strict_makes_errors_of_warnings(save: Save) -> None:
    """By the option, or as the run was."""
    save("a.json", report(FILE))
    save("b.json", report(FILE, settings={"strict": True}))
    assert main(["gate", "a.json"]) == 0
    assert main(["gate", "a.json", "--strict"]) == 1
    assert main(["gate", "b.json"]) == 1


def test_a_blind_guard_fails_here_as_well(save: Save, capsys: Capture) -> None:
    """That it found nothing proves nothing, and a part that failed would have found more."""
    off = ProbeState(name="self-check", active=False, reason="patched away")
    save("a.json", part(report(), probes=(off,)))
    assert main(["gate", "a.json"]) == 1
    assert "INACTIVE, nothing was watched: patched away" in capsys.readouterr().out
    save("a.json", part(report(), probes=(replace(off, name="calls"),)))
    assert main(["gate", "a.json"]) == 1
    assert "but a part of the guard failed (calls: patched away)" in capsys.readouterr().out


def test_the_gate_compares_with_a_baseline(save: Save, tmp_path: Path, capsys: Capture) -> None:
    """Only what is not in it fails, whatever the run itself had for a baseline."""
    path = tmp_path / "base.json"
    path.write_text(write([entry_of(SLEEP)]), encoding="utf-8")
    save("known.json", report(SLEEP))
    save("new.json", report(SLEEP, replace(FILE, severity="error")))
    save("other.json", report(replace(FILE, severity="error", status="baselined")))
    assert main(["gate", "known.json", "--baseline", "base.json"]) == 0
    assert capsys.readouterr().out == "asyncguard: no new blocking call in 42 requests\n"
    assert main(["gate", "new.json", "--baseline", "base.json"]) == 1
    assert "1 place blocks the event loop (1 error)" in capsys.readouterr().out
    assert main(["gate", "other.json"]) == 0
    assert main(["gate", "other.json", "--baseline", "base.json"]) == 1


def test_an_expired_entry_fails(save: Save, tmp_path: Path, capsys: Capture) -> None:
    """The date is today's, not that of the run."""
    entry = replace(entry_of(SLEEP), expires="2020-01-01")
    (tmp_path / "base.json").write_text(write([entry]), encoding="utf-8")
    save("a.json", report(SLEEP))
    assert main(["gate", "a.json", "--baseline", "base.json"]) == 1
    told = capsys.readouterr().out
    assert "(1 error), and 1 has expired in the baseline" in told
    assert "; its entry in the baseline expired on 2020-01-01\n" in told


@pytest.mark.parametrize(
    ("complete", "rules", "status"), [(True, {}, 1), (False, {}, 0), (True, {"sleep": "off"}, 0)]
)
def test_a_stale_entry_fails_a_strict_gate(
    complete: bool, rules: dict[str, str], status: int, save: Save, tmp_path: Path
) -> None:
    """Where the run was complete, and looked for it."""
    (tmp_path / "base.json").write_text(write([entry_of(SLEEP)]), encoding="utf-8")
    save("a.json", part(report(settings={"rules": rules}), complete=complete))
    assert main(["gate", "a.json", "--baseline", "base.json", "--strict"]) == status
    assert main(["gate", "a.json", "--baseline", "base.json"]) == 0


@pytest.mark.parametrize("complete", [True, False])
def test_the_gate_writes_the_baseline_of_shards(complete: bool, save: Save, tmp_path: Path) -> None:
    """No shard alone can take an entry out; all together can."""
    path = tmp_path / "base.json"
    stale = replace(entry_of(FILE), reason="old")
    path.write_text(write([stale]), encoding="utf-8")
    save("a.json", part(report(SLEEP), complete=complete))
    assert main(["gate", "a.json", "--baseline", "base.json", "--update-baseline"]) == 0
    kept = set() if complete else {stale}
    assert set(read(path.read_bytes())) == {entry_of(SLEEP)} | kept
    path.unlink()
    assert main(["gate", "a.json", "--baseline", "base.json", "--update-baseline"]) == 0
    assert read(path.read_bytes()) == (entry_of(SLEEP),)
