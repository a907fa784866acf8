"""Where a known call is no finding, each with its reason.

A row counts for what happens between the user's own line and the call. It does not excuse user
code which these functions call, but for those of ``TEST_CLIENTS``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pytest_asyncguard.catalog.rows import Allowance

# Not all of importlib: its metadata and resources read files each time that they are asked.
_IMPORTS: Final = (
    Allowance(
        module="importlib",
        functions=("__import__", "import_module", "reload"),
        reason="importing a module happens once per process",
    ),
    Allowance(
        module="importlib.util",
        functions=("find_spec",),
        reason="a module is looked for before it is imported",
    ),
    *(
        Allowance(module=module, reason="importing a module happens once per process")
        for module in ("importlib._bootstrap", "importlib._bootstrap_external", "zipimport")
    ),
)

_VALIDATORS: Final = tuple(
    Allowance(
        module=f"pydantic._internal.{module}",
        reason="pydantic builds a validator once per model",
        stalls=True,
    )
    for module in ("_model_construction", "_generate_schema", "_dataclasses")
)

ALLOWANCES: Final = (
    *_IMPORTS,
    Allowance(module="linecache", reason="source lines for a traceback are read once and cached"),
    Allowance(module="inspect", reason="source code is read once and cached"),
    Allowance(module="tokenize", reason="source code is read once and cached"),
    Allowance(module="traceback", reason="formatting a traceback reads source lines, then cached"),
    Allowance(module="warnings", reason="showing a warning reads its source line"),
    Allowance(
        module="mimetypes",
        functions=("init", "MimeTypes.read", "MimeTypes.__init__", "MimeTypes.readfp"),
        reason="the tables of media types are read once per process",
    ),
    Allowance(module="platform", reason="the platform is asked once per process"),
    Allowance(module="zoneinfo", reason="time zones are read once and cached"),
    Allowance(module="locale", reason="locale tables are read once per process"),
    Allowance(module="gettext", reason="message catalogues are read once and cached"),
    Allowance(module="encodings", reason="codecs are looked up once per process"),
    Allowance(module="pdb", reason="a breakpoint is not a blocking call", stalls=True),
    Allowance(module="bdb", reason="a breakpoint is not a blocking call", stalls=True),
    Allowance(module="pydevd", reason="a breakpoint is not a blocking call", stalls=True),
    Allowance(module="_pydevd_bundle", reason="a breakpoint is not a blocking call", stalls=True),
    Allowance(
        module="_pydevd_frame_eval", reason="a breakpoint is not a blocking call", stalls=True
    ),
    Allowance(module="debugpy", reason="a breakpoint is not a blocking call", stalls=True),
    Allowance(module="coverage", reason="measuring coverage is the test run's own work"),
    Allowance(
        module="_pytest", reason="pytest's capture and assertion rewriting are not the app's"
    ),
    Allowance(module="pytest", reason="pytest's own work is not the app's"),
    Allowance(module="starlette.testclient", reason="the test client is the test's, not the app's"),
    *(
        Allowance(module=module, reason="a test double is the test's own work")
        for module in (
            "unittest.mock",
            "aioresponses",
            "fakeredis",
            "moto",
            "pytest_httpx",
            "pytest_mock",
            "requests_mock",
            "responses",
            "respx",
            "vcr",
        )
    ),
    Allowance(
        module="threading",
        functions=("Thread.start",),
        reason="a thread that starts says so within microseconds",
    ),
    Allowance(
        module="concurrent.futures.thread",
        functions=("ThreadPoolExecutor.shutdown",),
        reason="idle threads end within microseconds; shutdown tells whether they are",
    ),
    *(
        Allowance(
            module=module,
            reason="asyncio waits for child processes and pipes without blocking",
        )
        for module in ("asyncio.unix_events", "asyncio.windows_events", "asyncio.base_subprocess")
    ),
    Allowance(
        module="concurrent.futures.process",
        functions=("ProcessPoolExecutor.submit",),
        reason="a process pool starts its workers once",
    ),
    Allowance(
        module="redis.utils",
        functions=("get_lib_version",),
        reason="a client tells its own version, and nobody can keep it from that",
    ),
    Allowance(module="botocore.loaders", reason="the models of a service are read once and cached"),
    Allowance(module="jinja2.loaders", reason="a template is read once, then compiled and cached"),
    # Not all of pydantic: functions under its validate_call are the ones that they are.
    *(replace(row, stalls=False) for row in _VALIDATORS),
)

TEST_CLIENTS: Final = tuple(
    Allowance(module=module, functions=functions, reason="what a request sends is the test's own")
    for module, functions in (
        *(
            (
                f"{package}._transports.asgi",
                tuple(
                    f"ASGITransport.handle_async_request.<locals>.{name}"
                    for name in ("receive", "send")
                ),
            )
            for package in ("httpx", "httpx2")
        ),
        (
            "starlette.testclient",
            tuple(
                f"_TestClientTransport.handle_request.<locals>.{name}"
                for name in ("receive", "send")
            ),
        ),
    )
)
"""What an app calls of its client's: it iterates over the body that the test has written."""

ONCE: Final = (
    Allowance(
        module="concurrent.futures.process",
        functions=("ProcessPoolExecutor.submit",),
        reason="a process pool starts its workers once",
    ),
    *_IMPORTS,
    # What a framework builds for itself on an app's first request is nobody's to mend.
    Allowance(
        module="fastapi.applications",
        functions=("FastAPI.openapi", "FastAPI.setup", "FastAPI.build_middleware_stack"),
        reason="FastAPI builds its schema and middleware once",
        stalls=True,
    ),
    Allowance(module="fastapi.openapi", reason="FastAPI builds its schema once", stalls=True),
    Allowance(
        module="fastapi.routing",
        functions=(
            "_extract_endpoint_context",
            "_populate_api_route_state",
            "_EffectiveRouteContext.from_api_route",
            "_IncludedRouter._build_effective_context",
            "_IncludedRouter.effective_candidates",
        ),
        reason="FastAPI builds its routes on the first request, and reads the endpoint's source",
        stalls=True,
    ),
    Allowance(
        module="fastapi.dependencies.utils",
        functions=("get_dependant", "get_flat_dependant", "analyze_param"),
        reason="FastAPI reads the signature of a dependency once",
        stalls=True,
    ),
    Allowance(
        module="starlette.applications",
        functions=("Starlette.build_middleware_stack",),
        reason="Starlette builds its middleware once",
        stalls=True,
    ),
    *_VALIDATORS,
    Allowance(
        module="jinja2.environment",
        functions=("Environment.compile", "Environment.get_template", "Environment._load_template"),
        reason="a template is read once, then compiled and cached",
    ),
    Allowance(
        module="inspect",
        functions=("getsourcelines", "getsource", "findsource"),
        reason="source code is read once and cached",
    ),
)
"""Work done once per process or app: a stall of it is a warning, and with ``stalls`` nothing."""
