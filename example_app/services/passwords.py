"""Password hashes: scrypt for new customers, PBKDF2 for those who came from the old shop.

Both are slow on purpose, so neither belongs on the event loop, however small a test makes the cost.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets


def hash_password(password: str, *, cost: int) -> str:
    """Hash a new password."""
    salt = secrets.token_bytes(16)
    return f"scrypt${cost}${salt.hex()}${_scrypt(password, salt, cost)}"


def hash_imported(password: str, *, rounds: int) -> str:
    """Hash a password as the old shop did."""
    salt = secrets.token_bytes(16)
    return f"pbkdf2${rounds}${salt.hex()}${_pbkdf2(password, salt, rounds)}"


def verify(password: str, stored: str) -> bool:
    """Say whether that is the password."""
    scheme, cost, salt, digest = stored.split("$")
    derive = _scrypt if scheme == "scrypt" else _pbkdf2
    return hmac.compare_digest(derive(password, bytes.fromhex(salt), int(cost)), digest)


def _scrypt(password: str, salt: bytes, cost: int) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=8, p=1).hex()  # blocks: scrypt


def _pbkdf2(password: str, salt: bytes, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds).hex()  # blocks: pbkdf2
