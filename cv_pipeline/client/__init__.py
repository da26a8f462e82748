"""The Python client of the inspector: what its pages do, from a notebook or a program.

    from cv_pipeline.client import Client

    fruit = Client("http://127.0.0.1:8000", token="cvp_…").project("fruit")
    found = fruit.query(tags_count=0, metadata={"scene": "outdoor"}, date_range="2025-Q4")
    for image in found:
        print(image.path, image.item.score)

Nothing is downloaded but what is asked for.
"""

from __future__ import annotations

from cv_pipeline.client.client import Client
from cv_pipeline.client.connection import ClientError

__all__ = ["Client", "ClientError"]
