"""Whatever stands in a path, a source line, a route or a reason survives the whole way."""

from __future__ import annotations

import importlib
import json
import runpy
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import bin_xml_escape
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_asyncguard.baseline import Baseline, Entry, entry_of, read, write
from pytest_asyncguard.cli import parts
from pytest_asyncguard.model import Finding, RunReport, UnusedIgnore
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.github import SUMMARY_BYTES, step_summary
from pytest_asyncguard.render.junit import properties
from pytest_asyncguard.render.markdown import COMMENT_BYTES
from pytest_asyncguard.render.text import escape
from pytest_asyncguard.suppress import Project, suppress

GOLDEN: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "__init__.py"), run_name="golden"
)
SLEEP: Finding = GOLDEN["SLEEP"]

repeatable = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD = st.characters() | st.sampled_from("\x00\x1b\r\n\t\u2028\u202e\ud800\udcff\"'<>&%:,|`[]{}#\\")
WORDS = st.text(ODD, min_size=1, max_size=40)
"""Any text, often with what has a meaning somewhere: half a character of a file name, too."""
NASTY = ("a,b=c.py", "]]>&amp;`|", "GET /{0}\n::error::%0A", "](x) # -->\udcff")


def told(path: str, source: str, route: str, reason: str) -> RunReport:
    """A report in which these strings stand wherever others choose what stands there."""
    finding = replace(
        SLEEP,
        file=path,
        function=source,
        source=source,
        detail=source,
        held_seconds=GOLDEN["spread"](0.25),
        route=route,
        routes=(replace(SLEEP.routes[0], route=route),),
        message=f"time.sleep in the endpoint of {route}",
        hint=source,
        tests=(path,),
        stack=tuple(replace(each, file=path, source=source) for each in SLEEP.stack),
    )
    covered = replace(finding, fingerprint="0" * 16, status="ignored", reason=reason)
    row = replace(GOLDEN["endpoint"]("GET /", "clean", 1), route=route, path=route, file=path)
    ignore = UnusedIgnore(file=path, line=3, rules=("sleep",), reason=reason)
    made: RunReport = GOLDEN["report"](
        [finding, covered],
        [row],
        unused_ignores=(ignore,),
        settings={"allow": {path: reason}, "baseline": path},
    )
    return made


@repeatable
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
def test_json_is_read_as_it_was_written(
    tmp_path: Path, path: str, source: str, route: str, reason: str
) -> None:
    """Every field of it, by the reader that merges the reports of shards."""
    made = told(path, source, route, reason)
    (tmp_path / "a.json").write_text(RENDERERS["json"].render(made), encoding="ascii")
    again = parts.read(str(tmp_path / "a.json"))
    assert (again.findings, again.unused_ignores) == (made.findings, made.unused_ignores)
    assert (again.endpoints, again.settings) == (made.endpoints, made.settings)


@repeatable
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
def test_sarif_stays_valid(path: str, source: str, route: str, reason: str) -> None:
    """By the models that are made of the OASIS schema; half a character has no form in JSON."""
    standard: Any = importlib.import_module("pydantic_sarif.model")
    text = RENDERERS["sarif"].render(told(path, source, route, reason))
    document = json.loads(text)
    standard.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(document)
    (result,) = document["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["contextRegion"]["snippet"]["text"] == source.encode("utf-8", "replace").decode()
    assert result["properties"]["routes"] == [route.encode("utf-8", "replace").decode()]


@repeatable
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_every_format_can_be_written_and_commands_nobody(
    name: str, path: str, source: str, route: str, reason: str
) -> None:
    """It is text in UTF-8 without what a terminal obeys; one finding stays one."""
    text = RENDERERS[name].render(told(path, source, route, reason))
    text.encode()
    assert all(char.isprintable() or char == "\n" for char in text)
    if name == "github":
        lines = text.splitlines()
        assert [line.split()[0] for line in lines] == ["::error", "::notice"]
        assert text.count("\n") == len(lines) == 2
    if name == "gitlab":
        (entry,) = json.loads(text)
        assert entry["location"]["path"] == path.encode("utf-8", "replace").decode()


@settings(repeatable, max_examples=10)
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
def test_a_page_of_markdown_keeps_its_size(path: str, source: str, route: str, reason: str) -> None:
    """However long the strings are, GitHub takes a comment and a summary."""
    made = told(path * 50, source * 50, route * 50, reason * 50)
    many = replace(made, findings=made.findings[:1] * 150, endpoints=made.endpoints * 150)
    assert len(RENDERERS["markdown"].render(many).encode()) <= COMMENT_BYTES
    assert len(step_summary(many).encode()) <= SUMMARY_BYTES


@repeatable
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
def test_a_property_of_junit_is_read_by_xml(
    path: str, source: str, route: str, reason: str
) -> None:
    """As pytest escapes it: what does not print is gone before."""
    made = properties(told(path, source, route, reason).findings)
    assert len(made) == 1
    ((name, value),) = made
    element = ET.Element("property", name=name, value=str(bin_xml_escape(value)))
    again = ET.fromstring(ET.tostring(element, encoding="unicode"))
    assert again.get("value") == bin_xml_escape(value)
    assert escape(path)[:40] in value


@repeatable
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
def test_a_baseline_knows_again_what_it_was_made_of(
    path: str, source: str, route: str, reason: str
) -> None:
    """Through the bytes of its file; what the team wrote comes back as the reason."""
    finding = told(path, source, route, reason).findings[0]
    entry: Entry = replace(entry_of(finding), reason=reason)
    known = Baseline(read(write([entry]).encode()), datetime.now(UTC).date(), lambda _: None)
    (marked,) = known.mark([finding])
    assert (marked.status, marked.reason) == ("baselined", reason)
    assert known.update([finding], ()) == (entry,)
    expired = Baseline([replace(entry, expires="2020-01-01")], date(2020, 1, 2), lambda _: None)
    assert reason in (expired.mark([finding])[0].reason or "")


@repeatable
@given(WORDS, WORDS, WORDS, WORDS)
@example(*NASTY)
def test_an_ignore_gives_its_reason_whatever_the_rest_of_the_line_is(
    path: str, source: str, route: str, reason: str
) -> None:
    """In a file of any name, behind a string of any content."""
    reason = " ".join("".join(c for c in reason if c.isprintable()).split()).strip("# ") or "x"
    reason = reason.partition(" #")[0]
    line = f"time.sleep({source!a})  # asyncguard: ignore[sleep] {reason}"
    project = Project({path: f"\n{line}\n"}.get)
    finding = replace(told(path, source, route, reason).findings[0], line=2, end_line=2, stack=())
    covered = suppress(finding, project)
    assert (covered.status, covered.reason) == ("ignored", reason)
