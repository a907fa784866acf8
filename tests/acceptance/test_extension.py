"""Plugins of others: what docs/hooks.md shows works, and what is wrong is told by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_asyncguard import hookspecs
from pytest_asyncguard.render import RENDERERS

if TYPE_CHECKING:
    from tests.acceptance.conftest import Project, Run, RunPytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
(PLUGIN,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
HOOKS = {name for name in vars(hookspecs) if name.startswith("pytest_asyncguard_")}

APP = """
    import driver
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    import company.flags
    import company.ledger
    import company.vault
    import legacy.old


    async def vault(request):
        company.vault.read()
        return PlainTextResponse("done")


    async def ledger(request):
        company.ledger.Ledger().post()
        return PlainTextResponse("done")


    async def flags(request):
        company.flags.get()
        return PlainTextResponse("done")


    async def old(request):
        legacy.old.work()
        return PlainTextResponse("done")


    ENDPOINTS = vault, ledger, flags, old
    app = Starlette(routes=[Route(f"/{each.__name__}", each) for each in ENDPOINTS])
    get = driver.getting(app)
"""
TESTS = """
    import pytest

    from app import get


    @pytest.mark.parametrize("name", ["vault", "ledger", "flags", "old"])
    def test_get(name):
        assert get(f"/{name}") == 200
"""
FILES = {
    "app.py": APP,
    "test_app.py": TESTS,
    "company/__init__.py": "",
    "company/vault.py": "def read(): pass\n",
    "company/ledger.py": "class Ledger:\n    def post(self): pass\n",
    "company/flags.py": "import time\n\ndef get(): time.sleep(0.0001)\n",
    "legacy/old.py": "import time\n\ndef work(): time.sleep(0.0001)\n",
    "company_plugin.py": PLUGIN,
}


@pytest.fixture(name="run", scope="module", params=["one process", "xdist"])
def _run(run_pytest: RunPytest, request: pytest.FixtureRequest) -> Run:
    """A run with the plugin of the documentation."""
    workers = ("-n2",) if request.param == "xdist" else ()
    arguments = ("--asyncguard", "--asyncguard-report=owners:owners.txt", *workers)
    plugins = ("pytest_asyncguard.plugin", "xdist.plugin", "company_plugin")
    return run_pytest(FILES, *arguments, plugins=plugins)


def test_every_hook_is_documented() -> None:
    """In the table, and in the plugin that is run here."""
    rows = set(re.findall(r"^\| `(pytest_asyncguard_\w+)`", DOCUMENT, re.MULTILINE))
    assert rows == HOOKS
    assert set(re.findall(r"^def (pytest_asyncguard_\w+)", PLUGIN, re.MULTILINE)) == HOOKS


def test_the_plugin_of_the_documentation_works(run: Run) -> None:
    """Each of its hooks has its say, in every process."""
    told = {each["routes"][0]["route"]: each for each in run.findings}
    assert {route: (each["rule"], each["status"]) for route, each in told.items()} == {
        "GET /vault": ("sync-client", "new"),
        "GET /ledger": ("sync-client", "new"),
        "GET /flags": ("sleep", "ignored"),
        "GET /old": ("sleep", "ignored"),
    }, run.output
    assert told["GET /vault"]["hint"] == "await company.vault.aio.read(...)"
    assert told["GET /ledger"]["call"] == "company.ledger.Ledger.post"
    assert told["GET /flags"]["reason"] == "read from memory, whatever its name says"
    assert told["GET /old"]["reason"] == "legacy: rewritten this year"
    assert (run.folder / "owners.txt").read_text() == "app.py\n"
    assert run.outcomes == {
        "test_get[vault]": "failed",
        "test_get[ledger]": "failed",
        "test_get[flags]": "passed",
        "test_get[old]": "passed",
    }


def test_the_plugin_runs_where_the_guard_is_not(run_pytest: RunPytest) -> None:
    """An optional hook of a plugin that is not there is none."""
    run = run_pytest(FILES, plugins=("company_plugin",), report=False)
    assert set(run.outcomes.values()) == {"passed"}, run.output
    assert run.exit_code == 0


FORMATS = """
    class Counting:
        def __init__(self, name):
            self.name = name

        def render(self, report):
            return f"{self.name}: {len(report.findings)}\\n"


    class Broken:
        name = "broken"

        def render(self, report):
            return 3


    def pytest_asyncguard_report_formats(config):
        return [Counting("counts"), Counting("markdown"), Broken()]
