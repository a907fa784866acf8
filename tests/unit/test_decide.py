"""Decide: what counts, how much, and why; told from written stacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from pytest_asyncguard.catalog.allowances import ALLOWANCES, ONCE, TEST_CLIENTS
from pytest_asyncguard.catalog.rules import RULES, STALLS
from pytest_asyncguard.decide import Decider, again, reconcile, site
from pytest_asyncguard.model import (
    Charge,
    Decision,
    Frame,
    Known,
    Level,
    Request,
    Sample,
    Severity,
    Sighting,
    Stack,
)

MS = 1_000_000
THRESHOLD = 100 * MS

HTTP = Request(type="http", route="GET /")
LIFESPAN = Request(type="lifespan", route="LIFESPAN")

CALLED = sorted(RULES.keys() - {*STALLS, "starved"})
"""The rules of which a known call can be a sighting."""


# --- what is written ---------------------------------------------------------------------------


def user(function: str = "endpoint", line: int = 3, module: str = "app") -> Frame:
    """A frame of the project."""
    return Frame(
        file=f"/project/{module}.py", line=line, function=function, module=module, origin="project"
    )


def library(name: str) -> Frame:
    """A frame of a library, or of the standard library, from ``module:function``."""
    module, _, function = name.partition(":")
    return Frame(file=f"/lib/{module}.py", line=1, function=function, module=module)


def ms(cpu: int = 0, asleep: int = 0) -> Charge:
    return Charge(cpu_ns=cpu * MS, asleep_ns=asleep * MS)


def call(*stack: Frame, rule: str = "sleep", **fields: Any) -> Sighting:
    """A known call, made in the innermost frame."""
    values: dict[str, Any] = {"request": HTTP, "threshold_ns": THRESHOLD, **fields}
    if (charge := values.get("charge")) is not None:
        values = {"longest": charge, "timed": True, **values}
    return Sighting(rule=rule, call="known.call", stack=stack or (user(),), **values)


def stall(charge: Charge, *samples: tuple[Stack, int], **fields: Any) -> Sighting:
    """A hold over the threshold; samples are stacks and how many milliseconds they stand for."""
    return Sighting(
        rule=None,
        call=None,
        charge=charge,
        samples=tuple(Sample(stack=stack, weight_ns=weight * MS) for stack, weight in samples),
        **{"request": HTTP, "threshold_ns": THRESHOLD, **fields},
    )


def known(of: Sighting, charge: Charge | None = None) -> Known:
    """What a hold tells of the known call ``of``."""
    return Known(stack=of.stack, charge=charge or of.charge or ms())


def decide(sighting: Sighting, **levels: Level) -> Decision:
    """The decision, at these levels; it always has a reason."""
    decision = Decider({name.replace("_", "-"): level for name, level in levels.items()}).decide(
        sighting
    )
    assert decision.reason
    return decision


def judged(
    calls: list[Sighting], stalls: list[Sighting], **levels: Level
) -> list[tuple[str, Severity | None]]:
    """Rule and severity of what counts in one request."""
    decider = Decider({name.replace("_", "-"): level for name, level in levels.items()})
    return [(decision.rule.name, decision.severity) for _, decision in decider.judge(calls, stalls)]


# --- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", CALLED)
def test_a_known_call_has_the_severity_of_its_rule(rule: str) -> None:
    """However fast it was, and without a threshold."""
    decision = decide(call(rule=rule))
    assert (decision.rule.name, decision.severity) == (rule, RULES[rule].severity)


@pytest.mark.parametrize("rule", CALLED)
@pytest.mark.parametrize("level", get_args(Level))
def test_a_level_that_the_user_set_is_the_severity(rule: str, level: Level) -> None:
    """Switched off, it is no finding."""
    decision = Decider({rule: level}).decide(call(rule=rule))
    assert decision.severity == (None if level == "off" else level)
    assert not decision.once


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize(
    ("charge", "rule"), [(ms(cpu=200), "cpu-stall"), (ms(asleep=200), "blocked-stall")]
)
def test_a_stall_has_the_level_that_the_user_set(charge: Charge, rule: str, level: Level) -> None:
    """As a known call has."""
    decision = Decider({rule: level}).decide(stall(charge))
    assert decision.rule.name == rule
    assert decision.severity == (None if level == "off" else level)


@pytest.mark.parametrize(
    ("charge", "rule"),
    [
        (ms(cpu=150, asleep=10), "cpu-stall"),
        (ms(cpu=80, asleep=80), "cpu-stall"),
        (ms(cpu=10, asleep=150), "blocked-stall"),
    ],
)
def test_a_stall_is_named_after_what_took_longer(charge: Charge, rule: str) -> None:
    """It computed, or it was asleep."""
    decision = decide(stall(charge, ((user(),), 160)))
    assert (decision.rule.name, decision.severity) == (rule, "error")


# --- one call of the user's, one finding -------------------------------------------------------


def test_what_a_library_does_for_one_call_is_one_finding() -> None:
    """It is what tells most of it, and has all the time that was measured."""
    asked = call(user(), library("sdk:send"), rule="sync-client", charge=ms(cpu=1))
    waited = call(user(), library("sdk:retry"), rule="sleep", charge=ms(asleep=2))
    ((kept, _),) = Decider({}).judge([waited, asked], [])
    assert (kept.rule, kept.charge) == ("sync-client", ms(cpu=1, asleep=2))


def test_two_calls_on_one_line_are_two_findings() -> None:
    """They stand at different columns."""
    one, other = replace(user(), column=1), replace(user(), column=30)
    assert judged([call(one, rule="sync-client"), call(other)], []) == [
        ("sync-client", "error"),
        ("sleep", "error"),
    ]


def test_two_calls_of_one_rule_are_told_apart_elsewhere() -> None:
    """Where findings of one place are merged, and not before."""
    assert judged([call(), call()], []) == [("sleep", "error"), ("sleep", "error")]


def test_a_line_that_is_an_error_has_no_warning_besides() -> None:
    """Whoever mends the one has mended the other; on another line it stands."""
    asked = call(replace(user(), column=9), rule="sync-client")
    read, elsewhere = call(rule="file"), call(user(line=4), rule="file")
    assert judged([read, elsewhere, asked], []) == [("file", "warning"), ("sync-client", "error")]


def test_an_error_that_was_made_a_warning_stands_beside_another() -> None:
    """Whoever lowered a rule wants to see it."""
    levels: dict[str, Level] = {"sleep": "warning"}
    calls = [call(replace(user(), column=9)), call(rule="sync-client")]
    kept = Decider(levels).judge(calls, [])
    assert [made.severity for _, made in kept] == ["warning", "error"]


def test_without_a_line_of_the_project_nothing_is_put_together() -> None:
    """There is no call of the user's to which it belongs."""
    calls = [call(library("sdk:send"), rule="sync-client"), call(library("sdk:send"))]
    assert judged(calls, []) == [("sync-client", "error"), ("sleep", "error")]


