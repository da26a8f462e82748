"""How often somebody may try to sign in: guessing takes too long to succeed.

It counts by the name that is tried, whether or not there is such an account, so that an answer does
not tell which names there are.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Iterator

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import Engine

from cv_pipeline.inspector.access.tries import TriesInDatabase
from cv_pipeline.inspector.problems import RequestError

BY_ADDRESS = RateLimitItemPerMinute(30, 5, namespace="address")
BY_NAME_HERE = RateLimitItemPerMinute(5, 15, namespace="name-here")
BY_NAME = RateLimitItemPerMinute(20, 15, namespace="name")
_TOLD = RateLimitItemPerMinute(1, 1, namespace="told")


class TooManyTries(RequestError):
    """Somebody tried to sign in too often.

    Attributes:
        news: whether it was not said in the last minute, so that a log of it stays short.
    """

    status = 429

    def __init__(self, seconds: float, *, news: bool) -> None:
        minutes = max(1, math.ceil(seconds / 60))
        super().__init__(
            "There were too many tries to get in.",
            do=f"Try again in {minutes} minute{'' if minutes == 1 else 's'}.",
        )
        self.headers = {"Retry-After": str(max(1, math.ceil(seconds)))}
        self.news = news


class Throttle:
    """Counts tries to sign in, of all processes of a database; a restart forgets none.

    Args:
        database: the inspector's own state.
    """

    def __init__(self, database: Engine) -> None:
        self._limiter = MovingWindowRateLimiter(TriesInDatabase(database))

    def count(self, *, name: str = "", address: str) -> None:
        """Count a try, before it is known whether it succeeds.

        Args:
            name: of the account that is tried; empty where none is named.
            address: from where.

        Raises:
            TooManyTries: there were too many; whether the password is right is not looked at.
        """
        network = network_of(address)
        for item, key in _keys(name, network):
            if not self._limiter.hit(item, *key):
                reset = self._limiter.get_window_stats(item, *key).reset_time
                news = self._limiter.hit(_TOLD, network)
                raise TooManyTries(reset - time.time(), news=news)

    def succeeded(self, *, name: str, address: str) -> None:
        """Forget the tries of somebody who signed in."""
        for item, key in _keys(name, network_of(address)):
            if item is not BY_ADDRESS:
                self._limiter.clear(item, *key)


def _keys(name: str, network: str) -> Iterator[tuple[RateLimitItem, tuple[str, ...]]]:
    yield BY_ADDRESS, (network,)
    if not name:
        return
    yield BY_NAME_HERE, (name, network)
    yield BY_NAME, (name,)


def network_of(address: str) -> str:
    """An address, or the network that one customer has all of."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped  # a socket for both kinds names IPv4 clients so
    if ip.version == 4:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False))
