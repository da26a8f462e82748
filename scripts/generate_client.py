"""Writes the models of the Python client from the description of the inspector's API.

``python scripts/generate_client.py`` writes ``cv_pipeline/client/models.py``; a test compares it
with what the code says now.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from datamodel_code_generator import DataModelType, InputFileType, LiteralType, generate
from datamodel_code_generator.format import PythonVersion
from fastapi import FastAPI

from cv_pipeline.inspector.pages import parts

MODELS = Path(__file__).resolve().parents[1] / "cv_pipeline" / "client" / "models.py"
HEAD = '"""What the inspector answers; written by scripts/generate_client.py."""'


def models() -> str:
    """The module of models."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "models.py"
        generate(
            json.dumps(_without_titles(_description())),
            input_file_type=InputFileType.OpenAPI,
            output=path,
            output_model_type=DataModelType.PydanticV2BaseModel,
            target_python_version=PythonVersion.PY_311,
            enum_field_as_literal=LiteralType.All,
            use_schema_description=True,
            use_standard_collections=True,
            use_union_operator=True,
            field_constraints=True,
            use_annotated=True,
            disable_timestamp=True,
            custom_file_header=HEAD,
        )
        return path.read_text(encoding="utf-8")


def _description() -> Any:
    app = FastAPI(title="cv_pipeline inspector")
    for part in parts():
        app.router.routes.extend(part.router.routes)
    return app.openapi()


def _without_titles(value: Any) -> Any:
    """The description without the titles of fields, which repeat their names."""
    if isinstance(value, dict):
        return {
            k: _without_titles(v)
            for k, v in value.items()
            if not (k == "title" and isinstance(v, str))
        }
    return [_without_titles(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    MODELS.write_text(models(), encoding="utf-8")
