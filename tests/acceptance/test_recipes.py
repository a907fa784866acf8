"""The recipes of docs/ci.md: the commands in them run as they stand there, and do what is said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import pytest

from pytest_asyncguard.cli import main

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SECTIONS: Final = dict(re.findall(r"^##+ (.+)\n((?:(?!^##).*\n)*)", TEXT, re.MULTILINE))
COMMAND: Final = re.compile(
    r"^ *- run: (?P<actions>.+)|^    - (?P<gitlab>(?:python|asyncguard) .+)|^ *sh '(?P<jenkins>.+)'"
    r"|^ *entry: (?P<hook>.+)|^(?P<shell>(?:exec )?python .+)",
    re.MULTILINE,
)
NOT_HERE: Final = ("pip install", "-m venv", "gh pr comment")
"""What needs the network: an index of packages, or GitHub."""

COMMAND_LINE: Final = "import sys; from pytest_asyncguard.cli import main; sys.exit(main())"

APP = """
import asyncio
import time

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def block(request):
    time.sleep(0.001)
    return PlainTextResponse("done")


app = Starlette(routes=[Route("/block", block)])


def get(path):
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": b"", "headers": [], "client": ("c", 1), "server": ("s", 80),
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    asyncio.run(app(scope, receive, send))
"""
TEST = "from app import get\n\n\ndef test_block():\n    get('/block')\n"


def commands(section: str) -> list[str]:
    """What a recipe has a shell do, one line each; of a matrix once for each of its parts."""
    text = SECTIONS[section]
    (parts,) = re.findall(r"part: \[(.+)\]", text) or [""]
    found = []
    for match in COMMAND.finditer(text):
        line = next(each for each in match.groups() if each)
        names = parts.split(", ") if "matrix.part" in line else [""]
        found += [line.replace("${{ matrix.part }}", name) for name in names]
    return [line for line in found if not any(each in line for each in NOT_HERE)]


class Ci:
    """A machine with a project checked out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "app.py").write_text(APP)
        (folder / "conftest.py").write_text("")
        for part in ("unit", "api", "jobs"):
            (folder / "tests" / part).mkdir(parents=True)
            (folder / "tests" / part / f"test_{part}.py").write_text(TEST)
        binaries = folder / ".venv" / "bin"
        binaries.mkdir(parents=True)
        for name, target in (("python", ""), ("asyncguard", f" -c '{COMMAND_LINE}'")):
            path = binaries / name
            path.write_text(f'#!/bin/sh\nexec {sys.executable}{target} "$@"\n')
            path.chmod(0o755)

    def run(self, command: str) -> tuple[int, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "COV_", "GITHUB_", "CI"))
        }
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env={
                **kept,
                "PATH": f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_PLUGINS": "pytest_asyncguard.plugin",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(name="ci")
def _ci(tmp_path: Path) -> Ci:
    if sys.platform == "win32":
        pytest.skip("the recipes are for a POSIX shell")
    return Ci(tmp_path)


RECIPES = {
    "GitHub Actions": ([1], {"asyncguard.sarif": "AG101"}),
    "A comment in the pull request": ([1], {"asyncguard.md": "1 place blocks the event loop"}),
    "Tests in several jobs": (
        [0, 0, 0, 0, 0, 1],
        {"all.json": "AG101", "asyncguard.sarif": "AG101", "jobs.json": "AG101"},
    ),
    "GitLab CI": ([1], {"gl-code-quality-report.json": "AG101", "junit.xml": "AG101 sleep app.py"}),
    "Jenkins": ([1], {"asyncguard.sarif": "AG101", "junit.xml": "AG101 sleep app.py"}),
    "Before a push": ([1, 1], {}),
    "Anywhere else": ([1], {"asyncguard.json": "AG101", "asyncguard.html": "1 place blocks"}),
}
"""By section: the exit status of each of its commands, and the files with what is in them."""


def test_every_recipe_is_run() -> None:
    """A section with a command that is not in the table would not be tested."""
    assert {section for section in SECTIONS if commands(section)} == set(RECIPES)


@pytest.mark.parametrize("section", RECIPES)
def test_the_commands_of_a_recipe(ci: Ci, section: str) -> None:
    """A project in which something blocks fails where it is said, and the files are there."""
    statuses, wanted = RECIPES[section]
    for command, status in zip(commands(section), statuses, strict=True):
        code, output = ci.run(command)
        assert code == status, f"{command}\n{output}"
        if status:
            assert "1 place blocks the event loop (1 error)" in output
    for name, content in wanted.items():
        assert content in (ci.folder / name).read_text(encoding="utf-8")
        assert name.replace("jobs", "${{ matrix.part }}") in SECTIONS[section]
    if "junit.xml" in wanted:
        properties = ET.parse(ci.folder / "junit.xml").getroot().iter("property")
        assert len([each for each in properties if each.get("name") == "asyncguard"]) == 3


def test_the_files_that_are_uploaded_are_written(ci: Ci) -> None:
    """Each that a recipe hands on is the output of one of its commands."""
    for section in RECIPES:
        text = SECTIONS[section]
        handed = re.findall(r"^ *(?:sarif_file|codequality|junit|path): (\S+)$", text, re.MULTILINE)
        handed += re.findall(r"(?:junit|pattern:) '([^']+)'", text)
        made = " ".join(commands(section))
        assert [name for name in handed if name not in made] == [], section


def test_what_is_shown_of_junit_is_what_is_written(ci: Ci) -> None:
    """The example's attributes have the form of the real ones."""
    ci.run(commands("Jenkins")[0])
    case = next(ET.parse(ci.folder / "junit.xml").getroot().iter("testcase"))
    (shown,) = re.findall(r"```xml\n(.*?)```", SECTIONS["Jenkins"], re.DOTALL)
    example = ET.fromstring(shown)
    for path in ("properties/property", "failure"):
        real, told = case.find(path), example.find(path)
        assert real is not None
        assert told is not None
        assert real.keys() == told.keys()
    form = r"AG101 sleep \S+\.py:\d+ (<1|\d+) ms"
    for each in (case, example):
        made = each.find("properties/property")
        assert made is not None
        assert re.fullmatch(form, made.get("value", ""))
        failure = each.find("failure")
        assert failure is not None
        assert re.fullmatch(r"AG101 time\.sleep at \S+\.py:\d+", failure.get("message", ""))


def test_unused_ignores_of_shards_need_their_sources(
    ci: Ci, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that joins the parts checks out the project, as its recipe does."""
    last = SECTIONS["Tests in several jobs"].rpartition("runs-on:")[2]
    assert "actions/checkout" in last
    app = APP.replace("time.sleep(0.001)", "time.sleep(0.001)  # asyncguard: ignore[file] x")
    (ci.folder / "app.py").write_text(app)
    assert ci.run(commands("Tests in several jobs")[0])[0] == 0
    monkeypatch.chdir(ci.folder)
    assert main(["merge", "unit.json", "-o", "all.json", "--complete"]) == 0
    assert len(json.loads((ci.folder / "all.json").read_bytes())["unused_ignores"]) == 1