# --- allowances --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ALLOWANCES, ids=lambda row: row.module)
def test_what_is_allowed_is_so_below_the_users_own_line(row: Any) -> None:
    """In the module and those below it, or in the functions that are named; with the reason."""
    functions = row.functions or ("anything", "Class.method")
    for function in functions:
        for name in (function, f"{function}.<locals>.inner"):
            frame = library(f"{row.module}:{name}")
            decision = decide(call(user(), frame, library("builtins:open"), rule="file"))
            assert (decision.severity, decision.reason) == (None, row.reason)
    below = library(f"{row.module}.below:{functions[0]}")
    assert decide(call(user(), below, rule="file")).severity is None


def test_what_is_allowed_is_so_without_a_users_line_too() -> None:
    """The framework reads the source of an endpoint by itself."""
    stack = (library("fastapi.routing:_extract_endpoint_context"), library("inspect:getsource"))
    assert decide(call(*stack, rule="file")).severity is None


def test_an_allowance_does_not_excuse_the_user_code_below_it() -> None:
    """What jinja2's loader is told to call is the user's own again."""
    stack = (user("page"), library("jinja2.loaders:BaseLoader.load"), user("uptodate", line=9))
    assert decide(call(*stack)).severity == "error"


@pytest.mark.parametrize(
    "frame",
    [
        library("pydantic_settings.sources:read"),
        library("inspector:read"),
        library("importlib.metadata:version"),
        library("pydantic._internal._validate_call:ValidateCallWrapper.__call__"),
        library("pluggy._hooks:HookCaller.__call__"),
        library("importlib.resources:read_text"),
        library("mimetypes:guess_type"),
        library("mimetypes:initialize"),
        library("threading:Thread.join"),
        library("threading:Thread.starting"),
    ],
    ids=lambda frame: f"{frame.module}:{frame.function}",
)
def test_what_has_a_similar_name_is_not_allowed(frame: Frame) -> None:
    """Modules and functions are compared whole."""
    assert decide(call(user(), frame)).severity == "error"


