from __future__ import annotations

import json
import os
import runpy
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_asyncguard.baseline import Baseline, BaselineError, Entry, entry_of, read, write
from pytest_asyncguard.identity import fingerprint
from pytest_asyncguard.model import Finding

GOLDEN: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "__init__.py"), run_name="golden"
)
TODAY = date(2026, 11, 22)
A, B, C = (letter * 16 for letter in "abc")


def entry(mark: str = A, **fields: Any) -> Entry:
    known = {"path": "app.py", "function": "f", "code": "AG101", "rule": "sleep"}
    return Entry(fingerprint=mark, **{**known, "source": "time.sleep(1)", **fields})


def finding(
    where: str = "app.py:3 in f", source: str | None = "time.sleep(1)", **fields: Any
) -> Finding:
    made: Finding = GOLDEN["sighting"](where, source, **fields)
    return made


def baseline(entries: Iterable[Entry], **files: str) -> Baseline:
    """A baseline beside files of these names, each with its source."""
    sources = {f"{name}.py": source for name, source in files.items()}
    return Baseline(entries, TODAY, sources.get)


def statuses(known: Baseline, *findings: Finding) -> list[str]:
    return [each.status for each in known.mark(findings)]


# --- the file --------------------------------------------------------------------------------


def test_a_baseline_is_json_with_one_entry_a_line() -> None:
    """Sorted, with room for the team's own words, and without line numbers."""
    text = write([entry(B, path="b.py"), entry(A, reason="soon", owner="me", expires="2027-01-31")])
    assert text == (
        "{\n"
        '"asyncguard_baseline": 1,\n'
        '"entries": [\n'
        '{"path": "app.py", "function": "f", "code": "AG101", "rule": "sleep",'
        ' "source": "time.sleep(1)", "fingerprint": "aaaaaaaaaaaaaaaa", "reason": "soon",'
        ' "owner": "me", "expires": "2027-01-31"},\n'
        '{"path": "b.py", "function": "f", "code": "AG101", "rule": "sleep",'
        ' "source": "time.sleep(1)", "fingerprint": "bbbbbbbbbbbbbbbb", "reason": null,'
        ' "owner": null, "expires": null},\n'
        '"end"\n'
        "]\n"
        "}\n"
    )
    assert len(json.loads(text)["entries"]) == 3


def test_the_order_of_the_entries_makes_no_difference() -> None:
    """The same sites give the same bytes, so an update without news is no diff."""
    entries = [entry(A), entry(B), entry(C, path="a.py"), entry("d" * 16, source=None)]
    assert write(entries) == write(entries[::-1])
    assert write([]) == '{\n"asyncguard_baseline": 1,\n"entries": [\n"end"\n]\n}\n'


WORD = st.text(min_size=1)


@given(
    st.lists(
        st.builds(
            Entry,
            path=WORD,
            function=WORD,
            code=WORD,
            rule=WORD,
            source=WORD | st.none(),
            fingerprint=st.from_regex("[0-9a-f]{16}", fullmatch=True),
            reason=WORD | st.none(),
            owner=WORD | st.none(),
            expires=st.dates().map(date.isoformat) | st.none(),
        ),
        unique_by=lambda each: each.fingerprint,
    )
)
@example([entry(path="\ud800", source="\u2028<<<<<<< \x00", reason='"},\n', owner="entries")])
def test_every_entry_survives(entries: list[Entry]) -> None:
    """Whatever stands in a path, a line or a reason comes back, from a line of its own."""
    text = write(entries)
    assert set(read(text.encode())) == set(entries)
    assert text.isascii()
    assert len(text.splitlines()) == len(entries) + 6


def test_another_layout_is_read_as_well() -> None:
    """A formatter may have had its way, with the newlines of Windows and a mark in front."""
    text = json.dumps(json.loads(write([entry(A), entry(B)])), indent=4)
    assert len(read(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())) == 2


def test_what_the_team_left_empty_is_none() -> None:
    """An empty reason is no reason; a line without one may leave out the word."""
    text = write([entry()]).replace('"reason": null', '"reason": ""')
    assert read(text.replace(', "owner": null, "expires": null', "").encode()) == (entry(),)


