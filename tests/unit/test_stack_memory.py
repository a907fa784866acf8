"""The memory of stacks: one that was taken before is known again by less than all of it."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.stacks import REMEMBERED, RawStack, StackMemory

if TYPE_CHECKING:
    from tests.unit.conftest import Watched

CODES = [compile("0", file, "eval") for file in ("own.py", "own.py", "library.py", "library.py")]
"""Of each module two that are equal, but not the same."""
MODULES: dict[str, dict[str, Any]] = {"own.py": {}, "library.py": {}}


class Written:
    """A frame that counts how often its code was read."""

    def __init__(self, place: tuple[int, int], back: Written | None) -> None:
        self.code, self.f_lasti = CODES[place[0]], place[1]
        self.file = self.code.co_filename
        self.f_globals = MODULES[self.file]
        self.f_back = back
        self.read = 0

    @property
    def f_code(self) -> CodeType:
        self.read += 1
        return self.code


Places = list[tuple[int, int]]
places = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=6)


def written(places: Places) -> list[Written]:
    """Frames that stand there, the outermost first."""
    frames: list[Written] = []
    for place in places:
        frames.append(Written(place, frames[-1] if frames else None))
    return frames


def remember(memory: StackMemory, frames: list[Written]) -> RawStack:
    return memory.capture(cast("FrameType", frames[-1]))


@settings(derandomize=True, database=None)
@given(stacks=st.lists(places, max_size=8))
def test_a_stack_that_is_known_again_is_that_of_the_frames(stacks: list[Places]) -> None:
    """In each frame of the project, in all it calls, and in where in which module others stand."""
    memory = StackMemory(lambda file: file == "own.py")
    for each in stacks:
        frames = written(each)
        found = remember(memory, frames)
        inwards = frames[::-1]
        assert found[1::2] == tuple(frame.f_lasti for frame in inwards)
        own = [index for index, frame in enumerate(inwards) if frame.file == "own.py"]
        for index, (frame, code) in enumerate(zip(inwards, found[::2], strict=True)):
            assert isinstance(code, CodeType)
            assert code.co_filename == frame.file
            if not own or index <= own[0] or index in own:
                assert code is frame.code


def test_of_the_framework_around_the_project_no_code_is_read_again() -> None:
    """It is most of a stack, and each reading raises an audit event."""
    memory = StackMemory(lambda file: file == "own.py")
    frames = [written([*[(2, 0)] * 30, (0, 0), (1, 1), (3, 1)]) for _ in range(2)]
    first, again = (remember(memory, each) for each in frames)
    assert again is first
    assert [frame.read for frame in frames[1]] == [0] * 30 + [1, 1, 1]


def test_no_more_than_some_stacks_are_remembered() -> None:
    """Of a place that is reached in ever new ways, and of none once the memory is cleared."""
    memory = StackMemory(lambda file: file == "own.py")
    for number in range(3 * REMEMBERED):
        remember(memory, written([(0, 0)] * number + [(0, 1)]))
    assert len(memory._taken[1]) <= REMEMBERED
    memory.clear()
    assert not memory._taken


def test_a_stack_is_known_up_to_the_boundary_only(inbox_open: Watched, functions: Any) -> None:
    """The same function may be called by the request and, in the same way, by the test."""
    memory = StackMemory(bool)

    def inner() -> RawStack:
        return memory.capture(sys._getframe())

    def outer(levels: int) -> RawStack:
        return outer(levels - 1) if levels else inner()

    request = inbox_open.request()
    for levels in (3, 2, 1, 2, 3):
        assert len(functions(holds.step(request, outer, levels))) == levels + 2
