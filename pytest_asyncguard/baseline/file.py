"""The file of a baseline: JSON with one entry a line, sorted and without line numbers.

Two branches that change it merge like two branches of code. An entry that cannot be read is an
error: taken for none at all, it would let through what it stands for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Final

VERSION: Final = 1
_VERSION_KEY: Final = "asyncguard_baseline"
_END: Final = "end"
"""The last item of the list: so each entry's line ends with a comma, and none changes with the
next one."""


class BaselineError(ValueError):
    """A baseline that cannot be used: the line, and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A site that is known to block. The last three are the team's own."""

    path: str
    function: str
    code: str
    rule: str
    source: str | None = None
    fingerprint: str
    reason: str | None = None
    owner: str | None = None
    expires: str | None = None


def write(entries: Iterable[Entry]) -> str:
    """The text of the file: the same entries make the same text."""
    ordered = sorted(
        entries, key=lambda e: (e.path, e.function, e.code, e.source or "", e.fingerprint)
    )
    lines = ["{", f'"{_VERSION_KEY}": {VERSION},', '"entries": [']
    lines += [f"{json.dumps(asdict(entry))}," for entry in ordered]
    return "\n".join([*lines, json.dumps(_END), "]", "}"]) + "\n"


_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})(\s|$)")
_FINGERPRINT = re.compile(r"[0-9a-f]{16,64}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NAMES: Final = tuple(field.name for field in fields(Entry))
_REQUIRED: Final = ("path", "function", "code", "rule", "fingerprint")


def read(content: bytes) -> tuple[Entry, ...]:
    """The entries of a file. Raises BaselineError for anything that is not wholly understood."""
    text = _text(content)
    document = _document(text)
    if not isinstance(document, dict) or _VERSION_KEY not in document:
        raise BaselineError(f'line 1: this is no baseline: it has no "{_VERSION_KEY}"')
    version = document[_VERSION_KEY]
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        raise BaselineError(
            f"line {_line_of(text, _VERSION_KEY)}: version {version!r} is "
            f"{'newer than' if newer else 'not'} the one that this pytest-asyncguard reads, "
            f"{VERSION}"
        )
    if not isinstance(document.get("entries"), list):
        raise BaselineError('line 1: "entries" is not a list')
    return _entries(document["entries"], _lines(text))


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise BaselineError(f"line {number}: this is not UTF-8") from None
    for number, line in enumerate(text.split("\n"), 1):
        if _CONFLICT.match(line):
            raise BaselineError(f"line {number}: a merge conflict that is not resolved")
    if not text.strip():
        raise BaselineError("line 1: the file is empty")
    return text


def _document(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise BaselineError(f"line {error.lineno}: this is not JSON ({error.msg})") from None
    except _TwiceError as error:
        number = _line_of_second(text, f'"{error}"')
        raise BaselineError(f"line {number}: a second {str(error)!r} in one object") from None
    except RecursionError:
        raise BaselineError("line 1: this is no baseline") from None


class _TwiceError(Exception):
    """Two members of one name, of which JSON would keep the last."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(name)
        found[name] = value
    return found


def _line_of(text: str, key: str) -> int:
    return text.count("\n", 0, text.index(f'"{key}"')) + 1


def _line_of_second(text: str, key: str) -> int:
    """The first line with two of a member; where each has a line of its own, the second."""
    lines = [number for number, line in enumerate(text.split("\n"), 1) if key in line]
    twice = [number for number in lines if text.split("\n")[number - 1].count(f"{key}:") > 1]
    return (twice or lines[1:] or [1])[0]


def _lines(text: str) -> list[int]:
    """The line on which each item of the list stands, however the file was formatted."""
    decoder = json.JSONDecoder()
    position = text.index("[", text.index('"entries"')) + 1
    lines: list[int] = []
    while True:
        while text[position] in " \t\r\n,":
            position += 1
        if text[position] == "]":
            return lines
        lines.append(text.count("\n", 0, position) + 1)
        _, position = decoder.raw_decode(text, position)


def _entries(items: Sequence[object], lines: Sequence[int]) -> tuple[Entry, ...]:
    found: dict[str, tuple[int, Entry]] = {}
    for item, line in zip(items, lines, strict=True):
        if item == _END:
            continue
        try:
            entry = _entry(item)
        except ValueError as error:
            raise BaselineError(f"line {line}: {error}") from None
        if entry.fingerprint in found:
            first, _ = found[entry.fingerprint]
            raise BaselineError(f"line {line}: the same entry as on line {first}: delete one")
        found[entry.fingerprint] = line, entry
    return tuple(entry for _, entry in found.values())


def _entry(item: Any) -> Entry:
    if not isinstance(item, dict):
        raise ValueError("this is not an entry")
    if unknown := item.keys() - set(_NAMES):
        raise ValueError(f"{min(unknown)!r} is not one of {', '.join(_NAMES)}")
    for name in _NAMES:
        value = item.get(name)
        if value is None and name in _REQUIRED:
            raise ValueError(f"{name!r} is missing")
        if not isinstance(value, str | None):
            raise ValueError(f"{name!r} is not text: {value!r}")
    if not _FINGERPRINT.fullmatch(item["fingerprint"]):
        raise ValueError(f"'fingerprint' is not 16 hexadecimal digits: {item['fingerprint']!r}")
    if expires := item.get("expires"):
        try:
            date.fromisoformat(expires if _DATE.fullmatch(expires) else "")
        except ValueError:
            raise ValueError(f"'expires' is not a date, YYYY-MM-DD: {expires!r}") from None
    # An empty reason, owner or date is none.
    return Entry(**{name: value for name, value in item.items() if value or name in _REQUIRED})
