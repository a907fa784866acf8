"""Files that a run writes: each whole or not at all, and known to be writable before it starts."""

from __future__ import annotations

import contextlib
import os
import tempfile
import tokenize


def unwritable(path: str) -> str | None:
    """Why ``path`` cannot be written, as far as that can be told before there is what to write."""
    if os.path.isdir(path):
        return "it is a folder"
    if _is_special(path):
        return None if os.access(path, os.W_OK) else "permission denied"
    folder = os.path.dirname(os.path.realpath(path))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None


def write(path: str, text: str) -> None:
    """Write a file whole or not at all. Raises OSError where that cannot be done."""
    if _is_special(path):
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        return
    path = os.path.realpath(path)  # what a link leads to is written, and the link stays
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(
            temporary, "w", encoding="utf-8", errors="backslashreplace", newline="\n"
        ) as stream:
            stream.write(text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _is_special(path: str) -> bool:
    """Whether it is a device or a pipe, which must not be replaced by a file."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def source(folder: str, file: str) -> str | None:
    """The source of a file of the project, named relative to ``folder``."""
    if os.path.isabs(file) or file.startswith("<"):
        return None
    try:
        with tokenize.open(os.path.join(folder, file)) as stream:
            return stream.read()
    except (OSError, SyntaxError, ValueError):
        return None
