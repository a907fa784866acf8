"""JSON report -> RunReport, with every field looked at: a torn part is no clean run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pytest_asyncguard.cli.errors import UnusableError
from pytest_asyncguard.model import RunReport
from pytest_asyncguard.render.json import SCHEMA_VERSION


def read_all(paths: Sequence[str]) -> list[RunReport]:
    """The reports at these paths, each of which may stand there once."""
    seen: dict[str, str] = {}
    for path in paths:
        if (first := seen.setdefault(os.path.realpath(path), path)) is not path:
            raise UnusableError(f"{path}: the same part as {first}")
    return [read(path) for path in paths]


def read(path: str) -> RunReport:
    try:
        with open(path, "rb") as stream:
            document = json.loads(stream.read().decode("utf-8"))
    except OSError as error:
        raise UnusableError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UnusableError(f"{path}: this is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnusableError(
            f"{path}: line {error.lineno}: this is not JSON, or not all of it ({error.msg})"
        ) from None
    except RecursionError:
        raise UnusableError(f"{path}: this is no report of pytest-asyncguard") from None
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version is None:
        raise UnusableError(f"{path}: this is no report of pytest-asyncguard")
    if version != SCHEMA_VERSION:
        raise UnusableError(
            f"{path}: schema version {version!r}, and this pytest-asyncguard reads {SCHEMA_VERSION}"
        )
    tool = document.pop("tool", None)
    if isinstance(tool, dict):
        document["tool_version"] = tool.get("version")
    del document["schema_version"]
    try:
        report: RunReport = _made(RunReport, document, "")
    except ValueError as error:
        raise UnusableError(f"{path}: {error}") from None
    return report


def _made(kind: Any, value: Any, where: str) -> Any:
    """``value`` as what the dataclasses of the report say it is."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _record(kind, value, where)
    if origin is Literal:
        if value in arguments:
            return value
        raise ValueError(f"{where}: {value!r} is not one of {', '.join(map(str, arguments))}")
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _made(next(each for each in arguments if each is not NoneType), value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_made(arguments[0], each, f"{where}[{i}]") for i, each in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {key: _made(arguments[1], each, f"{where}.{key}") for key, each in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind is object or type(value) is kind:
        return value
    raise ValueError(f"{where}: {value!r} is not {getattr(origin or kind, '__name__', kind)}")


def _record(kind: Any, value: Any, where: str) -> Any:
    names = {field.name for field in fields(kind)}
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'the report'}: {value!r} is not an object")
    prefix = f"{where}." if where else ""
    if missing := names - value.keys():
        raise ValueError(f"{prefix}{min(missing)} is missing")
    if unknown := value.keys() - names:
        raise ValueError(f"{prefix}{min(unknown)} is not known")
    kinds = get_type_hints(kind)
    return kind(**{name: _made(kinds[name], value[name], f"{prefix}{name}") for name in names})


def write(path: str, text: str) -> None:
    from pytest_asyncguard.session import files

    try:
        files.write(path, text)
    except OSError as error:
        raise UnusableError(f"{path}: {error.strerror or error}") from None