GOOD = write([entry(A), entry(B)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the file is empty"),
        ("\n \n", "line 1: the file is empty"),
        (GOOD[:80], "line 4: this is not JSON (Unterminated string starting at)"),
        (GOOD.removesuffix("]\n}\n"), "line 7: this is not JSON (Expecting ',' delimiter)"),
        ("[" * 100_000, "line 1: this is no baseline"),
        ("[]", 'line 1: this is no baseline: it has no "asyncguard_baseline"'),
        ('{"entries": []}', 'line 1: this is no baseline: it has no "asyncguard_baseline"'),
        (
            GOOD.replace(": 1,", ": 2,", 1),
            "line 2: version 2 is newer than the one that this pytest-asyncguard reads, 1",
        ),
        (
            GOOD.replace(": 1,", ': "x",', 1),
            "line 2: version 'x' is not the one that this pytest-asyncguard reads, 1",
        ),
        (GOOD.replace(": 1,", ": true,", 1), "line 2: version True is not the one"),
        ('{"asyncguard_baseline": 1}', 'line 1: "entries" is not a list'),
        (GOOD.replace(B, A), "line 5: the same entry as on line 4: delete one"),
        (GOOD.replace('"entries"', '"entries": [], "entries"'), "line 3: a second 'entries'"),
        (
            GOOD.replace(f'"{B}"', f'"{B}", "reason": "x"'),
            "line 5: a second 'reason' in one object",
        ),
        (
            GOOD.replace(f'"{B}", "reason"', f'"{B}", "resaon"'),
            "line 5: 'resaon' is not one of path, function,",
        ),
        (GOOD.replace('"code": "AG101", ', "", 1), "line 4: 'code' is missing"),
        (GOOD.replace('"app.py"', "3", 1), "line 4: 'path' is not text: 3"),
        (GOOD.replace(B, "bbb"), "line 5: 'fingerprint' is not 16 hexadecimal digits: 'bbb'"),
        (GOOD.replace('"end"', "3"), "line 6: this is not an entry"),
        *(
            (
                GOOD.replace('"expires": null', f'"expires": "{when}"', 1),
                f"line 4: 'expires' is not a date, YYYY-MM-DD: '{when}'",
            )
            for when in ("soon", "2027-02-30", "20270131", "2027-1-31")
        ),
        *(
            (
                GOOD.replace('"end"', f'{mark}\n"end"'),
                "line 6: a merge conflict that is not resolved",
            )
            for mark in ("<<<<<<< HEAD", "=======", ">>>>>>> other", "||||||| base", "=======\r")
        ),
    ],
)
def test_what_is_not_understood_is_an_error(content: str, message: str) -> None:
    """Torn, newer, half merged, misspelt: the line and the cause, and never an empty baseline."""
    with pytest.raises(BaselineError) as raised:
        read(content.encode())
    assert str(raised.value).startswith(message)


def test_bytes_that_are_no_text_are_an_error() -> None:
    """The line of the first of them is told."""
    with pytest.raises(BaselineError, match=r"^line 2: this is not UTF-8$"):
        read(b"{\n\xff")


@given(st.binary() | st.text().map(str.encode), st.integers(0, len(GOOD)))
def test_no_content_is_read_as_something_else(noise: bytes, place: int) -> None:
    """Of a damaged file no entry is lost without an error."""
    damaged = GOOD[:place].encode() + noise + GOOD[place:].encode()
    try:
        entries = read(damaged)
    except BaselineError as error:
        assert str(error).startswith("line ")  # noqa: PT017 - any content may also be right
    else:
        assert len(entries) >= 2


# --- the ratchet -----------------------------------------------------------------------------


def test_only_what_the_baseline_does_not_know_is_new() -> None:
    """What it knows keeps the reason that stands there."""
    known, other = finding(), finding("app.py:9 in g")
    marked = baseline([replace(entry_of(known), reason="soon")]).mark([known, other])
    assert [(each.status, each.reason) for each in marked] == [("baselined", "soon"), ("new", None)]


def test_what_is_ignored_needs_no_baseline() -> None:
    """Its entry is not seen any more: the comment has taken its place."""
    known = baseline([entry_of(finding())])
    assert statuses(known, finding(status="ignored", reason="x")) == ["ignored"]
    assert len(known.unseen()) == 1


