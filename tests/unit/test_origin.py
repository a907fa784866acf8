"""Origin: whose code a file is, and where on a stack the project's own ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import sysconfig
from pathlib import Path

import pytest

from pytest_asyncguard.model import Frame, Origin, Stack
from pytest_asyncguard.origin import Origins, project_frame

ROOT = Path(os.sep, "work", "shop")


def origin(file: str | Path, *sources: str, root: Path = ROOT) -> Origin:
    return Origins(str(root), sources).of(str(file))


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (ROOT / "app.py", "project"),
        (ROOT / "src" / "shop" / "api.py", "project"),
        (ROOT / "tests" / "test_api.py", "project"),
        (ROOT / ".venv" / "lib" / "python3.11" / "site-packages" / "starlette.py", "library"),
        (ROOT / "venv" / "Lib" / "site-packages" / "starlette.py", "library"),
        (Path("/usr/lib/python3/dist-packages/yaml.py"), "library"),
        (Path("/work/other/app.py"), "library"),
        (Path("/work/shop2/app.py"), "library"),
        (Path("/work/shop/../other/app.py"), "library"),
    ],
    ids=str,
)
def test_the_project_is_what_lies_under_the_root_and_is_not_installed(
    file: Path, expected: Origin
) -> None:
    """A virtual environment may lie there, too."""
    assert origin(file) == expected


@pytest.mark.parametrize(
    "file", [json.__file__, asyncio.__file__, os.__file__, "<frozen importlib._bootstrap>"]
)
def test_the_standard_library_is_known(file: str) -> None:
    """Wherever this Python is, and whether or not it is a file."""
    assert origin(file) == "stdlib"


@pytest.mark.parametrize("file", [pytest.__file__, "<string>", "<template>", "<attrs generated>"])
def test_what_is_installed_or_made_up_is_a_library(file: str) -> None:
    """Nobody has written it in the project."""
    assert origin(file) == "library"


def test_what_is_installed_is_a_library_though_it_lies_under_the_root() -> None:
    """The root may be that of the file system: in a container it often is."""
    root = Path(os.sep)
    assert origin(pytest.__file__, root=root) == "library"
    assert origin(json.__file__, root=root) == "stdlib"
    assert origin("/app/main.py", root=root) == "project"


def test_an_environment_inside_the_project_is_not_the_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor are the scripts in it."""
    monkeypatch.setattr(sys, "prefix", str(ROOT / "env"))
    assert origin(ROOT / "env" / "bin" / "run") == "library"
    assert origin(ROOT / "environment.py") == "project"


@pytest.mark.parametrize("root", [ROOT, ROOT / "inner"])
def test_a_project_inside_the_environment_is_the_project(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    """Some unpack it there."""
    monkeypatch.setattr(sys, "prefix", str(ROOT))
    assert origin(root / "app.py", root=root) == "project"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (ROOT / "src" / "shop.py", "project"),
        (ROOT / "src.py", "library"),
        (ROOT / "tests" / "test_shop.py", "library"),
        (Path("/elsewhere/lib/shared.py"), "project"),
        (Path("/elsewhere/library.py"), "library"),
        (Path(json.__file__), "stdlib"),
    ],
    ids=str,
)
def test_sources_that_are_named_are_the_project_and_nothing_else(
    file: Path, expected: Origin
) -> None:
    """They may lie outside the root."""
    assert origin(file, str(ROOT / "src"), "/elsewhere/lib") == expected


def test_a_source_may_be_an_installed_package() -> None:
    """Who names one wants to hear of it."""
    installed = Path(sysconfig.get_path("purelib"), "ours")
    assert origin(installed / "api.py", str(installed)) == "project"
    assert origin(installed.parent / "others.py", str(installed)) == "library"


def test_relative_paths_are_those_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code object has its file as it was found on the path, which may have "" in it."""
    monkeypatch.chdir(tmp_path)
    assert origin("app.py", root=tmp_path) == "project"
    assert origin(tmp_path / "app.py", root=Path()) == "project"
    assert origin(tmp_path / "lib" / "shared.py", "lib", root=tmp_path) == "project"


def test_a_file_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame of every stack asks."""
    origins = Origins(str(ROOT))
    file = str(ROOT / "app.py")
    assert origins.of(file) == "project"
    monkeypatch.setattr(os.path, "abspath", None)
    assert origins.of(file) == "project"


# --- stacks ------------------------------------------------------------------------------------


def frame(name: str, whose: Origin = "library") -> Frame:
    module, _, function = name.partition(":")
    return Frame(file=f"/{module}.py", line=1, function=function, module=module, origin=whose)


def ours(name: str) -> Frame:
    return frame(name, "project")


MIDDLEWARE = ours("app:Slowdown.__call__")


@pytest.mark.parametrize(
    ("stack", "index"),
    [
        ((), None),
        ((frame("json:dumps"),), None),
        ((ours("app:page"),), 0),
        ((ours("app:page"), ours("app:helper"), frame("json:dumps")), 1),
        ((frame("lib:retry"), ours("app:page"), frame("lib:call"), ours("app:callback")), 3),
        ((MIDDLEWARE, frame("json:dumps")), 0),
    ],
)
def test_the_innermost_frame_of_the_project_is_to_blame(stack: Stack, index: int | None) -> None:
    """If there is one."""
    assert project_frame(stack) == index


@pytest.mark.parametrize(
    "layer",
    [
        "starlette.applications:Starlette.__call__",
        "starlette.middleware.base:BaseHTTPMiddleware.__call__",
        "starlette.middleware.base:BaseHTTPMiddleware.__call__.<locals>.call_next",
        "starlette.middleware.base:BaseHTTPMiddleware.__call__.<locals>.call_next.<locals>.coro",
        "starlette.routing:Router.__call__",
        "starlette.routing:Router.app",
        "starlette.routing:Route.handle",
        "starlette.routing:request_response.<locals>.app",
        "starlette._exception_handler:wrap_app_handling_exceptions.<locals>.wrapped_app",
        "fastapi.applications:FastAPI.__call__",
        "fastapi.routing:get_request_handler.<locals>.app",
    ],
)
def test_a_layer_is_not_to_blame_for_what_the_framework_does_inside_it(layer: str) -> None:
    """Middleware of the project stands around every request."""
    assert project_frame((MIDDLEWARE, frame(layer), frame("json:dumps"))) is None
    assert project_frame((MIDDLEWARE, frame(layer), ours("app:page"))) == 2


@pytest.mark.parametrize(
    "helper",
    [
        "starlette.routing:Router.url_path_for",
        "starlette.requests:Request.json",
        "starlette.responses:JSONResponse.render",
        "starlette.templating:Jinja2Templates.TemplateResponse",
        "fastapi.encoders:jsonable_encoder",
        "otherlib.routing:Router.app",
    ],
)
def test_who_calls_a_helper_of_the_framework_is_to_blame(helper: str) -> None:
    """The framework does not take over: it answers."""
    assert project_frame((ours("app:page"), frame(helper), frame("json:dumps"))) == 0
