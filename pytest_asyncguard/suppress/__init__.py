"""Suppress: Finding -> Finding of status "ignored", where somebody said so, and why.

Who is nearest to the call is asked first: the comment on its line, then those on the ``def`` lines
on the way out to the framework, then the test, the command line and the ini file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from pytest_asyncguard.model import Endpoint, Finding, Frame, StackFrame
from pytest_asyncguard.origin import project_frame
from pytest_asyncguard.suppress.comments import Comments, Ignore, parse


class Project:
    """The comments of the project's files, each read once. ``read`` gives a file's source.

    Files are named as findings name them: relative to rootdir, with forward slashes.
    """

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
        self._files: dict[str, Comments] = {}

    def of(self, file: str) -> Comments:
        if file not in self._files:
            source = self._read(file)
            self._files[file] = Comments() if source is None else parse(file, source)
        return self._files[file]

    def covering(self, finding: Finding) -> Ignore | None:
        """The comment that is nearest to the call, of those that name the finding's rule."""
        return next((each for each in self._near(finding) if finding.rule in each.names), None)

    def _near(self, finding: Finding) -> Iterator[Ignore]:
        if finding.stack:
            called = finding.stack[-1]
            yield from self.of(called.file).on(called.line, called.line)
        yield from self.of(finding.file).on(finding.line, finding.end_line)
        yield from self.of(finding.file).on_def(finding.line)
        for frame in project_frames(finding.stack):
            yield from self.of(frame.file).on_def(frame.line)

    def errors(self, files: Iterable[str]) -> tuple[str, ...]:
        """What is wrong with the comments in these files."""
        return tuple(error for file in sorted(set(files)) for error in self.of(file).errors)


def project_files(findings: Iterable[Finding], endpoints: Iterable[Endpoint]) -> set[str]:
    """The files in which a comment could have had a say."""
    files = {endpoint.file for endpoint in endpoints if endpoint.file is not None}
    for finding in findings:
        files.add(finding.file)
        files.update(frame.file for frame in finding.stack if frame.project)
    return files


def project_frames(stack: tuple[StackFrame, ...]) -> Iterator[StackFrame]:
    """The project's frames between the call and where the framework took over, innermost first."""
    frames = tuple(map(_as_frame, stack))
    while (index := project_frame(frames)) is not None:
        yield stack[index]
        frames = frames[:index]


def _as_frame(frame: StackFrame) -> Frame:
    """A frame as ``origin`` knows it, which tells the layers of the framework by their module."""
    parts = frame.file.removesuffix(".py").removesuffix("/__init__").split("/")
    start = max((i for i, part in enumerate(parts) if part in ("starlette", "fastapi")), default=0)
    return Frame(
        file=frame.file,
        line=frame.line,
        function=frame.function,
        module=".".join(parts[start:]),
        origin="project" if frame.project else "library",
    )


# --- patterns --------------------------------------------------------------------------------


def allows(pattern: str, finding: Finding) -> bool:
    """Whether a pattern, ``dotted.call`` or ``path::function``, covers a finding.

    Each part may have wildcards; a function is named in full, or by its last parts.
    """
    path, colons, function = pattern.partition("::")
    if not colons:
        return finding.call is not None and fnmatchcase(finding.call, pattern)
    places = [(finding.file, finding.function)]
    places += [(frame.file, frame.function) for frame in project_frames(finding.stack)]
    return any(
        fnmatchcase(file, path) and fnmatchcase(f".{name}", f"*.{function}")
        for file, name in places
    )


def suppress(finding: Finding, project: Project, *allowed: Mapping[str, str | None]) -> Finding:
    """The finding, ignored where a comment or a pattern covers it.

    ``allowed`` are patterns with their reasons, the nearest mapping first; of one mapping, what
    was said last counts.
    """
    if (ignore := project.covering(finding)) is not None:
        return replace(finding, status="ignored", reason=ignore.reason)
    for patterns in allowed:
        for pattern, reason in reversed(list(patterns.items())):
            if allows(pattern, finding):
                return replace(finding, status="ignored", reason=reason)
    return finding
