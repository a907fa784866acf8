from __future__ import annotations

import importlib
import json
import re
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_asyncguard.catalog.rules import RULES
from pytest_asyncguard.model import Finding, RunReport
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.sarif import SCHEMA
from pytest_asyncguard.render.text import escape

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
REPORTS: Mapping[str, RunReport] = {**GOLDEN["REPORTS"], **GOLDEN["TOLD_TO_CI"]}
SLEEP: Finding = GOLDEN["SLEEP"]
HELPER: Finding = GOLDEN["HELPER"]
MULTILINE: Finding = GOLDEN["MULTILINE"]
report: Callable[..., RunReport] = GOLDEN["report"]
RENDERER = RENDERERS["sarif"]

repeatable = settings(deadline=None, derandomize=True, database=None)


def document(made: RunReport) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(RENDERER.render(made))
    return loaded


def only_run(made: RunReport) -> dict[str, Any]:
    (run,) = document(made)["runs"]
    assert isinstance(run, dict)
    return run


def result(finding: Finding) -> dict[str, Any]:
    (made,) = only_run(report([finding]))["results"]
    assert isinstance(made, dict)
    return made


def place(finding: Finding) -> dict[str, Any]:
    (location,) = result(finding)["locations"]
    found: dict[str, Any] = location["physicalLocation"]
    return found


def under(value: Any, key: str) -> Iterator[Any]:
    """Whatever stands under a key, at any depth."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            yield from under(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from under(each, key)


# --- the standard ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_is_valid_sarif(name: str) -> None:
    """The models of pydantic-sarif are made of the OASIS schema, and forbid what it forbids."""
    standard: Any = importlib.import_module("pydantic_sarif.model")
    standard.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(
        document(REPORTS[name])
    )


def test_the_models_of_the_standard_do_forbid() -> None:
    """A check that lets everything pass would be none."""
    standard: Any = importlib.import_module("pydantic_sarif.model")
    wrong = document(REPORTS["errors"])
    wrong["runs"][0]["results"][0]["colour"] = "red"
    with pytest.raises(ValueError, match="colour"):
        standard.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(wrong)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_what_the_models_leave_open_is_there(name: str) -> None:
    """The schema's ``anyOf``: a message has words, a place a file, and a region a line."""
    made = document(REPORTS[name])
    assert made["$schema"] == SCHEMA
    assert all(message["text"] for message in under(made, "message"))
    for each in under(made, "physicalLocation"):
        assert each["artifactLocation"]["uri"]
        assert each["region"]["startLine"] >= 1


@pytest.mark.parametrize("name", sorted(GOLDEN["TOLD_TO_CI"]))
def test_the_file_reads_as_agreed(name: str) -> None:
    """The golden files; ``python -m tests.golden`` writes them anew."""
    golden = HERE / "sarif" / f"{name}.sarif"
    told = GOLDEN["told_to_ci"]("sarif", GOLDEN["TOLD_TO_CI"][name])
    assert told == golden.read_text(encoding="utf-8")


def test_the_text_is_ascii_and_ends_with_a_line_end() -> None:
    """No upload, pipe or log encoding can spoil it."""
    for made in REPORTS.values():
        text = RENDERER.render(made)
        assert text.isascii()
        assert text.endswith("}\n")


# --- rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clean", "nothing", "errors"])
def test_every_rule_is_listed(name: str) -> None:
    """An alert is closed by a file that has its rule and no result."""
    rules = only_run(REPORTS[name])["tool"]["driver"]["rules"]
    assert [(rule["id"], rule["name"]) for rule in rules] == [
        (rule.code, rule.name) for rule in RULES.values()
    ]


def test_every_rule_says_what_github_asks_for() -> None:
    """GitHub refuses a file in which one of these is empty, and cuts descriptions at 1024."""
    for rule in only_run(REPORTS["clean"])["tool"]["driver"]["rules"]:
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"].strip()
        assert rule["help"]["markdown"].count("```") == 4
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
        assert rule["properties"]["problem.severity"] in ("error", "warning")


