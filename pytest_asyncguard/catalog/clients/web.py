"""HTTP clients. They are wrapped above the place where test doubles of the wire take over."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients.build import HTTPX, THREAD, VERBS, calls
from pytest_asyncguard.catalog.rows import Arguments, Call, Keywords, inside


def _unread(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a response has a body that is still on the wire."""
    return bool(args) and not args[0].closed


_REQUESTS: Final = (
    *(
        Call(
            target=f"requests.api:{verb}",
            also=(f"requests:{verb}",),
            name=f"requests.{verb}",
            rule="sync-client",
            by_caller=True,
            twin=HTTPX,
        )
        for verb in VERBS.split()
    ),
    *calls("requests.sessions", "Session.request Session.send", "sync-client", HTTPX),
)

_HTTPX_AND_2: Final = tuple(
    row
    for package in ("httpx", "httpx2")
    for row in (
        *(
            Call(
                target=f"{package}._api:{verb}",
                also=(f"{package}:{verb}",),
                name=f"{package}.{verb}",
                rule="sync-client",
                by_caller=True,
                when=inside,
                twin=HTTPX,
            )
            for verb in f"{VERBS} stream".split()
        ),
        *calls(f"{package}._client", "Client.send", "sync-client", HTTPX),
        # A response that is streamed is read where somebody iterates over it.
        *calls(
            f"{package}._client",
            "BoundSyncStream.__iter__?",
            "sync-client",
            HTTPX,
            public=f"{package}._client",
        ),
    )
)

_URLLIB3: Final = (
    Call(
        target="urllib3:request",
        name="urllib3.request",
        rule="sync-client",
        by_caller=True,
        twin=HTTPX,
        optional=True,
    ),
    *calls(
        "urllib3.connectionpool", "HTTPConnectionPool.urlopen", "sync-client", HTTPX, owned=True
    ),
    *calls("urllib3.poolmanager", "PoolManager.urlopen", "sync-client", HTTPX, owned=True),
    *calls(
        "urllib3.response",
        "HTTPResponse.read HTTPResponse.read1? HTTPResponse.readinto?",
        "sync-client",
        HTTPX,
        when=_unread,
    ),
)

_STDLIB: Final = (
    Call(target="urllib.request:urlopen", rule="sync-client", by_caller=True, twin=HTTPX),
    *calls(
        "urllib.request",
        "OpenerDirector.open urlretrieve",
        "sync-client",
        HTTPX,
        public="urllib.request",
    ),
    *calls(
        "http.client",
        "HTTPConnection.connect HTTPConnection.request HTTPConnection.endheaders "
        "HTTPConnection.send HTTPConnection.getresponse",
        "sync-client",
        HTTPX,
        public="http.client",
    ),
)

ROWS: Final = (
    *_REQUESTS,
    *_HTTPX_AND_2,
    *_URLLIB3,
    *_STDLIB,
    *calls(
        "curl_cffi.requests.session",
        "Session.request?",
        "sync-client",
        "curl_cffi.AsyncSession",
    ),
    *calls("jwt.jwks_client", "PyJWKClient.fetch_data?", "sync-client", THREAD, public="jwt"),
    *(
        Call(
            target=f"niquests.api:{verb}",
            also=(f"niquests:{verb}",),
            name=f"niquests.{verb}",
            rule="sync-client",
            by_caller=True,
            optional=True,
            twin="niquests.AsyncSession",
        )
        for verb in VERBS.split()
    ),
    *calls("niquests.sessions", "Session.request?", "sync-client", "niquests.AsyncSession"),
)
