"""Password hashes, with as few rounds as they take."""

from __future__ import annotations

RULE = "password-hash"

ROWS = [
    {
        "name": "bcrypt",
        "needs": "bcrypt",
        "setup": "HASH = bcrypt.hashpw(b'a', bcrypt.gensalt(4))",
        "call": "bcrypt.checkpw(b'a', HASH)",
        "found": "bcrypt.checkpw",
        "twin": "bcrypt.gensalt(4)",
    },
    {
        "name": "argon2-cffi",
        "needs": "argon2",
        "setup": """
            HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
            HASH = HASHER.hash("a")
        """,
        "call": "HASHER.verify(HASH, 'a')",
        "found": "argon2.PasswordHasher.verify",
        "twin": "HASHER.check_needs_rehash(HASH)",
    },
    {
        "name": "a context of passlib",
        "needs": "passlib",
        "setup": """
            from passlib.context import CryptContext

            HASHER = CryptContext(["pbkdf2_sha256"], pbkdf2_sha256__rounds=1)
            HASH = HASHER.hash("a")
        """,
        "call": "HASHER.verify('a', HASH)",
        "found": "passlib.context.CryptContext.verify",
        "twin": "HASHER.needs_update(HASH)",
    },
    {
        "name": "a scheme of passlib",
        "needs": "passlib",
        "setup": "from passlib.hash import pbkdf2_sha256",
        "call": "pbkdf2_sha256.using(rounds=1).hash('a')",
        "found": "passlib.utils.handlers.GenericHandler.hash",
    },
    {
        "name": "pwdlib",
        "needs": "pwdlib argon2",
        "setup": """
            from pwdlib.hashers.argon2 import Argon2Hasher

            HASHER = pwdlib.PasswordHash([Argon2Hasher(1, 8, 1)])
        """,
        "call": "HASHER.hash('a')",
        "found": "pwdlib.PasswordHash.hash",
    },
    {
        "name": "PyNaCl",
        "needs": "nacl",
        "setup": "import nacl.pwhash",
        "call": "nacl.pwhash.argon2id.str(b'a', opslimit=1, memlimit=8192)",
        "found": "nacl.pwhash.argon2id.str",
    },
    {
        "name": "scrypt",
        "needs": "scrypt",
        "call": "scrypt.hash('a', 'b', N=2)",
        "found": "scrypt.hash",
    },
    {
        "name": "cryptography's PBKDF2",
        "needs": "cryptography",
        "setup": """
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
        """,
        "call": "PBKDF2HMAC(SHA256(), 32, b's', 1).derive(b'a')",
        "found": "cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC.derive",
    },
    {
        "name": "werkzeug",
        "needs": "werkzeug",
        "setup": "from werkzeug.security import generate_password_hash",
        "call": "generate_password_hash('a', 'pbkdf2:sha256:1')",
        "found": "werkzeug.security.generate_password_hash",
    },
]
