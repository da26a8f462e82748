"""How often images may be fetched by signed addresses, and how often a wrong one may be tried."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from cv_pipeline.inspector.access.throttle import network_of
from cv_pipeline.inspector.problems import RequestError

FETCHED = RateLimitItemPerMinute(1200, 1, namespace="fetched")
"""A whole team of annotators may come from one address."""
WRONG = RateLimitItemPerMinute(60, 5, namespace="wrong")


class TooManyFetched(RequestError):
    """Images are fetched, or addresses tried, too often."""

    status = 429

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many images were asked for from here.", do="Wait a little.")
        self.headers = {"Retry-After": str(max(1, math.ceil(seconds)))}


class AddressThrottle:
    """Counts what is fetched by signed addresses, in this process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def fetch(self, address: str) -> None:
        """Count a request, before it is known whether its address is right.

        Raises:
            TooManyFetched: there were too many, or too many wrong ones.
        """
        network = network_of(address)
        if not self._limiter.test(WRONG, network):
            raise TooManyFetched(self._left(WRONG, network))
        if not self._limiter.hit(FETCHED, network):
            raise TooManyFetched(self._left(FETCHED, network))

    def wrong(self, address: str) -> None:
        """Count an address that was not made here."""
        self._limiter.hit(WRONG, network_of(address))

    def _left(self, item: RateLimitItem, network: str) -> float:
        return self._limiter.get_window_stats(item, network).reset_time - time.time()
