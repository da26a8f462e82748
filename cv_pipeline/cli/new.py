"""``cvp new``: a project for a user's own data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import ProjectError
from cv_pipeline.project import PROJECT_NAME
from cv_pipeline.settings import projects_dir


def new(
    name: Annotated[str, typer.Argument(help="Name: lower-case letters, digits and _.")],
    images: Annotated[
        str, typer.Option(help="Folder, archive, folder/*.tar or s3://bucket/prefix.")
    ],
    annotations: Annotated[str, typer.Option(help="File or folder of the annotations.")],
    as_json: Json = False,
) -> None:
    """Recognise images and annotations, discover the ontology, and write a project.yaml."""
    from cv_pipeline.annotations.discover import discover, project_yaml, split_files
    from cv_pipeline.project import load_project
    from cv_pipeline.storage import open_source

    if not re.fullmatch(PROJECT_NAME, name):
        raise ProjectError(
            f"{name!r} is not a project name.", do="Use lower-case letters, digits and _."
        )
    path = projects_dir() / name / "project.yaml"
    if path.exists():
        raise ProjectError(f"{path} exists already.", do="Choose another name, or edit it.")
    images, annotations = _absolute(images), _absolute(annotations)
    found = discover(images=open_source(images), annotations=open_source(annotations))
    splits, metadata = path.parent / "splits", path.parent / "metadata.csv"
    text = project_yaml(
        found,
        name=name,
        images_url=images,
        annotations_url=annotations,
        splits_folder=str(splits),
        metadata_url=str(metadata),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if found.metadata is not None:
        metadata.write_text(found.metadata, encoding="utf-8")
    for file, lines in split_files(found).items():
        splits.mkdir(exist_ok=True)
        (splits / file).write_text(lines, encoding="utf-8")
    draft = path.with_suffix(".yaml.new")
    draft.write_text(text, encoding="utf-8")
    try:
        load_project(draft)
    except ProjectError:
        draft.unlink()
        raise
    draft.rename(path)
    summary = {
        "project": str(path),
        "format": found.format,
        "task": found.task,
        "images": found.images,
        "labels": list(found.labels),
    }
    if as_json:
        print_json(summary)
        return
    console.print(f"{path}: {found.task} in {found.format} format", markup=False)
    console.print(f"  {found.images} images, classes: {', '.join(found.labels)}", markup=False)
    console.print(f"Read it, then run: cvp run {name}", markup=False)


def _absolute(url: str) -> str:
    """A local path that no longer depends on the working directory."""
    if url.startswith(("s3://", "${")):
        return url
    outer, mark, inner = url.partition("!")
    return str(Path(outer).absolute()) + mark + inner
