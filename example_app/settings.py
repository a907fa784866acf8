"""What the shop is configured with: environment variables that start with ``SHOP_``."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one shop; durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="shop_")

    database: Path = Path("shop.db")
    media: Path = Path("media")
    supplier_url: str = "https://supplier.example"
    scanner_host: str = "127.0.0.1"
    scanner_port: int = 9100

    pbkdf2_rounds: int = 600_000
    scrypt_cost: int = 2**14

    carrier_patience: float = 2.0
    warehouse_patience: float = 2.0
    coupon_pause: float = 0.5
    forecast_seconds: float = 0.3