def test_a_module_of_the_project_is_not_allowed_by_its_name() -> None:
    """Who calls his own module `platform` is not excused by the library's."""
    assert decide(call(user(), user(module="platform"))).severity == "error"


def test_what_is_done_while_a_module_is_imported_is_allowed() -> None:
    """Even by the project's own modules: it happens once per process."""
    stack = (
        user("endpoint"),
        library("importlib._bootstrap:_find_and_load"),
        library("importlib._bootstrap_external:exec_module"),
        user("<module>", module="lazy"),
    )
    decision = decide(call(*stack))
    assert (decision.severity, "import" in decision.reason) == (None, True)


def test_an_import_by_hand_is_allowed_too() -> None:
    """``importlib.import_module`` does the same."""
    stack = (user(), library("importlib:import_module"), library("io:open_code"))
    assert decide(call(*stack, rule="file")).severity is None


def test_an_allowed_call_explains_no_stall() -> None:
    """A hold is as long as it is, and what was allowed is no finding that says so."""
    allowed = call(user(), library("linecache:getline"), charge=ms(asleep=150), rule="file")
    long = stall(ms(asleep=150), (allowed.stack, 150), known=(known(allowed),))
    assert judged([allowed], [long]) == [("blocked-stall", "error")]


def test_a_rule_that_is_off_explains_its_stalls() -> None:
    """Who does not want to hear of his sleeps does not want them as stalls either."""
    sleep = call(charge=ms(asleep=150))
    long = stall(ms(asleep=150), (sleep.stack, 150), known=(known(sleep),))
    assert judged([sleep], [long], sleep="off") == []


# --- the client that the test calls ------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "function"),
    [(row, function) for row in TEST_CLIENTS for function in row.functions],
    ids=lambda given: given.rpartition(".")[2] if isinstance(given, str) else given.module,
)
def test_what_a_test_sends_slowly_is_the_tests_own(row: Any, function: str) -> None:
    """An app that receives has its client iterate over the body, which the test may have written.

    That is not the app's, nor is the time that it takes.
    """
    stack = (
        user("upload"),
        library("starlette.requests:Request.stream"),
        library(f"{row.module}:{function}"),
        user("body", line=30),
    )
    read = call(*stack, charge=ms(asleep=150))
    assert decide(read).reason == row.reason
    long = stall(ms(asleep=150), (stack, 150), known=(known(read),))
    assert judged([read], [long]) == []


@pytest.mark.parametrize(("of_test", "severity"), [(60, None), (40, "error")])
def test_a_stall_is_whose_most_of_it_is(of_test: int, severity: Severity | None) -> None:
    """A body may be computed while it is sent."""
    client = library("httpx._transports.asgi:ASGITransport.handle_async_request.<locals>.receive")
    sent = (user(), client, user("body", line=30))
    long = stall(ms(cpu=200), (sent, of_test), ((user(),), 100 - of_test))
    assert decide(long).severity == severity


