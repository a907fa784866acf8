"""The supplier's HTTP interface, by a sync and by an async client."""

from __future__ import annotations

from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Suppliers:
    """Both clients, opened once and shared by all requests."""

    client: httpx.Client
    async_client: httpx.AsyncClient

    def stock(self, sku: str) -> int:
        """Ask how many the supplier has; for a worker thread."""
        response = self.client.get(f"/stock/{sku}")  # blocks: supplier-client
        return int(response.raise_for_status().json()["stock"])

    async def stock_async(self, sku: str) -> int:
        """Ask how many the supplier has."""
        response = await self.async_client.get(f"/stock/{sku}")
        return int(response.raise_for_status().json()["stock"])
