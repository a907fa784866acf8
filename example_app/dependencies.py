"""What endpoints ask for in their signatures.

A dependency that only hands something over is ``async def``: a worker thread would cost more than
it does. One that does blocking work is a plain ``def``, and FastAPI gives it a worker thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, cast

import httpx
from fastapi import Depends, Header, HTTPException, status
from fastapi.requests import HTTPConnection
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from example_app.db import Customer
from example_app.services.shipping import Carrier, standard_carrier
from example_app.settings import Settings
from example_app.shop import Shop


async def get_settings(connection: HTTPConnection) -> Settings:
    """Return the settings that the app was made with."""
    return cast(Settings, connection.app.state.settings)


async def get_transport(connection: HTTPConnection) -> httpx.MockTransport | None:
    """Return what stands in for the supplier in tests."""
    return cast("httpx.MockTransport | None", connection.app.state.transport)


async def get_shop(connection: HTTPConnection) -> Shop:
    """Return what start-up opened."""
    return cast(Shop, connection.app.state.shop)


async def get_carrier() -> Carrier:
    """Return the carrier's library; tests put another in its place."""
    return standard_carrier


SettingsDep = Annotated[Settings, Depends(get_settings)]
TransportDep = Annotated[httpx.MockTransport | None, Depends(get_transport)]
ShopDep = Annotated[Shop, Depends(get_shop)]
CarrierDep = Annotated[Carrier, Depends(get_carrier)]


def get_session(shop: ShopDep) -> Iterator[Session]:
    """Lend a session, opened and closed in a worker thread."""
    with shop.database.session() as session:
        yield session


async def get_async_session(shop: ShopDep) -> AsyncIterator[AsyncSession]:
    """Lend an async session."""
    async with shop.database.async_session() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
AsyncSessionDep = Annotated[AsyncSession, Depends(get_async_session)]
TokenDep = Annotated[str, Header(alias="x-token")]


async def current_customer_blocking(session: SessionDep, token: TokenDep) -> Customer:
    """Blocks: an ``async def`` dependency runs on the loop, and so does its sync session."""
    owner = select(Customer).where(Customer.token == token)
    return _known(session.scalar(owner))  # blocks: query-in-dependency


def current_customer_sync(session: SessionDep, token: TokenDep) -> Customer:
    """Clean: a plain ``def`` dependency has a worker thread."""
    return _known(session.scalar(select(Customer).where(Customer.token == token)))


async def current_customer_async(session: AsyncSessionDep, token: TokenDep) -> Customer:
    """Clean: the query is awaited."""
    return _known(await session.scalar(select(Customer).where(Customer.token == token)))


def _known(customer: Customer | None) -> Customer:
    if customer is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    return customer