def test_an_app_that_an_app_calls_is_the_apps() -> None:
    """The transport of a client is in the stack there, too."""
    client = library("httpx._transports.asgi:ASGITransport.handle_async_request")
    assert decide(call(user(), client, user("inner", line=30))).severity == "error"


# --- start-up and shut-down --------------------------------------------------------------------

IN_LIFESPAN: dict[str, Severity | None] = {
    "sleep": "warning",
    "sync-client": "warning",
    "sync-database": "warning",
    "socket": "warning",
    "subprocess": "warning",
    "thread-wait": "warning",
    "password-hash": "warning",
    "stdin": "warning",
    "tls-context": None,
    "file": None,
}


@pytest.mark.parametrize("rule", CALLED)
def test_what_start_up_does_is_a_warning_at_most(rule: str) -> None:
    """It delays nobody's request."""
    sighting = call(rule=rule, request=LIFESPAN, charge=ms(asleep=5000))
    assert decide(sighting).severity == IN_LIFESPAN[rule]


def test_a_stall_of_start_up_is_none() -> None:
    """Loading a model takes long, and that is the place for it."""
    assert decide(stall(ms(cpu=5000), request=LIFESPAN)).severity is None


@pytest.mark.parametrize("rule", CALLED)
def test_what_start_up_left_running_counts_in_full(rule: str) -> None:
    """A task of the lifespan blocks every request."""
    decision = decide(call(rule=rule, request=LIFESPAN, spawned=True))
    assert decision.severity == RULES[rule].severity


def test_a_stall_of_what_start_up_left_running_counts_in_full() -> None:
    """However it came to run."""
    assert decide(stall(ms(cpu=200), request=LIFESPAN, spawned=True)).severity == "error"


def test_a_test_of_its_own_is_judged_like_a_request() -> None:
    """With the scope loop there is no request at all."""
    assert decide(call(request=None)).severity == "error"


# --- warnings that become errors ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("longest", "severity"), [(THRESHOLD - 1, "warning"), (THRESHOLD, "error")]
)
def test_a_warning_that_holds_the_loop_over_the_threshold_is_an_error(
    longest: int, severity: Severity
) -> None:
    """The longest of them counts, and not their sum."""
    sighting = call(
        rule="file",
        charge=ms(asleep=5000),
        longest=Charge(cpu_ns=MS, asleep_ns=longest - MS),
        count=100,
    )
    assert decide(sighting).severity == severity


@pytest.mark.parametrize("level", ["warning", "error"])
def test_a_level_that_the_user_set_is_not_raised(level: Level) -> None:
    """Who says warning means warning."""
    assert decide(call(rule="file", charge=ms(asleep=5000)), file=level).severity == level


def test_work_once_per_app_is_a_warning_that_may_become_an_error() -> None:
    """One TLS context is made at some time; one for each request is a mistake."""
    first = decide(call(rule="tls-context"))
    assert (first.severity, first.once) == ("warning", True)
    assert again(first).severity == "error"
    assert again(first).reason != first.reason


@pytest.mark.parametrize(
    "decision", [decide(call()), decide(call(rule="file")), decide(call(), sleep="off")]
)
def test_what_need_not_be_done_once_is_the_same_again(decision: Decision) -> None:
    """A sleep was an error at once; a file stays a warning."""
    assert again(decision) is decision


COMPILING = (user(), library("jinja2.environment:Environment.compile"), library("re:compile"))


@pytest.mark.parametrize(
    ("once", "elsewhere", "severity"), [(60, 40, "warning"), (50, 50, "error"), (40, 60, "error")]
)
def test_a_stall_is_work_done_once_if_most_of_it_is(
    once: int, elsewhere: int, severity: Severity
) -> None:
    """Then it is a warning as long as it happens once per app."""
    decision = decide(stall(ms(cpu=100), (COMPILING, once), ((user(),), elsewhere)))
    assert (decision.severity, decision.once) == (severity, severity == "warning")
    assert again(decision).severity == "error"


