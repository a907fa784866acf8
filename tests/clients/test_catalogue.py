"""Each row of the catalogue fits its library, and is used in the tables or says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from pytest_asyncguard.catalog import clients, stdlib
from pytest_asyncguard.catalog.clients import databases
from pytest_asyncguard.catalog.rows import Call

LOOK = """
import importlib, inspect, json, sys, warnings

warnings.simplefilter("ignore")
found = {}
for target in json.load(sys.stdin):
    module, _, attribute = target.partition(":")
    try:
        owner = importlib.import_module(module)
    except Exception as error:
        top = module.partition(".")[0]
        found[target] = "not installed" if top not in sys.modules else "no module"
        continue
    *path, name = attribute.split(".")
    for part in path:
        owner = getattr(owner, part, None)
    if inspect.getattr_static(owner, name, None) is None:
        found[target] = "not found"
    elif path:
        try:
            owner._asyncguard_probe = None
            del owner._asyncguard_probe
        except TypeError:
            found[target] = "immutable"
print("\\n" + json.dumps(found))
"""

CALLS = (*stdlib.CALLS, *clients.CALLS)

NOWHERE = {
    "MySQLdb": "mysqlclient has to be compiled",
    "pyodbc": "it needs a library of the system",
    "nntplib": "Python 3.13 has it no more",
    "telnetlib": "Python 3.13 has it no more",
    "niquests": "it puts another urllib3 in the place of the one that others need",
}
"""What even CI does not have, and why."""

UNUSED = {
    "selectors:DevpollSelector.*": "of Solaris",
    "selectors:KqueueSelector.*": "of BSD and macOS",
    "signal:pause": "nothing but a signal's handler ends it",
    "os:sync": "it flushes every disk of the machine",
    "niquests.*": "it puts another urllib3 in the place of the one that others need",
    "ldap.*": "python-ldap has to be compiled",
    "MySQLdb*": "mysqlclient has to be compiled",
    "pyodbc:*": "it needs a library of the system",
    "elasticsearch.transport:*": "of releases up to 7",
    "clickhouse_connect.driver.httpclient:*": "of releases up to 0.9",
    "tokenizers:*": "it downloads from a host that cannot be replaced",
    "duckdb:DuckDBPyRelation.pl": "as its df, with a library more",
    "paramiko.client:SSHClient.*": "it needs somebody who lets it in",
    "paramiko.transport:Transport.connect": "it needs somebody who lets it in",
    "paramiko.sftp_*": "it needs somebody who lets it in",
    "paramiko.channel:*": "it needs somebody who lets it in",
    "ldap3.core.connection:Connection.extended": "its double has none",
    "ldap3.core.connection:Connection.start_tls": "its double has none",
    "redis.cluster:*": "it needs six servers",
    "kafka.producer.*": "none is made without a broker",
    "kafka.consumer.*": "none is made without a broker",
    "pika.*": "none is made without a broker",
    "pymongo.*CommandCursor.*": "none is made without a server; mongomock's is used",
    "pymysql.connections:*": "none is made without a server",
    "mysql.connector.*": "none is made without a server",
    "oracledb.c*": "none is made without a server",
    "cassandra.cluster:Session.*": "none is made without a server",
    "neo4j._sync.work.transaction:*": "none is made without a server",
    **({"time.sleep": "CPython raises it from 3.13 on"} if sys.version_info < (3, 13) else {}),
}
"""The rows that no table uses, and why."""


@pytest.fixture(name="looked", scope="module")
def _looked() -> dict[str, str]:
    """What is wrong with each target, looked at in a process that imports all the libraries."""
    targets = [row.target for row in CALLS] + [row.target for row in clients.CLIENTS]
    answer = subprocess.run(
        [sys.executable, "-c", LOOK],
        input=json.dumps(targets),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    looked: dict[str, str] = json.loads(answer.stdout.splitlines()[-1])
    return looked


def _target(row: Any) -> str:
    return str(row.target)


@pytest.mark.parametrize("row", [row for row in CALLS if not row.optional], ids=_target)
def test_a_row_fits_its_library(looked: dict[str, str], row: Call) -> None:
    """A target that is in every version is in this one, and can be replaced."""
    wrong = looked.get(row.target)
    if wrong == "not installed" or (wrong == "no module" and row.also):
        pytest.skip(f"{row.target}: {wrong}")
    assert wrong is None


@pytest.mark.parametrize("row", clients.CLIENTS, ids=_target)
def test_a_client_is_where_it_is_looked_for(looked: dict[str, str], row: Any) -> None:
    """What is to be recognized when a test replaces it has to be there before."""
    wrong = looked.get(row.target)
    if wrong == "not installed":
        pytest.skip(f"{row.target}: {wrong}")
    assert wrong in (None, "immutable")


def test_every_row_is_used_or_says_why_not(looked: dict[str, str], runs: Any) -> None:
    """A row whose call was never made on the loop proves nothing."""
    watched = (*CALLS, *databases.PSYCOPG2_CONNECTION, *databases.PSYCOPG2_CURSOR)
    unused = {
        row.target
        for row in watched
        if not {row.target, *row.also} & runs.made
        and looked.get(row.target) not in ("not installed", "not found", "no module")
    }
    unused |= {event for event in stdlib.AUDIT if event not in runs.made}
    excused = {target for target in unused for name in UNUSED if fnmatchcase(target, name)}
    assert unused - excused == set()


@pytest.mark.parametrize("pattern", UNUSED)
def test_an_excuse_is_for_a_row_that_no_table_uses(runs: Any, pattern: str) -> None:
    """Where all that it matches is used by now, or is no more, it is none."""
    targets = {row.target for row in CALLS} | set(stdlib.AUDIT)
    assert {target for target in targets - runs.made if fnmatchcase(target, pattern)}


def test_ci_skips_no_row(all_rows: Any, there: frozenset[str]) -> None:
    """Where README's command has installed the libraries and ``.ci/run`` the servers."""
    if os.environ.get("CI") != "true" or sys.version_info >= (3, 14):
        pytest.skip("in CI, on the versions of Python for which the libraries have wheels")
    lacking = {name for row in all_rows for name in row.missing(there)}
    assert lacking <= NOWHERE.keys()


def test_a_row_that_does_not_fit_is_named_once(run_guarded: Any, pytester: Any) -> None:
    """The run goes on, and what is still there of the library is watched."""
    package = Path(pytester.path) / "paramiko"
    package.mkdir()
    package.joinpath("__init__.py").write_text("from paramiko.client import SSHClient\n")
    package.joinpath("client.py").write_text(
        "class SSHClient:\n"
        "    def connect(self, host): ...\n"
        "    exec_command = invoke_shell = connect\n"
    )
    run = run_guarded(
        """
        import paramiko
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/")
        async def index():
            paramiko.SSHClient().connect("x")
        """,
        """
        from app import app
        from fastapi.testclient import TestClient

        def test_index():
            assert TestClient(app).get("/").status_code == 200

        def test_again():
            assert TestClient(app).get("/").status_code == 200
        """,
    )
    told = [line for line in run.result.outlines if "not found" in line]
    assert len(told) == 1, run.result.outlines
    assert "asyncguard: paramiko: paramiko.client:SSHClient.open_sftp not found" in told[0]
    assert [finding["call"] for finding in run.report["findings"]] == ["paramiko.SSHClient.connect"]
