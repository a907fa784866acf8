"""Why a run was not a complete one: then what it did not see proves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from glob import glob

import pytest

SELECTING = {"lf": "--lf", "ignore": "--ignore", "ignore_glob": "--ignore-glob"}
"""Options that leave out files without a word; ``-k`` and ``-m`` say what they deselect."""


def deselected(config: pytest.Config) -> str:
    """What deselected tests, where some were."""
    flags = (("keyword", "-k"), ("markexpr", "-m"))
    return " ".join(f for name, f in flags if config.getoption(name, None)) or "deselected tests"


def reasons(session: pytest.Session, exitstatus: int) -> Iterator[str]:
    """What can be told from options and the end of the run."""
    config = session.config
    for name, flag in SELECTING.items():
        if config.getoption(name, None):
            yield flag
    if (argument := _partial_argument(config)) is not None:
        yield argument
    if session.shouldstop or session.shouldfail:
        yield "it stopped early"
    elif exitstatus not in _ENDED:
        yield "it was interrupted"


_ENDED = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)


def _partial_argument(config: pytest.Config) -> str | None:
    """The command line's files or folders, where they are not all that has tests."""
    root = str(config.rootpath)
    invoked = str(config.invocation_params.dir)
    given = [os.path.realpath(os.path.join(invoked, arg)) for arg in config.args if "::" not in arg]
    wanted = [
        os.path.realpath(path)
        for pattern in config.getini("testpaths")
        for path in sorted(glob(os.path.join(root, pattern), recursive=True))
    ] or [os.path.realpath(root)]
    missed = [path for path in wanted if not _covered(path, given)]
    if not any(_has_other_tests(config, path, given) for path in missed):
        return None
    shown = [os.path.relpath(arg, root) if os.path.isabs(arg) else arg for arg in config.args]
    return f"only {' '.join(shown[:3])}{' ...' if len(shown) > 3 else ''}"


def _covered(path: str, given: Iterable[str]) -> bool:
    return any(path == each or path.startswith(os.path.join(each, "")) for each in given)


def _has_other_tests(config: pytest.Config, path: str, given: Sequence[str]) -> bool:
    """Whether there is a test file in ``path`` that is in nothing of what was given."""
    patterns: list[str] = config.getini("python_files")
    skipped: list[str] = config.getini("norecursedirs")
    if os.path.isfile(path):
        return True
    for folder, folders, files in os.walk(path):
        folders[:] = [
            name
            for name in folders
            if not any(fnmatch(name, pattern) for pattern in skipped)
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
            and not _covered(os.path.join(folder, name), given)
        ]
        for name in files:
            if any(fnmatch(name, pattern) for pattern in patterns) and not _covered(
                os.path.join(folder, name), given
            ):
                return True
    return False
