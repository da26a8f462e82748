"""The query language of the datalake: text and keywords to one tree, and the tree to SQL.

parse(text) ─────────┐
                     ├─→ QueryNode ─→ compile_query ─→ CompiledQuery
from_keywords(…) ────┘       └─→ to_text
"""

from __future__ import annotations

from cv_pipeline.catalog.query.compile import CompiledQuery, compile_query
from cv_pipeline.catalog.query.keywords import from_keywords
from cv_pipeline.catalog.query.nodes import QueryNode
from cv_pipeline.catalog.query.parse import parse
from cv_pipeline.catalog.query.statement import Parameter, Reference
from cv_pipeline.catalog.query.text import to_text

__all__ = [
    "CompiledQuery",
    "Parameter",
    "QueryNode",
    "Reference",
    "compile_query",
    "from_keywords",
    "parse",
    "to_text",
]
