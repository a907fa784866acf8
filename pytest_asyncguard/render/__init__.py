"""The report formats, by the name that ``--asyncguard-report`` knows them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_asyncguard.render.github import GithubRenderer
from pytest_asyncguard.render.gitlab import GitlabRenderer
from pytest_asyncguard.render.html import HtmlRenderer
from pytest_asyncguard.render.json import JsonRenderer
from pytest_asyncguard.render.markdown import MarkdownRenderer
from pytest_asyncguard.render.protocol import Renderer
from pytest_asyncguard.render.sarif import SarifRenderer

_FORMATS: tuple[Renderer, ...] = (
    JsonRenderer(),
    SarifRenderer(),
    GithubRenderer(),
    GitlabRenderer(),
    MarkdownRenderer(),
    HtmlRenderer(),
)

RENDERERS: Final[Mapping[str, Renderer]] = {renderer.name: renderer for renderer in _FORMATS}