def test_a_result_points_at_its_rule() -> None:
    """By its code, and by the place of the rule in the list."""
    run = only_run(REPORTS["errors"])
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == 5
    for each in run["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]


def test_a_rule_of_another_version_has_no_index() -> None:
    """A report that a newer release wrote is shown all the same."""
    made = result(replace(SLEEP, code="AG999", rule="brand-new"))
    assert made["ruleId"] == "AG999"
    assert "ruleIndex" not in made


# --- results ---------------------------------------------------------------------------------


def test_a_clean_run_has_no_results_but_says_so() -> None:
    """A file without ``results`` would mean that nothing was looked for."""
    assert only_run(REPORTS["clean"])["results"] == []


def test_what_is_covered_is_left_out() -> None:
    """GitHub knows no suppressions: it would open an alert for each of them."""
    assert only_run(REPORTS["covered"])["results"] == []


def test_errors_come_first() -> None:
    """Of too many results a service keeps the first."""
    levels = [each["level"] for each in only_run(REPORTS["many"])["results"]]
    assert levels == ["error"] * 11 + ["warning"]


def test_a_message_says_what_happened_and_what_to_write_instead() -> None:
    """It is all that the list of alerts shows."""
    assert result(SLEEP)["message"]["text"] == (
        "time.sleep(0.25) in the endpoint of POST /orders held the event loop for 250 ms. "
        "await asyncio.sleep(0.25)"
    )
    assert result(replace(SLEEP, hint=None))["message"]["text"].endswith("250 ms")


def test_a_result_is_known_again_wherever_it_moves() -> None:
    """The hash is ours, has no line number in it, and is the one that every report has."""
    for finding in (SLEEP, replace(SLEEP, line=99, count=7, route=None)):
        assert result(finding)["partialFingerprints"] == {
            "primaryLocationLineHash": f"{SLEEP.fingerprint}:1",
            "asyncguard/v1": SLEEP.fingerprint,
        }


def test_the_region_is_the_range_that_blocks() -> None:
    """Columns count from 1 and the end is not part of it, here as there."""
    assert place(SLEEP)["region"] == {"startLine": 31, "startColumn": 5, "endColumn": 21}
    assert place(SLEEP)["contextRegion"]["snippet"]["text"] == SLEEP.source
    assert only_run(report([SLEEP]))["columnKind"] == "unicodeCodePoints"


def test_a_range_over_several_lines_has_both() -> None:
    """Its source is not quoted: a report has the first line only."""
    assert place(MULTILINE) == {
        "artifactLocation": {"uri": "app/jobs.py"},
        "region": {"startLine": 8, "endLine": 11, "startColumn": 12, "endColumn": 6},
    }


def test_without_columns_the_line_is_the_region() -> None:
    """Python can be run so that it keeps none."""
    bare = replace(SLEEP, column=None, end_column=None)
    assert place(bare)["region"] == {"startLine": 31, "snippet": {"text": SLEEP.source}}
    assert "contextRegion" not in place(bare)
    assert place(replace(SLEEP, end_column=None))["region"] == {"startLine": 31, "startColumn": 5}
    assert place(replace(bare, source=None))["region"] == {"startLine": 31}


def test_the_code_flow_leads_from_the_endpoint_to_the_call() -> None:
    """On lines of the project: those of the framework have no file in the repository."""
    (flow,) = result(HELPER)["codeFlows"]
    (thread,) = flow["threadFlows"]
    steps = [step["location"] for step in thread["locations"]]
    assert [
        (
            step["physicalLocation"]["artifactLocation"]["uri"],
            step["physicalLocation"]["region"]["startLine"],
            step["message"]["text"],
        )
        for step in steps
    ] == [
        ("example_app/routers/users.py", 40, "in page"),
        ("example_app/dependencies.py", 18, "Session.scalars"),
    ]


def test_what_leads_to_the_endpoint_is_no_part_of_the_flow() -> None:
    """Every request passes the middleware; a dependency has no endpoint above it."""
    middleware = replace(HELPER.stack[1], file="app/timing.py", function="Timing.__call__")
    finding = replace(HELPER, stack=(middleware, *HELPER.stack))
    assert len(flow(finding)) == 3
    row = replace(
        GOLDEN["endpoint"](finding.route, "blocks", 1),
        file="example_app/routers/users.py",
        function="example_app.routers.users.page",
    )
    assert [step["message"]["text"] for step in flow(finding, row)] == [
        "in page",
        "Session.scalars",
    ]
    assert len(flow(finding, replace(row, file="example_app/other.py"))) == 3
    assert len(flow(finding, replace(row, function="example_app.routers.users.homepage"))) == 3
    assert len(flow(finding, replace(row, route="GET /other"))) == 3


def flow(finding: Finding, *endpoints: Any) -> list[dict[str, Any]]:
    (made,) = only_run(report([finding], endpoints))["results"]
    (code_flow,) = made["codeFlows"]
    return [step["location"] for step in code_flow["threadFlows"][0]["locations"]]


def test_a_way_of_one_step_is_none() -> None:
    """The result's own place says the same."""
    assert "codeFlows" not in result(SLEEP)
    assert "codeFlows" not in result(replace(SLEEP, stack=()))


def test_a_frame_without_source_is_a_step_without_it() -> None:
    """And a stall, which has no call, ends in the name of its rule."""
    frames = tuple(replace(frame, source=None) for frame in HELPER.stack)
    (flow,) = result(replace(HELPER, stack=frames, call=None))["codeFlows"]
    last = flow["threadFlows"][0]["locations"][-1]["location"]
    assert last["physicalLocation"]["region"] == {"startLine": 18}
    assert last["message"]["text"] == "sync-database"


# --- the run ---------------------------------------------------------------------------------


def test_each_environment_of_a_matrix_is_a_category() -> None:
    """Files of one category replace each other, and the action's own input yields to the file."""
    clean = REPORTS["clean"]
    for python, platform, category in (
        ("3.12.1", "linux", "asyncguard/linux-py3.12/"),
        ("3.12.7", "linux", "asyncguard/linux-py3.12/"),
        ("3.13.0", "linux", "asyncguard/linux-py3.13/"),
        ("3.15.0rc1", "darwin", "asyncguard/darwin-py3.15/"),
    ):
        made = replace(clean, run=replace(clean.run, python=python, platform=platform))
        assert only_run(made)["automationDetails"] == {"id": category}


def test_a_run_that_stopped_early_says_so() -> None:
    """What it did not see is not gone."""
    clean = REPORTS["clean"]
    assert only_run(clean)["invocations"] == [{"executionSuccessful": True}]
    stopped = replace(clean, run=replace(clean.run, complete=False))
    assert only_run(stopped)["invocations"] == [{"executionSuccessful": False}]


# --- strings that others chose ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("app/main.py", "app/main.py"),
        ("app/my file.py", "app/my%20file.py"),
        ("app/100%.py", "app/100%25.py"),
        ("app/a#b?c.py", "app/a%23b%3Fc.py"),
        ("c:odd.py", "c%3Aodd.py"),
        ("app/\u5e97.py", "app/%E5%BA%97.py"),
        ("app/\udcff.py", "app/%FF.py"),
        ("app/\ud800.py", "app/%ED%A0%80.py"),
        ("../shared/x.py", "../shared/x.py"),
        ("/usr/lib/x y.py", "file:///usr/lib/x%20y.py"),
        ("C:/app/x y.py", "file:///C:/app/x%20y.py"),
        ("<string>", "%3Cstring%3E"),
    ],
)
def test_a_path_becomes_a_uri(path: str, uri: str) -> None:
    """Relative to the root of the repository, with every sign that a URI does not have encoded."""
    assert place(replace(SLEEP, file=path))["artifactLocation"] == {"uri": uri}


