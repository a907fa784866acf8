"""The pytest plugin: hooks, each of which delegates.

pytest_load_initial_conftests    the probes are installed, before the app can be imported
|
loop thread: a request holds the loop -> Sighting -> decide -> attribute -> Finding
|
pytest_runtest_makereport        findings ride on the TestReport (xdist, crashes, reruns)
|                                                                       v
controller: collect -> RunReport -> render, gate -> exit status
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard import hookspecs, options

if TYPE_CHECKING:
    from pytest_asyncguard.session import Session
    from pytest_asyncguard.session.handle import Handle

_session = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    _start(early_config, early_config.known_args_namespace)
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", options.MARKER)
    # A conftest file may load this plugin: later than is good, and not too late.
    _start(config, config.option)
    if (session := config.stash.get(_session, None)) is not None:
        session.configure(config)


def _start(config: pytest.Config, namespace: Any) -> None:
    if _session in config.stash:
        return
    settings = options.from_config(config, namespace)
    if not settings.enabled or getattr(namespace, "collectonly", False):
        return
    no_run = ("help", "version", "markers", "showfixtures")
    if any(getattr(namespace, name, False) for name in no_run):
        return
    from pytest_asyncguard.session import Session

    config.stash[_session] = Session(settings, config)
    config.add_cleanup(config.stash[_session].stop)
    config.stash[_session].start()


def _of(config: pytest.Config) -> Session | None:
    return config.stash.get(_session, None)


@pytest.fixture
def asyncguard(request: pytest.FixtureRequest) -> Handle:
    """The guard's findings in this test, and what it is to allow or expect here."""
    from pytest_asyncguard.session.handle import Handle, Off

    session = _of(request.config)
    return Handle(session.tests if session is not None else Off())


def pytest_report_header(config: pytest.Config) -> str | None:
    session = _of(config)
    return session.header() if session is not None else None


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, None, None]:
    if (session := _of(item.config)) is not None:
        session.begin(item)
    yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    if (session := _of(item.config)) is not None:
        session.report(outcome.get_result())


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items and (session := _of(items[0].config)) is not None:
        session.complete = False


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if (guard := _of(session.config)) is not None:
        guard.finish(session, exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if (session := _of(config)) is not None:
        session.summary(terminalreporter)