@pytest.mark.parametrize(
    ("expires", "status"), [("2026-11-21", "new"), ("2026-11-22", "baselined")]
)
def test_an_entry_counts_to_the_end_of_its_day(expires: str, status: str) -> None:
    """After it the finding is new again, and says why."""
    known = baseline([replace(entry_of(finding()), expires=expires)])
    (marked,) = known.mark([finding()])
    assert marked.status == status
    assert len(known.expired) == (status == "new")
    if status == "new":
        assert marked.reason == "its entry in the baseline expired on 2026-11-21"
    assert known.unseen() == ()


@pytest.mark.parametrize(
    ("owner", "reason", "said"),
    [("me", "soon", " (me: soon)"), ("me", None, " (me)"), (None, "soon", " (soon)")],
)
def test_an_expired_entry_says_what_the_team_wrote(
    owner: str | None, reason: str | None, said: str
) -> None:
    """Who is to be asked, and why it was let in."""
    known = baseline(
        [replace(entry_of(finding()), expires="2026-11-21", owner=owner, reason=reason)]
    )
    (marked,) = known.mark([finding()])
    assert marked.reason == f"its entry in the baseline expired on 2026-11-21{said}"


def test_a_mark_of_another_run_does_not_count() -> None:
    """A finding is judged by this baseline, not by what a worker made of it."""
    (marked,) = baseline([]).mark([finding(status="baselined", reason="old")])
    assert (marked.status, marked.reason) == ("new", None)


OLD = "def f():\n    time.sleep(1)\n"


@pytest.mark.parametrize(
    ("now", "source", "status"),
    [
        # The file was renamed, and the old one is gone.
        (finding("new.py:3 in f"), None, "baselined"),
        # The function moved to another file, or was renamed in its own.
        (finding("new.py:3 in f"), "def g(): pass\n", "baselined"),
        (finding("app.py:3 in g"), "def g():\n    time.sleep(1)\n", "baselined"),
        # The same line, once more: the first one still stands.
        (finding("new.py:3 in f"), OLD, "new"),
        (finding("app.py:9 in g"), f"{OLD}def g():\n    time.sleep(1)\n", "new"),
        # It is elsewhere, and called otherwise: nothing says that it is the same.
        (finding("new.py:3 in g"), None, "new"),
        # A formatter wrapped the line, or changed its quotes.
        (finding("app.py:3 in f", "time.sleep("), "def f():\n  time.sleep(\n1)\n", "baselined"),
        (finding("app.py:3 in f", "x = time.sleep(1),"), "def f():\n  x = ...\n", "baselined"),
        (finding("new.py:3 in f", "time.sleep("), None, "baselined"),
        (finding("app.py:3 in g", "time.sleep("), "def g(): ...\n", "new"),
        (finding("app.py:3 in f", "sleep"), "def f():\n  sleep\n", "new"),
        (finding("app.py:3 in f", "time.sleep(2)"), "def f():\n  time.sleep(2)\n", "new"),
        (finding("new.py:3 in f", what="AG110 file"), None, "new"),
        # What cannot be parsed is compared line by line.
        (finding("new.py:3 in f"), "def f(:\n    time.sleep(1)\n", "new"),
        (finding("new.py:3 in f"), "def f(:\n", "baselined"),
    ],
)
def test_an_entry_whose_line_is_gone_follows_it(
    now: Finding, source: str | None, status: str
) -> None:
    """Moving, renaming and formatting code makes nothing new; adding the same again does."""
    known = baseline([entry_of(finding())], **({} if source is None else {"app": source}))
    assert statuses(known, now) == [status]
    assert len(known.unseen()) == (status == "new")


def test_an_entry_follows_one_finding_only() -> None:
    """Of two that look like it, one is new: the number of places has grown."""
    known = baseline([entry_of(finding())])
    two = finding("b.py:3 in f"), finding("c.py:3 in f")
    assert statuses(known, *two) == ["baselined", "new"]
    assert [known.find(each) is not None for each in two] == [True, False]


def test_a_finding_that_stands_where_it_stood_comes_first() -> None:
    """An entry is not given away to one that only looks like it."""
    here, there = finding("app.py:3 in f"), finding("aaa.py:3 in f")
    assert statuses(baseline([entry_of(here)]), there, here) == ["new", "baselined"]