@repeatable
@given(st.text(min_size=1))
def test_every_path_comes_back(path: str) -> None:
    """A relative reference is nothing but a path, and decodes to the file's name."""
    path = path.lstrip("/") or "x"
    uri = place(replace(SLEEP, file=path))["artifactLocation"]["uri"]
    if re.match("[A-Za-z]:/", path):
        uri = uri.removeprefix("file:///")
    else:
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote_to_bytes(uri).decode() == path


@repeatable
@given(st.text(), st.text())
def test_source_and_function_come_back_as_they_were(source: str, function: str) -> None:
    """They stand in fields of their own, where nothing has a meaning."""
    made = result(replace(SLEEP, source=source, function=function))
    found = made["locations"][0]
    assert found["physicalLocation"]["contextRegion"]["snippet"]["text"] == source
    assert found["logicalLocations"] == [{"fullyQualifiedName": function}]


def read_message(text: str) -> str:
    """What a reader of the standard makes of a plain text message without arguments."""
    plain = re.sub(r"\\([\[\]\\])", r"\1", text)
    return re.sub(r"\{\{(\d+)\}\}", r"{\1}", plain if "](" in plain else text)


@repeatable
@given(st.text(alphabet="ab[](){}0\\ `<>\n\x1b\u202e\u5e97", max_size=30))
@example("[here](https://evil.example)")
@example("handlers[0](x)")
@example(r"C:\[x](y)")
@example("{0} {{id}} {id}")
def test_a_message_has_no_link_and_no_placeholder(text: str) -> None:
    """Both are syntax in a message, and routes, calls and hints are not written in it."""
    made = result(replace(SLEEP, message=text, hint=None))["message"]["text"]
    assert not re.search(r"(?<!\\)\[(?:[^\[\]\\]|\\[\[\]\\])*\]\(", made)
    assert not re.search(r"(?<!\{)\{\d+\}", made)
    assert read_message(made) == escape(text)


def test_a_route_template_is_shown_as_it_is() -> None:
    """No viewer halves doubled braces."""
    text = result(replace(SLEEP, message="GET /users/{id}/items"))["message"]["text"]
    assert "GET /users/{id}/items" in text


def test_no_half_character_reaches_a_reader() -> None:
    """Strict readers of JSON refuse the whole file for one."""
    half = "\udcff\ud83d"
    frames = tuple(replace(frame, source=half, function=half) for frame in HELPER.stack)
    routes = (replace(SLEEP.routes[0], route=half),)
    hostile = replace(
        HELPER,
        source=half,
        function=half,
        call=half,
        message=half,
        hint=half,
        routes=routes,
        stack=frames,
    )
    assert "\\ud" not in RENDERER.render(report([hostile]))
