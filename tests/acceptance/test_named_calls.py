"""Blocking calls that the user names, and calls that a test replaced by a double."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

LEGACY = """
    import functools


    def fetch(key, *, times=1):
        '''Fetch it.'''
        return [key] * times


    def lookup(key):
        return key


    def hooked(key):
        return key


    def described(key, timeout=None):
        return key


    def refused(key):
        raise LookupError(key)


    class Client:
        def send(self, what):
            return what

        @classmethod
        def make(cls):
            return cls()

        @staticmethod
        def ping():
            return "pong"

        class Nested:
            def call(self):
                return fetch("from inside")
"""

APP = """
    from shop import legacy
    from shop.legacy import Client, fetch
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    def refused():
        try:
            legacy.refused("it")
        except LookupError as error:
            return f"refused {error.args[0]}"


    CALLS = {
        "fetch": lambda: fetch("it", times=1)[0],
        "module": lambda: legacy.fetch("it")[0],
        "lookup": lambda: legacy.lookup("it"),
        "hooked": lambda: legacy.hooked("it"),
        "described": lambda: legacy.described("it", timeout=3),
        "zero": lambda: legacy.described("it", timeout=0),
        "refused": refused,
        "send": lambda: Client().send("it"),
        "make": lambda: Client.make().__class__.__name__,
        "ping": lambda: Client.ping(),
        "nested": lambda: Client.Nested().call()[0],
    }


    async def call(request):
        return PlainTextResponse(CALLS[request.path_params["name"]]())


    def in_thread(request):
        return PlainTextResponse(fetch("it")[0])


    async def described(request):
        return PlainTextResponse(legacy.described("it", timeout=3))


    app = Starlette(
        routes=[
            Route("/call/{name}", call),
            Route("/described", described),
            Route("/thread", in_thread),
        ]
    )
"""

CONFTEST = """
    import pytest


    def pytest_asyncguard_blocking_calls(config):
        from pytest_asyncguard import BlockingCall

        assert config.rootpath
        return [
            "shop.legacy.hooked",
            BlockingCall(
                target="shop.legacy:described",
                rule="socket",
                when=lambda args, kwargs: kwargs.get("timeout") != 0,
                detail=lambda args, kwargs: f"timeout {kwargs['timeout']}",
                twin="await shop.described(...)",
            ),
        ]
"""

TESTS = """
    import inspect

    import pytest
    from starlette.testclient import TestClient

    from app import CALLS, app


    @pytest.mark.parametrize("name", CALLS)
    def test_call(name):
        answers = {"refused": "refused it", "make": "Client", "ping": "pong"}
        answers["nested"] = "from inside"
        assert TestClient(app).get("/call/" + name).text == answers.get(name, "it")


    @pytest.mark.parametrize("path", ["/described", "/thread"])
    def test_get(path):
        assert TestClient(app).get(path).text == "it"


    def test_off_the_loop():
        from shop import legacy

        assert legacy.fetch("it") == ["it"]
        assert legacy.fetch.__name__ == "fetch"
        assert legacy.fetch.__doc__ == "Fetch it."
        assert str(inspect.signature(legacy.fetch)) == "(key, *, times=1)"
        assert isinstance(legacy.Client.make(), legacy.Client)
        assert legacy.Client().ping() == "pong"