@pytest.mark.parametrize(
    "function", ["f.<locals>.<genexpr>", "A.f.<locals>.<lambda>", "A.g.<locals>.f"]
)
def test_a_line_is_looked_for_in_its_function(function: str) -> None:
    """By its qualified name; that of a comprehension is its function's."""
    source = (
        "def f():\n  time.sleep(1)\n"
        "class A:\n  def f():\n    time.sleep(1)\n"
        "  def g():\n    if x:\n      async def f():\n        time.sleep(1)\n"
    )
    known = baseline([entry_of(finding(f"app.py:1 in {function}"))], app=source)
    assert statuses(known, finding(f"new.py:1 in {function}")) == ["new"]


def test_an_update_keeps_what_the_team_wrote() -> None:
    """Reason, owner and date survive, also where the code has moved."""
    team = {"reason": "soon", "owner": "me", "expires": "2020-01-01"}
    known = baseline([replace(entry_of(finding()), **team)])
    moved = finding("new.py:3 in f")
    (after,) = known.update(known.mark([moved]), keep=known.unseen())
    assert after == replace(entry_of(moved), **team)


def test_an_update_takes_what_is_there_and_what_it_is_to_keep() -> None:
    """Without anything to keep, entries that were not seen go; what is ignored does not come."""
    stays, goes = entry_of(finding()), entry(B, path="gone.py", source="gone()")
    known = baseline([stays, goes], app=OLD)
    added, ignored = finding("app.py:9 in g"), finding("app.py:9 in h", status="ignored")
    findings = known.mark([finding(), added, ignored])
    assert set(known.update(findings, keep=())) == {stays, entry_of(added)}
    assert set(known.update(findings, keep=known.unseen())) == {stays, entry_of(added), goes}


def test_the_entry_of_a_finding_has_its_line_in_one_form() -> None:
    """White space is of no account, in the entry as in the fingerprint."""
    one, two = (entry_of(finding(source=line)) for line in ("f( 1 )", "\tf(  1 )"))
    assert one == two
    assert one.fingerprint == fingerprint("AG101", "app.py", "f", "f( 1 )", 0)


# --- two branches ----------------------------------------------------------------------------

Git = Callable[..., str]


@pytest.fixture(name="git")
def _git(tmp_path: Path) -> Git:
    """Git in a repository of its own, without the user's settings."""

    def git(*arguments: str, ok: bool = True) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path,
            env={
                "HOME": str(tmp_path),
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_NOSYSTEM": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    git("init", "--initial-branch=main")
    return git


def commit(git: Git, path: Path, entries: Sequence[Entry]) -> None:
    path.write_text(write(entries), encoding="utf-8")
    git("add", path.name)
    git("commit", "--message", "x")


def test_two_branches_that_change_the_baseline_merge(git: Git, tmp_path: Path) -> None:
    """One takes out the first entry, the other adds a last one: no line is in both changes."""
    path = tmp_path / "baseline.json"
    entries = [entry(digit * 16, path=f"{digit}.py") for digit in "12345"]
    commit(git, path, entries)
    git("switch", "--create", "other")
    added = entry("9" * 16, path="9.py")
    commit(git, path, [*entries, added])
    git("switch", "main")
    commit(git, path, entries[1:])
    git("merge", "other")
    assert set(read(path.read_bytes())) == {*entries[1:], added}


def test_a_conflict_is_an_error_until_it_is_resolved(git: Git, tmp_path: Path) -> None:
    """Both add an entry at one place: taking both sides is all that there is to do."""
    path = tmp_path / "baseline.json"
    commit(git, path, [entry("1" * 16, path="1.py"), entry("4" * 16, path="4.py")])
    git("switch", "--create", "other")
    commit(git, path, [*read(path.read_bytes()), entry("2" * 16, path="2.py")])
    git("switch", "main")
    commit(git, path, [*read(path.read_bytes()), entry("3" * 16, path="3.py")])
    git("merge", "other", ok=False)
    with pytest.raises(BaselineError, match=r"^line 5: a merge conflict that is not resolved$"):
        read(path.read_bytes())
    lines = path.read_text(encoding="utf-8").splitlines()
    both = [line for line in lines if not line.startswith(("<<<<<<<", "=======", ">>>>>>>"))]
    assert [each.path for each in read("\n".join(both).encode())] == [
        "1.py",
        "3.py",
        "2.py",
        "4.py",
    ]