@pytest.mark.parametrize("row", ONCE, ids=lambda row: f"{row.module}:{','.join(row.functions)}")
def test_each_kind_of_work_done_once_is_known(row: Any) -> None:
    """By the module or by the function that does it."""
    for function in row.functions or ("anything",):
        stack = (user(), library(f"{row.module}:{function}"))
        assert decide(stall(ms(cpu=500), (stack, 500))).once


@pytest.mark.parametrize(
    "row", [row for row in ONCE if row.stalls], ids=lambda row: f"{row.module}:{row.functions}"
)
def test_what_the_framework_builds_for_itself_is_no_finding(row: Any) -> None:
    """Its routes and schemas on an app's first request: there is nothing for a user to mend."""
    for function in row.functions or ("anything",):
        stack = (library("starlette.routing:Router.app"), library(f"{row.module}:{function}"))
        decision = decide(stall(ms(cpu=500), (stack, 500)))
        assert (decision.severity, decision.reason) == (None, row.reason)


def test_work_done_again_and_again_is_no_error_where_the_user_said_warning() -> None:
    """His level is the last word for stalls as it is for calls."""
    decision = decide(stall(ms(cpu=100), (COMPILING, 100)), cpu_stall="warning")
    assert decision.severity == "warning"
    assert again(decision).severity == "warning"


def test_a_stall_without_a_sample_is_not_excused() -> None:
    """Nothing says that it was work done once."""
    decision = decide(stall(ms(cpu=100)))
    assert (decision.severity, decision.once) == ("error", False)


def test_a_breakpoint_is_no_stall() -> None:
    """One sample in a debugger is enough: the rest was waiting for somebody to type."""
    debugging = (user(), library("bdb:Bdb.trace_dispatch"), library("pdb:Pdb.interaction"))
    sighting = stall(ms(cpu=10, asleep=60_000), ((user(),), 10), (debugging, 60_000))
    assert decide(sighting).severity is None


def test_an_allowance_for_calls_excuses_no_stall() -> None:
    """Whoever computes for long in a cache's module computes for long."""
    sighting = stall(ms(cpu=200), ((user(), library("linecache:updatecache")), 200))
    assert decide(sighting).severity == "error"


# --- sockets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "rule"),
    [
        ((user(),), "socket"),
        ((user(), library("socket:create_connection")), "socket"),
        ((user(), library("ssl:SSLSocket.read"), library("socket:socket.recv")), "socket"),
        ((user(), library("driver.wire:Wire.send"), library("socket:socket.send")), "sync-client"),
        ((library("driver.wire:Wire.send"), user("callback")), "socket"),
        ((library("driver.wire:Wire.send"), library("socket:socket.send")), "socket"),
    ],
)
def test_a_socket_below_a_library_is_that_librarys(stack: Stack, rule: str) -> None:
    """One that no catalogue knows is a client all the same, if the user called it."""
    sighting = call(*stack, rule="socket", named_by_caller=True)
    assert decide(sighting).rule.name == rule


def test_a_socket_that_is_named_after_itself_stays_one() -> None:
    """Where the probe knows the call it was no library's."""
    stack = (user(), library("driver:send"))
    assert decide(call(*stack, rule="socket", named_by_caller=False)).rule.name == "socket"


def test_a_client_found_by_its_socket_has_the_clients_level() -> None:
    """It is that rule in all respects."""
    sighting = call(user(), library("driver:send"), rule="socket", named_by_caller=True)
    assert decide(sighting, sync_client="off").severity is None
    assert decide(sighting, socket="off").severity == "error"


# --- two kinds of evidence, one finding --------------------------------------------------------

SLEEPING = (user(line=3),)
COMPUTING = (user(line=7), library("json:dumps"))


def test_a_stall_that_a_known_call_explains_is_no_finding_of_its_own() -> None:
    """One site, one finding: by the samples, however they were taken."""
    sleep = call(*SLEEPING, charge=ms(asleep=150))
    inside = (*SLEEPING, library("time:sleep"))
    long = stall(ms(asleep=150), (SLEEPING, 100), (inside, 50), known=(known(sleep),))
    (charged,), rest = reconcile([sleep], [long])
    assert (charged, rest) == (sleep, ())