"""

FILES = {
    "shop/__init__.py": "",
    "shop/legacy.py": LEGACY,
    "app.py": APP,
    "conftest.py": CONFTEST,
    "test_app.py": TESTS,
    "pytest.ini": """
        [pytest]
        pythonpath = .
        asyncguard_calls =
            shop.legacy.lookup = sync-database
            shop.legacy.Client.send = AG105
            shop.legacy.Client.make
            shop.legacy:Client.ping
    """,
}
OPTIONS = (
    "--asyncguard-call=shop.legacy.fetch",
    "--asyncguard-call=shop.legacy.refused=sleep",
)
FOUND = {
    "fetch": ("sync-client", "shop.legacy.fetch"),
    "module": ("sync-client", "shop.legacy.fetch"),
    "lookup": ("sync-database", "shop.legacy.lookup"),
    "hooked": ("sync-client", "shop.legacy.hooked"),
    "described": ("socket", "shop.legacy.described"),
    "refused": ("sleep", "shop.legacy.refused"),
    "send": ("subprocess", "shop.legacy.Client.send"),
    "make": ("sync-client", "shop.legacy.Client.make"),
    "ping": ("sync-client", "shop.legacy.Client.ping"),
    "nested": ("sync-client", "shop.legacy.fetch"),
}


@pytest.fixture(name="run", scope="module")
def _run(run_pytest: RunPytest) -> Run:
    """Calls named by option, ini file and hook."""
    return run_pytest(FILES, "--asyncguard", *OPTIONS)


@pytest.mark.parametrize("name", FOUND)
def test_a_named_call_is_found(run: Run, name: str) -> None:
    """Under its dotted name and the rule given with it, however the app imported it."""
    told = [(each["rule"], each["call"]) for each in run.of_test(f"test_call[{name}]")]
    assert told == [FOUND[name]], run.output
    assert run.outcomes[f"test_call[{name}]"] == "failed"


@pytest.mark.parametrize("name", ["test_call[zero]", "test_get[/thread]", "test_off_the_loop"])
def test_a_named_call_that_does_not_block(run: Run, name: str) -> None:
    """Where the row says that it does not, in a worker thread, and off the loop."""
    assert run.of_test(name) == []
    assert run.outcomes[name] == "passed", run.output


def test_a_blocking_call_of_the_hook(run: Run) -> None:
    """It tells detail and twin as a row of the catalogue does."""
    (finding,) = run.of_test("test_get[/described]")
    assert finding["detail"] == "timeout 3"
    assert "await shop.described(...)" in finding["hint"]


def test_the_line_to_blame(run: Run) -> None:
    """It is the line that makes the named call, not one inside it."""
    (finding,) = run.of_test("test_call[fetch]")
    assert (finding["file"], finding["source"].strip()) == (
        "app.py",
        '"fetch": lambda: fetch("it", times=1)[0],',
    )
    (finding,) = run.of_test("test_call[nested]")
    assert finding["file"] == "shop/legacy.py"
    assert finding["source"].strip() == 'return fetch("from inside")'


def test_the_report_names_them(run: Run) -> None:
    """Among the settings, with their rules."""
    assert run.report["settings"]["calls"] == {
        "shop.legacy.lookup": "sync-database",
        "shop.legacy.Client.send": "subprocess",
        "shop.legacy.Client.make": "sync-client",
        "shop.legacy:Client.ping": "sync-client",
        "shop.legacy.fetch": "sync-client",
        "shop.legacy.refused": "sleep",
    }


@pytest.mark.parametrize("answer", ["[7]", "['fetch']", "['shop.fetch=nosuch']"])
def test_a_hook_that_answers_nonsense(run_pytest: RunPytest, answer: str) -> None:
    """A usage error names the hook and the value."""
    conftest = f"def pytest_asyncguard_blocking_calls(config):\n    return {answer}\n"
    run = run_pytest({**FILES, "conftest.py": conftest}, "--asyncguard", report=False)
    assert run.exit_code == 4, run.output
    assert "ERROR: pytest_asyncguard_blocking_calls: " in run.stderr
    assert answer[1:-1] in run.stderr
    assert "Traceback" not in run.output


def test_a_name_that_stands_for_nothing(run_pytest: RunPytest) -> None:
    """Its module was imported and has no such thing: it is named in a warning, once."""
    run = run_pytest(FILES, "--asyncguard", "--asyncguard-call=shop.legacy.fetched")
    told = " ".join(run.stdout.split())
    assert told.count("shop.legacy.fetched") == 1, run.output
    assert "INTERNALERROR" not in run.output


DOUBLES = """
    import subprocess
    import time
    from unittest import mock

    import pytest
    import requests
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient


    async def client(request):
        return PlainTextResponse(requests.get("http://shop.test").text)


    async def sleep(request):
        time.sleep(30)
        return PlainTextResponse("done")


    async def session(request):
        return PlainTextResponse(requests.Session().post("http://shop.test").text)


    async def process(request):
        return PlainTextResponse(subprocess.run(["true"]).stdout)


    async def real(request):
        return PlainTextResponse(str(subprocess.run(["true"]).returncode))


    app = Starlette(
        routes=[
            Route(f"/{each.__name__}", each) for each in (client, sleep, session, process, real)
        ]
    )


    def test_patch():
        with mock.patch("requests.get") as double:
            double.return_value.text = "done"
            assert TestClient(app).get("/client").text == "done"
        double.assert_called_once_with("http://shop.test")


    def test_monkeypatch(monkeypatch):
        asked = []
        monkeypatch.setattr(time, "sleep", asked.append)
        assert TestClient(app).get("/sleep").text == "done"
        assert asked == [30]


    def test_class():
        with mock.patch("requests.Session") as double:
            double.return_value.post.return_value.text = "done"
            assert TestClient(app).get("/session").text == "done"


    def test_autospec():
        with mock.patch("subprocess.run", autospec=True) as double:
            double.return_value.stdout = "done"
            assert TestClient(app).get("/process").text == "done"


    def test_real():
        assert TestClient(app).get("/real").text == "0"
"""
REPLACED = {
    "test_patch": ("sync-client", "requests.get"),
    "test_monkeypatch": ("sleep", "time.sleep"),
    "test_class": ("sync-client", "requests.Session.post"),
    "test_autospec": ("subprocess", "subprocess.run"),
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_double_stands_for_the_call(doubles: Run, name: str) -> None:
    """What a test replaced is reported as what it replaced, and said to be a double."""
    told = [(each["rule"], each["call"]) for each in doubles.of_test(name)]
    assert told == [REPLACED[name]], doubles.output
    assert doubles.of_test(name)[0]["detail"] == "replaced by a test double"
    assert doubles.outcomes[name] == "failed"


@pytest.mark.parametrize("name", REPLACED)
def test_doubles_can_be_left_out(without_doubles: Run, name: str) -> None:
    """With ``--asyncguard-doubles=false`` they are what they are: nothing that blocks."""
    assert [
        each
        for each in without_doubles.of_test(name)
        if each["detail"] == "replaced by a test double"
    ] == [], without_doubles.output
    assert without_doubles.outcomes[name] == "passed", without_doubles.output


def test_the_real_call_is_found_all_the_same(doubles: Run, without_doubles: Run) -> None:
    """In either case."""
    for run in (doubles, without_doubles):
        assert [each["call"] for each in run.of_test("test_real")] == ["subprocess.run"], run.output


@pytest.fixture(name="doubles", scope="module")
def _doubles(run_pytest: RunPytest) -> Run:
    """A run whose tests replace what blocks."""
    return run_pytest({"test_app.py": DOUBLES}, "--asyncguard")


@pytest.fixture(name="without_doubles", scope="module")
def _without_doubles(run_pytest: RunPytest) -> Run:
    """The same without regard to doubles."""
    return run_pytest({"test_app.py": DOUBLES}, "--asyncguard", "--asyncguard-doubles=false")
