"""The audit hook: what CPython says is about to happen, where it happens on the loop."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.catalog import stdlib
from pytest_asyncguard.catalog.rows import AuditEvent, Call, inside
from pytest_asyncguard.probes import audit, holds
from pytest_asyncguard.probes.audit import AuditProbe
from pytest_asyncguard.probes.calls import wrap

if TYPE_CHECKING:
    from tests.unit.conftest import Watched


def on_loop(watched: Watched, function: Callable[[], Any]) -> Any:
    return holds.step(watched.request(), lambda _: function(), None)


def tell(*args: object) -> None:
    """Raise the event of which the tests' own rows are."""
    sys.audit("asyncguard.test", *args)


@pytest.fixture(name="listening")
def _listening(inbox_open: Watched) -> Iterator[Watched]:
    """A run that listens to the catalogue's events, and to one of these tests' own."""
    own = AuditEvent(event="asyncguard.test", rule="file", detail=lambda args: str(args[0]))
    probe = AuditProbe({**stdlib.AUDIT, own.event: own})
    assert probe.unavailable() is None
    probe.install()
    yield inbox_open
    probe.uninstall()


def test_an_event_on_the_loop_is_seen(listening: Watched, functions: Any) -> None:
    """Where it was raised, and before it happens: how long it takes nobody knows."""

    def caller() -> None:
        tell("what")

    on_loop(listening, caller)
    (seen,) = listening.calls()
    assert (seen.row.name, seen.detail, seen.timed) == ("asyncguard.test", "what", False)
    assert functions(seen.stack)[:2] == ["tell", f"{caller.__qualname__}"]


def test_an_event_off_the_loop_is_not_seen(listening: Watched) -> None:
    """No hold, no request to charge."""
    tell("what")
    assert listening.names() == []


def test_an_event_in_a_worker_thread_is_free(listening: Watched) -> None:
    """The hold is that of the loop's thread."""
    worker = threading.Thread(target=tell, args=("what",))

    def in_a_thread() -> None:
        worker.start()
        worker.join()

    on_loop(listening, in_a_thread)
    assert listening.names() == []


def test_an_event_of_which_the_row_says_nothing_is_not_seen(listening: Watched) -> None:
    """The row tells from the arguments whether it blocks."""
    on_loop(listening, tell)
    assert listening.names() == []


@pytest.mark.parametrize(("args", "names"), [(("what",), ["fake.outer"]), ((), [])])
def test_an_event_inside_a_known_call_is_what_makes_it_block(
    listening: Watched, args: tuple[str, ...], names: list[str]
) -> None:
    """The call is named as the user wrote it."""
    row = Call(target="fake:outer", rule="file", when=inside)
    on_loop(listening, lambda: wrap(tell, row, method=False)(*args))
    assert listening.names() == names


def test_an_event_without_a_row_is_let_pass(listening: Watched) -> None:
    """There are hundreds of them."""
    on_loop(listening, lambda: sys.audit("asyncguard.other", 1))
    assert listening.names() == []


def test_an_error_of_the_guards_is_not_raised_in_the_app(inbox_open: Watched) -> None:
    """An exception that leaves an audit hook would stop what it is told of."""

    def failing(args: object) -> bool:
        raise ZeroDivisionError

    probe = AuditProbe({"asyncguard.test": AuditEvent(event="", rule="file", when=failing)})
    probe.install()
    on_loop(inbox_open, lambda: tell("what"))
    probe.uninstall()
    assert [(part, type(error)) for part, error in inbox_open.failures] == [
        ("audit", ZeroDivisionError)
    ]
    inbox_open.failures.clear()


def test_nothing_is_heard_once_uninstalled(inbox_open: Watched) -> None:
    """The hook itself cannot be removed."""
    probe = AuditProbe({"asyncguard.test": AuditEvent(event="", rule="file")})
    probe.install()
    probe.uninstall()
    on_loop(inbox_open, lambda: tell("what"))
    assert inbox_open.names() == []


def test_one_hook_is_enough_for_a_process(
    inbox_open: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hook that is added stays for good, and is called for ever."""
    added: list[object] = []
    monkeypatch.setattr(sys, "addaudithook", added.append)
    monkeypatch.setattr(audit, "_added", False)
    for _ in range(2):
        probe = AuditProbe(stdlib.AUDIT)
        probe.install()
        probe.uninstall()
    assert added == [audit._hook]


# --- the catalogue's events --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda: Path("file").write_bytes(b""), ["open"]),
        (lambda: Path("there").read_bytes(), ["open"]),
        (lambda: os.listdir("."), ["os.listdir"]),  # noqa: PTH208
        (lambda: os.listdir(), ["os.listdir"]),  # noqa: PTH208, PLW0108
        (lambda: os.scandir().close(), ["os.scandir"]),
        (lambda: Path("folder").mkdir(), ["os.mkdir"]),
        (lambda: Path("there").unlink(), ["os.remove"]),
        (lambda: Path("there").rename("here"), ["os.rename"]),
        (lambda: os.truncate("there", 0), ["os.truncate"]),
        (lambda: os.link("there", "second"), ["os.link"]),
        (lambda: Path("second").symlink_to("there"), ["os.symlink"]),
    ],
)
def test_work_on_the_file_system_is_seen(
    listening: Watched,
    function: Callable[[], object],
    names: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a path, in whatever form, and also with none: that is the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("there").touch()
    on_loop(listening, function)
    assert listening.names() == names


def opened_by_descriptor() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb"), open(theirs, "wb"):  # noqa: PTH123
        pass


@pytest.mark.parametrize(
    "function",
    [
        opened_by_descriptor,
        lambda: Path(os.devnull).read_bytes(),
        lambda: Path("/proc/self/stat").read_bytes(),
        lambda: Path("there").exists(),
    ],
)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_what_reaches_no_disk_is_free(listening: Watched, function: Callable[[], object]) -> None:
    """Descriptors that are open, and files which the kernel makes up."""
    on_loop(listening, function)
    assert listening.names() == []


def test_asking_on_standard_input_is_seen(listening: Watched) -> None:
    """It waits for a person, and the prompt is private. Raised by hand: a test has no input."""
    on_loop(listening, lambda: sys.audit("builtins.input", "password of alice: "))
    assert [(call.row.name, call.detail) for call in listening.calls()] == [("input", None)]
