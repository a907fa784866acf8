"""Accounts: password hashes, and who is asking."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, status
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select

from example_app.db import Customer
from example_app.dependencies import (
    AsyncSessionDep,
    SessionDep,
    SettingsDep,
    current_customer_async,
    current_customer_blocking,
    current_customer_sync,
)
from example_app.schemas import Credentials, CustomerOut, Token
from example_app.services import passwords

router = APIRouter()


@router.post("/blocking", status_code=status.HTTP_201_CREATED)
async def sign_up_blocking(
    form: Credentials, session: AsyncSessionDep, settings: SettingsDep
) -> Token:
    """Blocks: the database is awaited, but the hash is computed on the loop."""
    password = passwords.hash_password(form.password, cost=settings.scrypt_cost)
    customer = _customer(form, password)
    session.add(customer)
    await session.commit()
    return Token(token=customer.token)


@router.post("/sync", status_code=status.HTTP_201_CREATED)
def sign_up_sync(form: Credentials, session: SessionDep, settings: SettingsDep) -> Token:
    """Clean: a worker thread computes the hash and writes the row."""
    password = passwords.hash_password(form.password, cost=settings.scrypt_cost)
    customer = _customer(form, password)
    token = customer.token
    session.add(customer)
    session.commit()
    return Token(token=token)


@router.post("/async", status_code=status.HTTP_201_CREATED)
async def sign_up_async(
    form: Credentials, session: AsyncSessionDep, settings: SettingsDep
) -> Token:
    """Clean: a worker thread computes the hash, and the endpoint awaits it."""
    password = await run_in_threadpool(
        passwords.hash_password, form.password, cost=settings.scrypt_cost
    )
    customer = _customer(form, password)
    session.add(customer)
    await session.commit()
    return Token(token=customer.token)


@router.post("/login/blocking")
async def log_in_blocking(form: Credentials, session: AsyncSessionDep) -> Token:
    """Blocks: to check a password costs what it cost to hash it."""
    customer = await session.scalar(select(Customer).where(Customer.email == form.email))
    if customer is None or not passwords.verify(form.password, customer.password):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    return Token(token=customer.token)


@router.post("/login/sync")
def log_in_sync(form: Credentials, session: SessionDep) -> Token:
    """Clean: a worker thread checks the password."""
    customer = session.scalar(select(Customer).where(Customer.email == form.email))
    if customer is None or not passwords.verify(form.password, customer.password):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    return Token(token=customer.token)


@router.post("/login/async")
async def log_in_async(form: Credentials, session: AsyncSessionDep) -> Token:
    """Clean: a worker thread checks the password, and the endpoint awaits it."""
    customer = await session.scalar(select(Customer).where(Customer.email == form.email))
    if customer is None or not await run_in_threadpool(
        passwords.verify, form.password, customer.password
    ):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    return Token(token=customer.token)


@router.get("/me/blocking", response_model=CustomerOut)
async def me_blocking(
    customer: Annotated[Customer, Depends(current_customer_blocking)],
) -> Customer:
    """Blocks before it begins, in its dependency."""
    return customer


@router.get("/me/sync", response_model=CustomerOut)
async def me_sync(customer: Annotated[Customer, Depends(current_customer_sync)]) -> Customer:
    """Clean: the dependency is a plain ``def``."""
    return customer


@router.get("/me/async", response_model=CustomerOut)
async def me_async(customer: Annotated[Customer, Depends(current_customer_async)]) -> Customer:
    """Clean: the dependency awaits."""
    return customer


def _customer(form: Credentials, password: str) -> Customer:
    return Customer(email=form.email, password=password, token=secrets.token_urlsafe())
