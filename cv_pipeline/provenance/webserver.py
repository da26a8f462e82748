"""Dagster's webserver, asked over GraphQL."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dagster_graphql import DagsterGraphQLClient


def webserver(address: str, *, patience: int) -> DagsterGraphQLClient:
    """A client of a webserver, which is asked for its version at once.

    Args:
        address: such as ``http://127.0.0.1:3000``.
        patience: seconds that it is given for an answer.

    Raises:
        DagsterGraphQLClientError: it does not answer as a webserver does.
        OSError: nothing answers there.
        ValueError: it is no address.
    """
    from dagster_graphql import DagsterGraphQLClient

    parts = urlsplit(address)
    return DagsterGraphQLClient(
        parts.hostname or "",
        port_number=parts.port,
        use_https=parts.scheme == "https",
        timeout=patience,
    )
