"""The golden files, and the reports that they are made of.

``python -m tests.golden``, run in the root of the checkout, writes them anew; read the diff before
you commit it. The tests load this file by its path, since the checkout is not on ``sys.path``
when they run. Reports are put together by hand: a golden file is about how a finding reads, and
nothing here runs an app.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from _pytest._io import TerminalWriter

from pytest_asyncguard import wording
from pytest_asyncguard.collect import summarize
from pytest_asyncguard.gate import judge
from pytest_asyncguard.identity import fingerprint
from pytest_asyncguard.model import (
    CensusRow,
    EndpointVerdict,
    Finding,
    Mode,
    Phase,
    ProbeState,
    RouteCount,
    RunInfo,
    RunReport,
    Spread,
    StackFrame,
    UnusedIgnore,
)
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.github import step_summary
from pytest_asyncguard.render.html import STYLE
from pytest_asyncguard.render.junit import properties
from pytest_asyncguard.render.terminal import failure_text, summary

HERE: Final = Path(__file__).parent
WIDTH: Final = 80
VERBOSITIES: Final[Mapping[str, int]] = {"quiet": -1, "normal": 0, "v": 1, "vv": 2}


# --- what the reports are made of ------------------------------------------------------------


def spread(longest: float, total: float | None = None) -> Spread:
    return Spread(max=longest, total=longest if total is None else total)


def sighting(
    where: str,
    source: str | None,
    marked: str = "",
    *,
    what: str = "AG101 sleep",
    whose: Sequence[tuple[str | None, Phase, int]] = (("POST /orders", "endpoint", 1),),
    held: float | None = 0.25,
    **fields: Any,
) -> Finding:
    """A finding at ``where`` ("path:line in function"), underlining ``marked`` in its source."""
    place, function = where.split(" in ", 1)
    file, line = place.rsplit(":", 1)
    code, rule = what.split()
    start = source.index(marked) if source and marked else None
    made = Finding(
        fingerprint=fingerprint(code, file, function, source, 0),
        code=code,
        rule=rule,
        severity="error",
        call="time.sleep",
        detail=None,
        message="",
        hint=None,
        file=file,
        line=int(line),
        end_line=None if start is None else int(line),
        column=None if start is None else start + 1,
        end_column=None if start is None else start + 1 + len(marked),
        function=function,
        source=source,
        route=whose[0][0],
        routes=tuple(RouteCount(route=r, phase=p, count=n) for r, p, n in whose),
        phase=whose[0][1],
        count=sum(count for _, _, count in whose),
        held_seconds=None if held is None else spread(held),
        cpu_seconds=None if held is None else spread(0.0),
        asleep_seconds=None if held is None else spread(held),
        tests=("tests/test_orders.py::test_create",),
        stack=(),
    )
    made = replace(made, **fields)
    return made if made.message else replace(made, message=sentence(made))


def sentence(finding: Finding) -> str:
    """The message that ``attribute`` would have written."""
    return wording.message(
        call=finding.call,
        detail=finding.detail,
        rule=finding.rule,
        phase=finding.phase,
        owner=None,
        route=finding.route,
        held=finding.held_seconds.max if finding.held_seconds else None,
    )


def endpoint(
    route: str, verdict: EndpointVerdict, requests: int = 0, held: float | None = None
) -> CensusRow:
    method, path = route.split(" ", 1)
    return CensusRow(
        route=route,
        method=method,
        path=path,
        function="example_app.routers.orders.handler",
        file="example_app/routers/orders.py",
        line=12,
        kind="async",
        awaits=True,
        requests=requests,
        tests=min(requests, 2),
        held_seconds=None if held is None else spread(held),
        verdict=verdict,
        advice=None,
        findings=(),
    )


def report(
    findings: Iterable[Finding] = (),
    endpoints: Iterable[CensusRow] = (),
    *,
    requests: int = 42,
    tests: int = 20,
    **fields: Any,
) -> RunReport:
    findings, endpoints = tuple(findings), tuple(endpoints)
    made = RunReport(
        tool_version="0.1.0",
        run=RunInfo(
            started="2026-11-22T12:00:00+00:00",
            seconds=1.5,
            python="3.12.1",
            platform="linux",
            packages={"pytest": "9.2.0", "fastapi": "0.165.0"},
            loops=("asyncio",) if requests else (),
            workers=1,
            tests=tests,
            requests=requests,
            complete=True,
            probes=(
                ProbeState(name="asyncio", active=True),
                ProbeState(name="uvloop", active=False, reason="uvloop is not imported"),
            ),
        ),
        settings={"mode": "fail-tests", "threshold": 0.1, "allow": ()},
        summary=summarize(findings, endpoints, requests),
        findings=findings,
        endpoints=endpoints,
    )
    return replace(made, **fields)


# --- the reports -----------------------------------------------------------------------------

SLEEP = sighting(
    "example_app/routers/orders.py:31 in create_order",
    "    time.sleep(0.25)",
    "time.sleep(0.25)",
    message="time.sleep(0.25) in the endpoint of POST /orders held the event loop for 250 ms",
    hint="await asyncio.sleep(0.25)",
    detail="0.25",
    whose=(("POST /orders", "endpoint", 2), ("POST /orders/{id}/retry", "background", 1)),
    held_seconds=spread(0.2504, 0.7510001234),
    tests=("tests/test_orders.py::test_create", "tests/test_orders.py::test_create[twice]"),
    stack=(
        StackFrame(
            file=".venv/lib/python3.12/site-packages/fastapi/applications.py",
            line=1054,
            function="FastAPI.__call__",
            source="        await super().__call__(scope, receive, send)",
            project=False,
        ),
        StackFrame(
            file="example_app/routers/orders.py",
            line=31,
            function="create_order",
            source="    time.sleep(0.25)",
            project=True,
        ),
    ),
)
QUERY = sighting(
    "example_app/dependencies.py:18 in current_user",
    "    user = session.scalars(select(User).where(User.token == token)).one()",
    "session.scalars(select(User).where(User.token == token))",
    what="AG103 sync-database",
    whose=[(f"GET /users/{{id}}/{name}", "dependency", 1) for name in ("a", "b", "c", "d", "e")],
    held=0.0004,
    call="Session.scalars",
    detail="SELECT users.id, users.name, users.email, users.token FROM users WHERE users.token = ?",
    hint="make current_user a plain def: it never awaits, so FastAPI can run it in a thread",
    tests=tuple(f"tests/test_users.py::test_page[{number}]" for number in range(12)),
)
UPLOAD = sighting(
    "example_app/routers/files.py:44 in upload",
    '    with open(target, "wb") as file:',
    'open(target, "wb")',
    what="AG110 file",
    whose=[("POST /files", "endpoint", 1)],
    held=0.0021,
    severity="warning",
    call="open",
    hint="await anyio.open_file(...)",
)
STALL = sighting(
    "example_app/reports.py:77 in build_report",
    "        rows = sorted(rows, key=Row.weight)",
    "sorted(rows, key=Row.weight)",
    what="AG201 cpu-stall",
    whose=[("GET /reports/{year}", "endpoint", 3)],
    held=1.26,
    cpu_seconds=spread(1.25),
    asleep_seconds=spread(0.0102),
    call=None,
    hint="await run_in_threadpool(sorted, ...), or a process for work that keeps the GIL",
)
STARTED = sighting(
    "example_app/main.py:9 in poll",
    "        queue.get()",
    "queue.get()",
    what="AG106 thread-wait",
    whose=[("LIFESPAN", "task", 1), (None, "unknown", 1), (None, "test", 1)],
    held=None,
    call="Queue.get",
    tests=(),
)
HOSTILE = sighting(
    "app/\x1b[31mred\x1b[0m.py:5 in \u202egnp.f\u0007",
    '\tx = "\x1b[2J"; time.sleep(\t1)\r',
    "time.sleep(\t1)",
    whose=[("GET /\x1b]0;title\x07/{id}\n::error::", "endpoint", 1)],
    call="time.sleep\x08",
    detail="1\n\x9b31m",
    hint="await\x1b[5m asyncio.sleep(1)\udcff",
    tests=("tests/test_x.py::test_\x1b[8mhidden",),
)
LONG = sighting(
    "services/" + "very_long_package_name/" * 3 + "module_with_a_long_name.py:12345 "
    "in Handler.process.<locals>." + "inner_" * 12,
    "    " + "result_of_something = transform(" * 3 + "requests.get(url), " + "more, " * 20 + ")",
    "requests.get(url)",
    what="AG102 sync-client",
    whose=[("GET /" + "segment/" * 14 + "{id}", "serialization", 7)],
    held=12.3456,
    call="requests.get",
    detail="https://api.example.com/" + "v1/" * 80,
    hint="use the client of the application, " + "which is asynchronous, " * 4 + "and await it",
)
WIDE = sighting(
    "app/\u5e97.py:3 in \u8cfc\u5165",
    '    \u540d = "\u5e97\u8217"; time.sleep(1)',
    "time.sleep(1)",
    whose=[("GET /" + "\u5e97" * 40, "endpoint", 1)],
)
MULTILINE = replace(
    sighting("app/jobs.py:8 in run", "    done = subprocess.run(  ", "subprocess.run("),
    code="AG105",
    rule="subprocess",
    call="subprocess.run",
    detail="git",
    end_line=11,
    end_column=6,
    message="subprocess.run(git) in the endpoint of POST /orders held the event loop for 250 ms",
)
HELPER = replace(
    QUERY,
    stack=(
        *SLEEP.stack[:1],
        StackFrame(
            file="example_app/routers/users.py",
            line=40,
            function="page",
            source="    user = current_user(token)",
            project=True,
        ),
        StackFrame(
            file=QUERY.file,
            line=QUERY.line,
            function=QUERY.function,
            source=QUERY.source,
            project=True,
        ),
    ),
)
CENSUS = (
    endpoint("GET /", "clean", 12),
    endpoint("POST /files", "warns", 2, 0.0021),
    endpoint("POST /orders", "blocks", 3, 0.2504),
    *(endpoint(f"GET /orders/{name}", "unexercised") for name in "abcde"),
    replace(
        endpoint("GET /reports/{year}", "blocks", 1, 1.26),
        awaits=False,
        advice="its body never awaits: a plain def would run in a worker thread",
    ),
    endpoint("GET /" + "segment/" * 12, "clean", 1, 0.0),
)

REPORTS: Final[Mapping[str, RunReport]] = {
    "clean": report(endpoints=[endpoint("GET /", "clean", 42), endpoint("GET /x", "unexercised")]),
    "errors": report([QUERY, UPLOAD, STALL, SLEEP, STARTED], CENSUS),
    "warnings": report([UPLOAD], [endpoint("POST /files", "warns", 1, 0.0021)], requests=1),
    "nothing": report(requests=0),
    "many": report(
        [
            replace(SLEEP, file=f"app/module_{number:02}.py", fingerprint=f"{number:016x}")
            for number in range(11)
        ]
        + [UPLOAD]
    ),
    "covered": report(
        [
            replace(SLEEP, status="baselined", reason=None),
            replace(QUERY, status="ignored", reason="an admin page, twice a day"),
        ],
        [endpoint("POST /orders", "clean", 3)],
        unused_ignores=(
            UnusedIgnore(file="app/mail.py", line=7, rules=("sleep", "file"), reason=None),
        ),
        stale_baseline=("00ff00ff00ff00ff",),
    ),
    "hostile": report([HOSTILE], [endpoint("GET /\x1b[31mred", "blocks", 1)]),
    "long": report([LONG, WIDE, MULTILINE]),
}

TOLD_TO_CI: Final[Mapping[str, RunReport]] = {
    "errors": report([HELPER, UPLOAD, STALL, SLEEP, STARTED], CENSUS),
    **{name: REPORTS[name] for name in ("clean", "nothing", "many", "covered", "hostile", "long")},
}
"""What the formats of CI systems are shown with."""

SUFFIXES: Final[Mapping[str, str]] = {
    "sarif": ".sarif",
    "github": ".txt",
    "gitlab": ".json",
    "markdown": ".md",
    "html": ".html",
}


# --- the golden files ------------------------------------------------------------------------


def terminal(*, markup: bool = False, width: int = WIDTH) -> tuple[TerminalWriter, io.StringIO]:
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.hasmarkup = markup
    writer.fullwidth = width
    return writer, file


def shown(report: RunReport, verbosity: int, mode: Mode = "fail-tests", **looks: Any) -> str:
    """The terminal summary of a report."""
    writer, file = terminal(**looks)
    verdict = judge(report, mode)
    summary(writer, report, verbosity, verdict.sentence, failed=verdict.failed)
    return file.getvalue()


def failed(findings: Iterable[Finding], **looks: Any) -> str:
    """What a failing test shows for its findings."""
    writer, file = terminal(**looks)
    failure_text(findings).toterminal(writer)
    return file.getvalue()


def told_to_ci(form: str, made: RunReport) -> str:
    """A report for a CI system, without the rules of SARIF: they are the catalogue's business."""
    text = RENDERERS[form].render(made)
    if form == "sarif":
        document = json.loads(text)
        document["runs"][0]["tool"]["driver"]["rules"] = []
        text = json.dumps(document, indent=2) + "\n"
    if form == "html":
        text = text.replace(STYLE, "")
    return text


def outputs() -> dict[str, str]:
    """The content of each golden file, by its path below this folder."""
    texts = {
        f"terminal/{name}-{word}.txt": shown(made, verbosity)
        for name, made in REPORTS.items()
        for word, verbosity in VERBOSITIES.items()
    }
    for name, made in REPORTS.items():
        if new := [finding for finding in made.findings if finding.status == "new"]:
            texts[f"terminal/{name}-failure.txt"] = failed(new)
    for word, verbosity in VERBOSITIES.items():
        texts[f"colour/errors-{word}.txt"] = shown(REPORTS["errors"], verbosity, markup=True)
    texts["colour/errors-failure.txt"] = failed(REPORTS["errors"].findings, markup=True)
    texts["json/errors.json"] = RENDERERS["json"].render(REPORTS["errors"])
    for name, made in TOLD_TO_CI.items():
        for form, suffix in SUFFIXES.items():
            texts[f"{form}/{name}{suffix}"] = told_to_ci(form, made)
        texts[f"github/{name}-summary.md"] = step_summary(made)
        texts[f"junit/{name}.txt"] = "".join(
            f"{key}={value}\n" for key, value in properties(made.findings)
        )
    return texts
