"""Projects are read from ``project.yaml`` files, and found by their names.

Loading validates the whole file and names, for every mistake, the key, the line, what was
expected and the nearest known name. Nothing here touches the network or the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from cv_pipeline.dataset_query import Query, SliceQuery
from cv_pipeline.errors import ProjectError, nearest
from cv_pipeline.mistakes import Model, describe
from cv_pipeline.project.checks import Check, Expectation
from cv_pipeline.project.project import Project
from cv_pipeline.requirement import Requirement
from cv_pipeline.settings import expand
from cv_pipeline.vocabulary import query_keywords
from cv_pipeline.yaml_file import YAMLFile, parse_yaml


def load_project(path: Path) -> Project:
    """Load and validate one ``project.yaml``.

    Args:
        path: the file, in a folder that has the project's name.

    Raises:
        ProjectError: it is missing, is not YAML, or does not validate; every mistake is named
            with its key, line, what was expected and the nearest known name.
    """
    project, file = _read(path)
    if path.parent.name != project.name:
        raise ProjectError(
            f"{path}, line {file.line(('name',))}: name {project.name!r} differs from its folder"
            f" {path.parent.name!r}.",
            do="Make them the same.",
        )
    return project


def read_project(path: Path) -> Project:
    """Load and validate a ``project.yaml`` that lies anywhere, such as a changed one.

    Raises:
        ProjectError: as those of :func:`load_project`.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Project, YAMLFile]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProjectError(
            f"{path} does not exist.", do="Run: cvp new NAME --images … --annotations …"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    file = parse_yaml(text, path)
    try:
        project = Project.model_validate(file.values)
    except ValidationError as error:
        mapped: dict[str, Model] = {
            "checks": Check,
            "expectations": Expectation,
            "requirements": Requirement,
            "evaluation": SliceQuery,
        }
        known: dict[Model, Callable[[], Iterable[str]]] = {
            Query: query_keywords,
            SliceQuery: query_keywords,
        }
        described = [
            describe(e, file, root=Project, mapped=mapped, known=known) for e in error.errors()
        ]
        problems = "\n".join(f"  {text}" for text in described)
        count = error.error_count()
        raise ProjectError(
            f"{path} has {count} mistake{'s' if count > 1 else ''}:\n{problems}\n",
            do="See docs/project.md for every key.",
        ) from error
    return project, file


def project_names(folder: Path) -> list[str]:
    """Names of the folders below ``folder`` that hold a ``project.yaml``, sorted."""
    return sorted(p.parent.name for p in folder.glob("*/project.yaml"))


def find_project(name: str, folder: Path) -> Project:
    """Load the project called ``name``.

    Raises:
        ProjectError: there is none (the message names the nearest), or it does not validate.
    """
    names = project_names(folder)
    if name not in names:
        raise ProjectError(f"There is no project {name!r} in {folder}.", do=nearest(name, names))
    return load_project(folder / name / "project.yaml")


def resolved_source(project: Project) -> str:
    """The images' URL with the environment expanded."""
    return expand(project.source.images)
