"""What is allowed on the loop: each does what is a finding where the app does it itself."""

from __future__ import annotations

RULE = ""

FRESH = """
    import importlib.metadata, importlib.resources, inspect, linecache, tokenize, traceback

    @pytest.fixture(autouse=True)
    def forgotten():
        linecache.clearcache()
"""

MODULE = """
    import importlib.util

    NAME = f"fresh_{os.path.basename(os.path.dirname(PATH))}"
    sys.path.append(os.path.dirname(PATH))
    pathlib.Path(PATH).with_name(NAME + ".py").write_text("import json\\nopen(__file__).close()")
"""

ALLOWED = [
    {"name": "an import in an endpoint", "twin": "import wave"},
    {"name": "an import by hand", "setup": MODULE, "twin": "importlib.import_module(NAME)"},
    {
        "name": "looking for a module",
        "setup": MODULE,
        "twin": "assert importlib.util.find_spec(NAME) is not None",
    },
    {"name": "a source line", "setup": FRESH, "twin": "assert linecache.getline(__file__, 2)"},
    {
        "name": "the source of a function",
        "setup": FRESH,
        "twin": "assert inspect.getsource(forgotten)",
    },
    {
        "name": "the encoding of a source file",
        "setup": FRESH,
        "twin": "tokenize.open(__file__).close()",
    },
    {
        "name": "a traceback",
        "setup": FRESH,
        "twin": """
            try:
                1 / 0
            except ZeroDivisionError:
                assert "1 / 0" in traceback.format_exc()
        """,
    },
    {
        "name": "a warning that is shown",
        "setup": "import linecache, warnings\nlinecache.clearcache()",
        "twin": "assert 'import' in warnings.formatwarning('x', Warning, __file__, 2)",
    },
    {
        "name": "the tables of media types",
        "setup": "import mimetypes",
        "twin": "mimetypes.init([__file__])",
    },
    {
        "name": "a time zone",
        "needs": "tzdata",
        "setup": "import zoneinfo\nzoneinfo.ZoneInfo.clear_cache()",
        "twin": "zoneinfo.ZoneInfo('Europe/Paris')",
    },
    {
        "name": "a time zone of a package",
        "needs": "tzdata",
        "setup": """
            import zoneinfo

            @pytest.fixture(autouse=True)
            def without():
                zoneinfo.reset_tzpath([])
                zoneinfo.ZoneInfo.clear_cache()
                yield
                zoneinfo.reset_tzpath()
        """,
        "twin": "zoneinfo.ZoneInfo('Europe/Rome')",
    },
    {
        "name": "a message catalogue",
        "setup": """
            import gettext, struct

            FOLDER = pathlib.Path(PATH).parent / "de" / "LC_MESSAGES"
            FOLDER.mkdir(parents=True)
            (FOLDER / "x.mo").write_bytes(struct.pack("<7I", 0x950412DE, 0, 0, 28, 28, 0, 28))
        """,
        "twin": "gettext.translation('x', FOLDER.parents[1], ['de'])",
    },
    {
        "name": "a debugger",
        "setup": """
            import pdb

            @pytest.fixture(autouse=True)
            def home(monkeypatch):
                pathlib.Path(PATH).with_name(".pdbrc").write_text("continue")
                monkeypatch.setenv("HOME", os.path.dirname(PATH))
                monkeypatch.setattr("sys.stdin", io.StringIO("continue\\n"))
        """,
        "twin": "pdb.Pdb(stdout=io.StringIO(), nosigint=True).runcall(int)",
    },
    {
        "name": "coverage",
        "needs": "coverage",
        "twin": """
            measured = coverage.Coverage(data_file=PATH + ".coverage", messages=False)
            measured.load()
        """,
    },
    {
        "name": "pytest's own work",
        "setup": "from _pytest.pathlib import make_numbered_dir",
        "twin": "make_numbered_dir(pathlib.Path(PATH).parent, 'x')",
    },
    {
        "name": "a request that a test makes of itself",
        "setup": """
            @pytest.fixture(autouse=True)
            def far():
                global FAR
                FAR = TestClient(app)
        """,
        "twin": "await asyncio.to_thread(FAR.get, '/openapi.json')",
    },
    {
        "name": "what FastAPI reads on the first request",
        "twin": "pass",
    },
]

READ = [
    {
        "name": "the metadata of a package",
        "rule": "file",
        "setup": FRESH,
        "call": "importlib.metadata.version('pytest')",
        "found": "importlib.metadata.version",
    },
    {
        "name": "the resources of a package",
        "rule": "file",
        "setup": FRESH,
        "call": "importlib.resources.files('json').joinpath('tool.py').read_text()",
        "found": "pathlib.Path.read_text",
    },
    {
        "name": "a resource that is opened",
        "rule": "file",
        "setup": FRESH,
        "call": "importlib.resources.open_binary('json', 'tool.py').close()",
        "found": "importlib.resources.open_binary",
    },
]

ROWS = [*ALLOWED, *READ]
