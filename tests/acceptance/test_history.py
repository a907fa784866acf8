"""The life of a project that blocks in 30 places: the verdict after each change of its code."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.acceptance.conftest import Project

BASELINE = "asyncguard-baseline.json"
SITE = "\n\nasync def site_{0}():\n    time.sleep(0.0001 * {0})\n"
EACH = 10


def test_a_history(project: Project) -> None:
    """The verdict after each step."""
    for letter, first in (("a", 1), ("b", 11), ("c", 21)):
        project.sites(f"sites_{letter}.py", *range(first, first + EACH))
    project.write("pytest.ini", "[pytest]\n")

    # No baseline: every test fails.
    ran = project.run("-q")
    assert (ran.exit_code, ran.counts, len(ran.failed)) == (1, (30, 0, 0), 30)
    assert "asyncguard: 30 places block the event loop (30 errors)" in ran.output

    # Written down.
    ran = project.update()
    assert (ran.exit_code, ran.counts, ran.failed) == (0, (0, 30, 0), [])
    assert f"asyncguard: wrote {BASELINE}: 30 entries, 30 added, 0 removed" in ran.output
    written = project.path.read_bytes()
    project.write("pytest.ini", f"[pytest]\nasyncguard_baseline = {BASELINE}\n")
    ran = project.run()
    assert (ran.exit_code, ran.counts) == (0, (0, 30, 0))
    assert "asyncguard: no new blocking call in 30 requests" in ran.output

    # Functions moved, lines put in above, and formatted otherwise.
    project.write(
        "sites_a.py",
        '"""New."""\n\nimport time\n\nSPACE = 1\n'
        + "".join(SITE.format(n).replace("0.0001 * ", "0.0001  *  ") for n in range(10, 0, -1)),
    )
    project.edit(
        "sites_a.py",
        "    time.sleep(0.0001  *  7)",
        "\n    if True:\n\n        time.sleep(0.0001 * 7)",
    )
    ran = project.run("--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (0, (0, 30, 0))
    assert project.update().exit_code == 0
    assert project.path.read_bytes() == written

    # A formatter wraps a call.
    project.edit("sites_a.py", "time.sleep(0.0001  *  9)", "time.sleep(\n        0.0001 * 9\n    )")
    ran = project.run("--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (0, (0, 30, 0))

    # A file is renamed; what the team wrote goes with it.
    project.edit(BASELINE, '"reason": null', '"reason": "rewrite in May"')
    (project.folder / "sites_a.py").rename(project.folder / "sites_z.py")
    ran = project.run("--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (0, (0, 30, 0))
    assert "30 entries, 0 added, 0 removed, 10 moved" in project.update().output
    paths = [entry["path"] for entry in project.entries]
    assert (paths.count("sites_a.py"), paths.count("sites_z.py")) == (0, 10)
    assert [e["reason"] for e in project.entries if e["reason"]] == ["rewrite in May"]

    # One site is fixed.
    project.edit("sites_b.py", "time.sleep(0.0001 * 15)", "pass")
    ran = project.run()
    assert (ran.exit_code, ran.counts) == (0, (0, 29, 1))
    assert "1 finding of the baseline not seen" in ran.output
    ran = project.run("--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (1, (0, 29, 1))
    assert "but 1 finding of the baseline not seen (strict)" in ran.output
    assert "29 entries, 0 added, 1 removed" in project.update().output

    # It comes back, and another one is added: two tests fail, and no other.
    project.edit("sites_b.py", "pass", "time.sleep(0.0001 * 15)")
    project.edit(
        "sites_c.py",
        "time.sleep(0.0001 * 25)",
        "time.sleep(0.0001 * 25)\n    time.sleep(0.0001 * 25)",
    )
    ran = project.run()
    assert (ran.exit_code, ran.counts) == (1, (2, 29, 0))
    assert ran.failed == [
        "test_app.py::test_site[/sites_b/site_15]",
        "test_app.py::test_site[/sites_c/site_25]",
    ]


def test_two_branches(small: Project) -> None:
    """What git merges by itself fits the merged code; what it does not is refused until it is."""

    def git(*arguments: str, merges: bool = True) -> None:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        done = subprocess.run(command, cwd=small.folder, check=False, capture_output=True)
        assert (done.returncode == 0) is merges, done.stdout + done.stderr

    def commit() -> None:
        git("add", *(path.name for path in small.folder.glob("sites_*.py")), BASELINE)
        git("commit", "--message", "x")

    # One fixes a site, the other adds one.
    small.sites("sites_b.py", 4)
    small.update()
    git("init", "--initial-branch=main")
    commit()
    git("switch", "--create", "other")
    small.edit("sites_a.py", "time.sleep(0.0001 * 1)", "pass")
    assert "3 entries, 0 added, 1 removed" in small.update().output
    commit()
    git("switch", "main")
    small.sites("sites_b.py", 4, 5)
    assert small.run().counts == (1, 4, 0)
    assert "5 entries, 1 added, 0 removed" in small.update().output
    commit()
    git("merge", "other")
    ran = small.run("--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (0, (0, 4, 0))

    # Both add one, and their entries come to stand on the same line.
    git("switch", "--create", "third")
    small.sites("sites_c.py", 6)
    small.update()
    commit()
    git("switch", "main")
    small.sites("sites_d.py", 7)
    small.update()
    commit()
    git("merge", "third", merges=False)
    half_merged = small.path.read_text(encoding="utf-8")
    lines = half_merged.splitlines()
    number = next(i for i, line in enumerate(lines, 1) if line.startswith("<<<<<<<"))
    refused = f"line {number}: a merge conflict that is not resolved"
    for run in (small.run, small.update):
        ran = run()
        assert (ran.exit_code, ran.report) == (4, {})
        assert f"ERROR: --asyncguard-baseline: '{BASELINE}': {refused}" in ran.output
    assert small.path.read_text(encoding="utf-8") == half_merged

    # Who resolves it takes both sides.
    small.write(BASELINE, "\n".join(each for each in lines if each[:7] not in CONFLICT) + "\n")
    ran = small.run("--asyncguard-strict")
    assert (ran.exit_code, ran.counts) == (0, (0, 6, 0)), ran.output
    small.update()
    assert [entry["path"] for entry in small.entries] == [
        *("sites_a.py", "sites_a.py", "sites_b.py", "sites_b.py", "sites_c.py", "sites_d.py")
    ]


CONFLICT = ("<" * 7, "=" * 7, ">" * 7)
