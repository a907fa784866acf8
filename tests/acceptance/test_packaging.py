"""What is built is what is meant to be installed, and it works where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

import pytest

import pytest_asyncguard

CHECKOUT = Path(__file__).parents[2]
DIST_INFO = f"pytest_asyncguard-{pytest_asyncguard.__version__}.dist-info"
LITTER = (".git", ".venv", ".*_cache", ".hypothesis", "build", "dist", "*.egg-info", "__pycache__")


@dataclass(frozen=True, slots=True)
class Distributions:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module", name="built")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Both distributions of a copy of the checkout; the wheel is made of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(CHECKOUT, source, ignore=shutil.ignore_patterns(*LITTER))
    # Without isolation: with the setuptools of the `test` extra, and without asking an index.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


def test_the_wheel_holds_the_package_and_nothing_else(built: Distributions) -> None:
    """Neither the tests nor the sample app land in anyone's site-packages."""
    names = zipfile.ZipFile(built.wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"pytest_asyncguard", DIST_INFO}
    assert {name for name in names if name.endswith(".py")} == python_files("pytest_asyncguard")
    assert "pytest_asyncguard/py.typed" in names
    assert f"{DIST_INFO}/licenses/LICENSE" in names


def test_the_wheel_says_what_it_is(built: Distributions) -> None:
    """Version, licence, Python and requirements are as documented, and pytest finds the plugin."""
    with zipfile.ZipFile(built.wheel) as archive:
        metadata = message_from_string(archive.read(f"{DIST_INFO}/METADATA").decode())
        entry_points = archive.read(f"{DIST_INFO}/entry_points.txt").decode()
    assert metadata["Version"] == pytest_asyncguard.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    required = metadata.get_all("Requires-Dist", [])
    assert [name for name in required if "extra ==" not in name] == ["pytest>=7.4"]
    extras = {"bench", "clients", "example", "lint", "test", "tools"}
    assert set(metadata.get_all("Provides-Extra", [])) == extras
    assert "[pytest11]\nasyncguard = pytest_asyncguard.plugin\n" in entry_points


def test_the_sdist_holds_what_the_tests_need(built: Distributions) -> None:
    """Whoever packages it anew can run the tests on what was packaged."""
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "setup.cfg"}
    for folder in ("example_app", "pytest_asyncguard", "tests"):
        assert names >= python_files(folder)


def test_the_wheel_works_in_an_empty_environment(built: Distributions, tmp_path: Path) -> None:
    """With pytest alone beside it and far from the checkout, it loads and can be switched on."""
    # The one test that asks an index, for pytest: nothing else shows what is really required.
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", built.wheel, cwd=tmp_path)

    project = tmp_path / "project"
    project.mkdir()
    (project / "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
    origin = run(python, "-c", "import pytest_asyncguard as p; print(p.__file__)", cwd=project)
    assert Path(origin.strip()).is_relative_to(environment)
    switched_off = run(python, "-m", "pytest", cwd=project)
    assert "plugins: asyncguard-" in switched_off
    assert "\nasyncguard: " not in switched_off
    switched_on = run(python, "-m", "pytest", "--asyncguard", cwd=project)
    assert "\nasyncguard: " in switched_on
    assert "INACTIVE" not in switched_on


def python_files(folder: str) -> set[str]:
    """The Python files of the checkout below one of its folders, by their path within it."""
    found = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / folder).rglob("*.py")}
    assert found
    return found


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that knows nothing of this test run, and hand over what it printed."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYTEST"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
