"""The labelling guideline: one text for each version, in the project's folder.

``guidelines/VERSION.md`` beside the ``project.yaml``. How lines end, and blanks at their ends, are
no change of a text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cv_pipeline.errors import ProjectError
from cv_pipeline.project import Project
from cv_pipeline.settings import projects_dir

FOLDER = "guidelines"
_MOST_BYTES = 200_000


@dataclass(frozen=True)
class Guideline:
    """The text of one version.

    Attributes:
        version: of the guideline.
        text: in Markdown.
        digest: SHA-256 of the text.
    """

    version: str
    text: str
    digest: str


def guideline_path(project: Project, version: str, *, projects: Path | None = None) -> Path:
    """Where the text of a version lies.

    Args:
        project: whose guideline.
        version: of the guideline.
        projects: folder of the projects; ``CV_PROJECTS`` by default.
    """
    # a version is part of a file's name, and must not lead out of the folder
    name = version.replace("/", "-").replace("\\", "-").lstrip(".")
    return (projects or projects_dir()) / project.name / FOLDER / f"{name}.md"


def read_guideline(
    project: Project, version: str | None = None, *, projects: Path | None = None
) -> Guideline | None:
    """The text of a version; None where there is no file, or nothing in it.

    Args:
        project: whose guideline.
        version: the version; the one that the ontology names by default.
        projects: folder of the projects; ``CV_PROJECTS`` by default.

    Raises:
        ProjectError: the file cannot be read as UTF-8 text, or is much too long for people.
    """
    version = project.ontology.guideline_version if version is None else version
    path = guideline_path(project, version, projects=projects)
    try:
        data = path.read_bytes()
        if len(data) > _MOST_BYTES:
            raise ProjectError(
                f"{path} has {len(data):,} bytes: nobody reads so long a guideline.",
                do=f"Keep it below {_MOST_BYTES:,} bytes.",
            )
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"{path} cannot be read as UTF-8 text: {error}.", do="Save it as UTF-8."
        ) from error
    text = "\n".join(line.rstrip() for line in text.splitlines()).strip()
    if not text:
        return None
    text += "\n"
    return Guideline(version, text, hashlib.sha256(text.encode()).hexdigest())
