"""Attribute: the name of a library's middleware -> the line of the project that installs it.

No frame of the project is on the stack of such middleware, and no framework remembers where it was
added. It is looked for in the source of the project's modules, by the ways in which it is written.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Iterator


class Installations:
    """Finds where the project installs a middleware; what was found once is remembered."""

    def __init__(self, rootdir: str) -> None:
        self._rootdir = os.path.join(os.path.abspath(rootdir), "")
        self._known: dict[str, tuple[int, tuple[str, int] | None]] = {}

    def of(self, owner: str) -> tuple[str, int] | None:
        """File and line; None where it is not written out in any module that is imported."""
        name = owner.partition(".")[0]
        size = len(sys.modules)
        known = self._known.get(name)
        if known is None or (known[1] is None and known[0] != size):
            known = self._known[name] = (size, self._find(name))
        return known[1]

    def _find(self, name: str) -> tuple[str, int] | None:
        wanted = re.compile(rf"\b(?:add_middleware|Middleware)\(\s*(?:\w+\.)*{re.escape(name)}\b")
        for file in self._files():
            text = "".join(linecache.getlines(file))
            if (match := wanted.search(text)) is not None:
                return file, text.count("\n", 0, match.start()) + 1
        return None

    def _files(self) -> Iterator[str]:
        for module in list(sys.modules.values()):
            # Not the module's own way to look up attributes: that may import what it lacks.
            file = getattr(module, "__dict__", {}).get("__file__")
            if (
                isinstance(file, str)
                and file.startswith(self._rootdir)
                and file.endswith(".py")
                and f"{os.sep}site-packages{os.sep}" not in file
            ):
                yield file
