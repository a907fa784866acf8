"""Password hashes: slow by design, however few rounds a test uses."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients.build import calls, of
from pytest_asyncguard.catalog.rows import Call

_THREAD: Final = "await run_in_threadpool(...)"


def _hashes(module: str, names: str, public: str = "") -> tuple[Call, ...]:
    return calls(module, names, "password-hash", _THREAD, public=public)


_CIPHERS: Final = "cryptography.hazmat.primitives.kdf"

ROWS: Final = (
    *_hashes("hashlib", "pbkdf2_hmac scrypt?"),
    *_hashes("bcrypt", "hashpw checkpw kdf"),
    *_hashes("argon2._password_hasher", of("PasswordHasher", "hash verify")),
    *_hashes("argon2.low_level", "hash_secret hash_secret_raw verify_secret", "argon2.low_level"),
    *_hashes(
        "passlib.context",
        of("CryptContext", "hash verify verify_and_update dummy_verify?"),
        "passlib.context",
    ),
    *_hashes(
        "passlib.utils.handlers", of("GenericHandler", "hash verify"), "passlib.utils.handlers"
    ),
    *_hashes("pwdlib._hash", of("PasswordHash", "hash verify verify_and_update")),
    *_hashes("nacl.pwhash.argon2id", "kdf str verify", "nacl.pwhash.argon2id"),
    *_hashes("nacl.pwhash.argon2i", "kdf str verify", "nacl.pwhash.argon2i"),
    *_hashes("nacl.pwhash.scrypt", "kdf str verify", "nacl.pwhash.scrypt"),
    *_hashes("scrypt", "hash? encrypt? decrypt?"),
    *_hashes(f"{_CIPHERS}.pbkdf2", of("PBKDF2HMAC", "derive? verify?"), f"{_CIPHERS}.pbkdf2"),
    *_hashes(f"{_CIPHERS}.scrypt", of("Scrypt", "derive? verify?"), f"{_CIPHERS}.scrypt"),
    *_hashes(f"{_CIPHERS}.argon2", of("Argon2id", "derive? verify?"), f"{_CIPHERS}.argon2"),
    *_hashes(
        "werkzeug.security", "generate_password_hash check_password_hash", "werkzeug.security"
    ),
    *_hashes(
        "django.contrib.auth.hashers", "make_password check_password", "django.contrib.auth.hashers"
    ),
)