"""


def test_formats_may_be_added_and_replaced(run_pytest: RunPytest) -> None:
    """One that fails takes no other with it, printed or written, and fails the run by name."""
    asked = ("counts", "markdown:a.md", "counts:-", "broken:-", "broken:b")
    run = run_pytest(
        {**FILES, "conftest.py": FORMATS},
        "--asyncguard",
        "--asyncguard-mode=report",
        *(f"--asyncguard-report={each}" for each in asked),
    )
    assert (run.folder / "asyncguard.counts").read_text() == "counts: 2\n", run.output
    assert (run.folder / "a.md").read_text() == "markdown: 2\n"
    assert "counts: 2" in run.lines
    assert run.exit_code == 1
    why = "(TypeError: render() gave int, and not text)"
    assert f"broken {why}, b {why} were not written" in " ".join(run.stdout.split())


def test_the_built_in_formats_come_through_the_same_door(run_pytest: RunPytest) -> None:
    """A format that there is none of is refused with the names of all that there are."""
    files = {**FILES, "conftest.py": FORMATS}
    run = run_pytest(files, "--asyncguard", "--asyncguard-report=xml", report=False)
    names = ", ".join([*RENDERERS, "counts", "broken", "junit"])
    assert f"--asyncguard-report: 'xml' is not FORMAT:PATH, where FORMAT is {names};" in run.stderr


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("blocking_calls", "3", "3 is not a list"),
        ("blocking_calls", "['fetch']", "'fetch' is not a dotted name"),
        ("allowances", "True", "True is not a list"),
        ("allowances", "['sleep']", "'sleep' is not DOTTED.CALL or PATH::FUNCTION"),
        ("report_formats", "[3]", "3 is not a format: a name and render()"),
        ("report_formats", "'x'", "'x' is not a format: a name and render()"),
    ],
)
def test_a_wrong_answer_is_refused_before_a_test_runs(
    project: Project, hook: str, answer: str, told: str
) -> None:
    """Under the name of the hook."""
    name = f"pytest_asyncguard_{hook}"
    project.write("pytest.ini", "[pytest]\n")
    project.write("conftest.py", f"def {name}(config):\n    return {answer}\n")
    ran = project.run()
    assert f"ERROR: {name}: {told}" in ran.output
    assert (ran.exit_code, ran.report) == (4, {})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise LookupError('mine')", "LookupError: mine"),
        ("return 3", "TypeError: 3 is not a finding or a reason"),
        ("return ''", "TypeError: '' is not a finding or a reason"),
    ],
)
def test_a_hook_that_fails_hides_nothing(project: Project, body: str, told: str) -> None:
    """What it was asked about is recorded as it is, and one warning says so."""
    project.sites("sites_a.py", 1, 2)
    project.write("pytest.ini", "[pytest]\n")
    project.write("conftest.py", f"def pytest_asyncguard_finding(finding):\n    {body}\n")
    ran = project.run()
    assert (ran.exit_code, ran.counts, len(ran.failed)) == (1, (2, 0, 0), 2), ran.output
    said = f"pytest_asyncguard_finding failed and is not asked again: {told}"
    assert ran.output.count(said) == 1
    assert "INTERNALERROR" not in ran.output


def test_a_hook_may_have_nothing_to_say(project: Project) -> None:
    """None is no answer, to each of them."""
    project.sites("sites_a.py", 1, 2)
    project.write("pytest.ini", "[pytest]\n")
    body = "".join(f"def {name}():\n    return None\n\n\n" for name in sorted(HOOKS))
    project.write("conftest.py", body)
    ran = project.run()
    assert (ran.exit_code, ran.counts) == (1, (2, 0, 0)), ran.output
