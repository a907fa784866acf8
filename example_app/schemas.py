"""What goes over the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ProductOut(BaseModel):
    """A product as a customer sees it."""

    model_config = ConfigDict(from_attributes=True)

    sku: str
    name: str
    price_cents: int
    stock: int


class OrderIn(BaseModel):
    """A new order."""

    sku: str
    quantity: Annotated[int, Field(gt=0)] = 1


class OrderOut(OrderIn):
    """An order that was taken."""

    model_config = ConfigDict(from_attributes=True)

    id: int


class Credentials(BaseModel):
    """What one signs up and logs in with."""

    email: str
    password: str


class CustomerOut(BaseModel):
    """A customer, without secrets."""

    model_config = ConfigDict(from_attributes=True)

    email: str


class Token(BaseModel):
    """What one sends as ``X-Token`` from then on."""

    token: str


class Price(BaseModel):
    """What one product costs."""

    sku: str
    price_cents: int


class Quote(BaseModel):
    """What a parcel costs, and who said so."""

    price_cents: int
    carrier: str


class OrderStep(BaseModel):
    """How far an order has come."""

    order_id: int
    state: str
