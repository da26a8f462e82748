"""Reading JSON from outside: whatever the bytes are, the answer is a document or a refusal."""

from __future__ import annotations

import json
from typing import Any

from cv_pipeline.annotations.raw import ExportBuilder


def read_json(export: ExportBuilder, path: str, data: bytes) -> Any:
    """Return the document in ``data``; None when there is none, which ``export`` then records."""
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        export.refuse(path, where, "not_json", f"Not valid JSON: {error.msg}, {where}.")
    except UnicodeDecodeError as error:
        where = f"byte {error.start}"
        export.refuse(path, where, "not_utf8", f"Not UTF-8 text: {error.reason}, {where}.")
    except RecursionError:
        export.refuse(path, "", "not_json", "Nested too deeply to be an export.")
    except ValueError as error:  # a number of thousands of digits
        export.refuse(path, "", "not_json", f"Not valid JSON: {error}.")
    else:
        if document is None:
            export.refuse(path, "", "not_json", "The document is null.")
        return document
    return None