def test_a_stall_that_was_never_sampled_is_explained_by_time() -> None:
    """C code may keep the GIL all along."""
    sleep = call(*SLEEPING, charge=ms(asleep=150))
    long = stall(ms(cpu=20, asleep=150), known=(known(sleep),))
    assert reconcile([sleep], [long]) == ((sleep,), ())


def test_what_a_known_call_leaves_of_a_stall_is_a_stall() -> None:
    """Sleep is taken off sleep, and the line that slept off the samples."""
    sleep = call(*SLEEPING, charge=ms(asleep=150))
    long = stall(ms(cpu=120, asleep=150), (SLEEPING, 150), (COMPUTING, 120), known=(known(sleep),))
    _, (rest,) = reconcile([sleep], [long])
    assert [sample.stack for sample in rest.samples] == [COMPUTING]
    assert rest.charge == ms(cpu=120)
    assert judged([sleep], [long]) == [("sleep", "error"), ("cpu-stall", "error")]


@pytest.mark.parametrize(("computing", "stalls"), [(THRESHOLD // MS - 1, 0), (THRESHOLD // MS, 1)])
def test_less_than_the_threshold_is_no_stall(computing: int, stalls: int) -> None:
    """What is left is held to the same measure as what was there."""
    sleep = call(*SLEEPING, charge=ms(asleep=150))
    long = stall(ms(cpu=computing, asleep=150), known=(known(sleep),))
    assert len(reconcile([sleep], [long])[1]) == stalls


def test_samples_on_the_line_of_a_known_call_are_its_however_short_it_was() -> None:
    """What is done with the answer on the same line is no second finding."""
    query = call(*SLEEPING, charge=ms(cpu=1), rule="sync-database")
    line = (*SLEEPING, library("orm:load"))
    long = stall(ms(cpu=200), (line, 200), known=(known(query),))
    assert judged([query], [long]) == [("sync-database", "error")]


def test_a_known_call_of_another_hold_explains_nothing() -> None:
    """It was made on the same line at another time."""
    sleep = call(*SLEEPING, charge=ms(asleep=1))
    long = stall(ms(cpu=200), (SLEEPING, 200))
    assert len(reconcile([sleep], [long])[1]) == 1


def test_a_known_call_that_is_no_finding_explains_nothing() -> None:
    """It was left out, and so it is not there to bear the time."""
    sleep = call(*SLEEPING, charge=ms(asleep=150))
    long = stall(ms(asleep=150), (SLEEPING, 150), known=(known(sleep),))
    assert reconcile([], [long]) == ((), (long,))


def test_a_call_that_no_probe_timed_is_charged_with_its_samples() -> None:
    """Its share of the hold, by the time that its line stood there."""
    opened = call(*SLEEPING, rule="file")
    long = stall(ms(cpu=40, asleep=160), (SLEEPING, 150), (COMPUTING, 50), known=(known(opened),))
    (charged,), rest = reconcile([opened], [long])
    assert charged.charge == charged.longest == ms(cpu=30, asleep=120)
    assert rest == ()
    assert judged([opened], [long]) == [("file", "error")]


def test_a_call_that_no_probe_timed_is_charged_with_each_of_its_stalls() -> None:
    """Their sum, and the longest of them."""
    opened = call(*SLEEPING, rule="file")
    stalls = [
        stall(ms(asleep=took), (SLEEPING, took), known=(known(opened),)) for took in (120, 300, 110)
    ]
    (charged,), rest = reconcile([opened], stalls)
    assert (charged.charge, charged.longest, rest) == (ms(asleep=530), ms(asleep=300), ())


def test_of_two_calls_on_a_line_the_untimed_one_gets_the_samples() -> None:
    """The other one has been measured."""
    timed = call(*SLEEPING, charge=ms(asleep=5))
    untimed = call(*SLEEPING, rule="file")
    long = stall(ms(asleep=150), (SLEEPING, 150), known=(known(timed), known(untimed)))
    charged, _ = reconcile([timed, untimed], [long])
    assert [sighting.charge for sighting in charged] == [ms(asleep=5), ms(asleep=150)]


def test_without_calls_and_stalls_there_is_nothing() -> None:
    """Most requests are like that."""
    assert reconcile([], []) == ((), ())
    assert judged([], []) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((user(),), (user(), library("socket:connect")), True),
        ((user(line=3),), (user(line=4),), False),
        ((user("f"),), (user("g"),), False),
        ((user("outer", 1), user()), (user("outer", 2), user()), True),
        ((library("a:f"),), (library("a:f"), library("b:g")), True),
        ((library("a:f"),), (library("a:g"),), False),
        ((), (), True),
        ((), (user(),), False),
    ],
)
def test_two_stacks_have_one_site_if_they_blame_one_line(
    one: Stack, other: Stack, same: bool
) -> None:
    """Without a line of the project's, if the framework began with the same function."""
    assert (site(one) == site(other)) is same


# --- thresholds of single rules, and starvation ------------------------------------------------


def starved(kept: int, **fields: Any) -> Sighting:
    """A hold that was kept from the GIL for so many milliseconds, by a line of the project."""
    return Sighting(
        rule="starved",
        call=None,
        charge=ms(asleep=kept),
        samples=(Sample(stack=(user("crunch"),), weight_ns=kept * MS),),
        **{"request": HTTP, "threshold_ns": THRESHOLD, **fields},
    )


@pytest.mark.parametrize(
    ("charge", "told"),
    [
        (ms(cpu=240), []),
        (ms(cpu=250), ["cpu-stall"]),
        (ms(asleep=99), []),
        (ms(asleep=100), ["blocked-stall"]),
    ],
    ids=str,
)
def test_a_stall_is_measured_by_the_threshold_of_its_rule(charge: Charge, told: list[str]) -> None:
    """Which rule that is, is known only once the stall has been judged."""
    limits = {"cpu-stall": 250 * MS}
    made = Decider({}).judge(
        [], [stall(charge, threshold_ns=MS)], (), lambda rule: limits.get(rule, THRESHOLD)
    )
    assert [decision.rule.name for _, decision in made] == told


@pytest.mark.parametrize(("kept", "told"), [(99, []), (100, [("starved", "warning")])])
def test_starvation_is_a_warning_from_its_threshold_on(kept: int, told: list[Any]) -> None:
    """It is not the request's doing."""
    made = Decider({}).judge([], [], [starved(kept)], lambda _: THRESHOLD)
    assert [(decision.rule.name, decision.severity) for _, decision in made] == told


def test_a_stall_is_told_instead_of_starvation() -> None:
    """What a request does for too long by itself is to be mended first."""
    made = Decider({}).judge([], [stall(ms(cpu=100))], [starved(300)], lambda _: THRESHOLD)
    assert [decision.rule.name for _, decision in made] == ["cpu-stall"]


@pytest.mark.parametrize("level", get_args(Level))
def test_starvation_has_the_level_that_the_user_set(level: Level) -> None:
    """Off as well."""
    made = Decider({"starved": level}).judge([], [], [starved(300)], lambda _: THRESHOLD)
    assert [decision.severity for _, decision in made] == ([] if level == "off" else [level])


def test_starvation_during_start_up_is_none() -> None:
    """It delays nobody's request."""
    made = Decider({}).judge([], [], [starved(300, request=LIFESPAN)], lambda _: THRESHOLD)
    assert made == []


def test_waiting_for_a_thread_to_start_is_no_stall() -> None:
    """On a crowded machine it takes as long as the machine likes."""
    start = (user(), library("threading:Thread.start"), library("threading:Event.wait"))
    assert judged([], [stall(ms(asleep=300), (start, 300))]) == []
    mixed = stall(ms(asleep=300), (start, 180), ((user(),), 120))
    assert judged([], [mixed]) == [("blocked-stall", "error")]
    assert judged([], [stall(ms(asleep=300), (start, 210), ((user(),), 90))]) == []
