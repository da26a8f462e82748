"""Passwords: kept only as argon2id hashes, and checked in the same time whoever asks.

At most :data:`AT_ONCE` are hashed at a time, so that many who sign in do not take the memory.
"""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cv_pipeline.inspector.problems import RequestError

SHORTEST = 12
LONGEST = 256
AT_ONCE = 4
_HASHER = PasswordHasher()
_TURN = threading.BoundedSemaphore(AT_ONCE)


class WeakPassword(RequestError):
    """A password cannot be used."""

    status = 422


def require_strength(password: str, *, name: str) -> None:
    """Refuse a password that is easily guessed.

    Raises:
        WeakPassword: it is too short or too long, says the account's name, or repeats few signs.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(
            f"The password has {len(password)} signs, not {SHORTEST} to {LONGEST}.",
            do="Take several words, or let a password manager make one.",
        )
    if name.lower() in password.lower() and len(password) - len(name) < SHORTEST // 2:
        raise WeakPassword("The password is little more than the name.", do="Take another.")
    if len(set(password)) < 5:
        raise WeakPassword("The password has fewer than 5 different signs.", do="Take another.")


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its salt and parameters."""
    with _TURN:
        return _HASHER.hash(password)


def is_password(password: str, hashed: str | None) -> bool:
    """Whether a password is that of a hash; takes as long where there is no hash."""
    known = hashed or _nobodys()
    with _TURN:
        try:
            _HASHER.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False
    return hashed is not None


def is_outdated(hashed: str) -> bool:
    """Whether a hash was made with other parameters than are used now."""
    return _HASHER.check_needs_rehash(hashed)


@cache
def _nobodys() -> str:
    """A hash that stands for accounts that there are not."""
    return _HASHER.hash("the password of nobody")
