"""The report formats, by the name that ``--asyncguard-report`` knows them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_asyncguard.render.json import JsonRenderer
from pytest_asyncguard.render.protocol import Renderer

_FORMATS: tuple[Renderer, ...] = (JsonRenderer(),)

RENDERERS: Final[Mapping[str, Renderer]] = {renderer.name: renderer for renderer in _FORMATS}
