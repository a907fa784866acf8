"""Middleware of the shop and of its back office."""

from __future__ import annotations

import asyncio
import time

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class SlowDownGuessing:
    """Let whoever tries coupon codes wait a little, once by blocking and once by awaiting."""

    def __init__(self, app: ASGIApp, *, pause: float) -> None:
        self.app = app
        self.pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then go on. The first branch blocks: middleware always runs on the loop."""
        if scope["type"] == "http":
            if scope["path"].startswith("/coupons/blocking/"):
                time.sleep(self.pause)  # blocks: sleep-in-middleware
            elif scope["path"].startswith("/coupons/async/"):
                await asyncio.sleep(self.pause)
        await self.app(scope, receive, send)


class ProcessTime(BaseHTTPMiddleware):
    """Say in a header how long the back office took."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Measure the rest of the app; clean."""
        start = time.perf_counter()
        response = await call_next(request)
        response.headers["x-process-time"] = f"{time.perf_counter() - start:.6f}"
        return response
