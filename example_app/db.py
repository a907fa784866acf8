"""The tables, and the one sqlite file reached in two ways: by a sync and by an async engine."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """The shop's tables."""


class Product(Base):
    """Something to sell."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    price_cents: Mapped[int]
    stock: Mapped[int]


class Customer(Base):
    """Somebody who may order."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    token: Mapped[str] = mapped_column(unique=True)


class Order(Base):
    """What somebody wants."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    quantity: Mapped[int]


class Database:
    """Both engines, with a session factory each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = create_engine(URL.create("sqlite", database=str(path)))
        self.session = sessionmaker(self.engine)
        self.async_engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
        )
        self.async_session = async_sessionmaker(self.async_engine, expire_on_commit=False)
