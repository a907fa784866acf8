"""All the routes of the shop, as the census names them."""

from __future__ import annotations

from fastapi.routing import APIWebSocketRoute

from example_app.admin import create_admin
from example_app.main import app
from example_app.routers import products
from example_app.settings import Settings

VERSIONS = ("blocking", "sync", "async")


def all_routes() -> frozenset[str]:
    """Read the routes off the OpenAPI documents, and the websockets off their router."""
    routes = {
        f"{method.upper()} {prefix}{path}"
        for prefix, schema in (("", app.openapi()), ("/admin", create_admin(Settings()).openapi()))
        for path, methods in schema["paths"].items()
        for method in methods
    }
    websockets = (row for row in products.router.routes if isinstance(row, APIWebSocketRoute))
    return frozenset(routes | {f"WEBSOCKET /products{row.path}" for row in websockets})
