"""Which trained model pre-labels: the champion, the newest, or the one that is named.

Where there is none to ask, the message says which models there are, how one of them is named in one
command or for good, and how a champion is made.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cv_pipeline.errors import LabelingError
from cv_pipeline.plugins.label.interface import labeller
from cv_pipeline.training.registry import ModelRegistry

if TYPE_CHECKING:
    from cv_pipeline.project import Project
    from cv_pipeline.provenance import EventLog, Materialization

CHAMPION = "champion"
LATEST = "latest"
KEY = "labeling.prelabels.model"
"""Setting that names the model, where a command does not."""
_SHOWN = 5
_FILE = "sqlite:///"


def champion_of(project: str, *, tracking_uri: str) -> str | None:
    """Digest of the model that is the champion; None where none is.

    Args:
        project: name of the project.
        tracking_uri: MLflow's tracking store.

    Raises:
        TrainingError: the registry cannot be read.
    """
    if tracking_uri.startswith(_FILE) and not Path(tracking_uri.removeprefix(_FILE)).is_file():
        return None  # asking would make it
    present = ModelRegistry(tracking_uri, project).champion()
    return None if present is None else present.model


def trained_models(log: EventLog, project: str) -> list[str]:
    """Digests of the models that were trained, the newest first."""
    events = log.newest_first(f"{project}/trained_model")
    return list(dict.fromkeys(event.version for event in events))


def asked_model(
    log: EventLog, project: Project, *, tracking_uri: str, named: str | None = None
) -> Materialization:
    """The trained model that is asked for pre-labels.

    Args:
        log: the event log.
        project: says which, where the next does not.
        tracking_uri: MLflow's tracking store.
        named: champion, latest, a digest or a prefix of one; None for what the project says.

    Raises:
        LabelingError: there is no such model; the message names those that there are.
        TrainingError: the registry of models cannot be read.
    """
    wanted = named or project.labeling.prelabels.model
    models = trained_models(log, project.name)
    if wanted == CHAMPION:
        champion = champion_of(project.name, tracking_uri=tracking_uri)
        if champion is None:
            raise _no_champion(project, models)
        wanted = champion
    if wanted == LATEST:
        if not models:
            raise _no_champion(project, models)
        wanted = models[0]
    found = [digest for digest in models if digest.startswith(wanted)]
    if len(found) != 1 and wanted not in found:
        where = "" if named else f" {KEY} of projects/{project.name}/project.yaml names it."
        raise LabelingError(
            f"{len(found) or 'No'} trained models of {project.name} are {wanted!r}.{where}",
            do="Give more of its digest."
            if found
            else f"Name champion, latest or one of those that are trained: {_listed(models)}.",
        )
    return log.of_version(f"{project.name}/trained_model", wanted if wanted in found else found[0])


def why_none(log: EventLog | None, project: Project, *, tracking_uri: str) -> str:
    """Why there are no pre-labels, and what to do, as sentences.

    Args:
        log: the event log; None where it cannot be read.
        project: says what pre-labels.
        tracking_uri: MLflow's tracking store.
    """
    make = f"Make them: cvp prelabels {project.name} --make"
    if log is None or "found" not in labeller(project.labeling.prelabels.algorithm).needs:
        return f"No pre-label was made yet. {make}"
    try:
        event = asked_model(log, project, tracking_uri=tracking_uri)
    except LabelingError as error:
        return str(error)
    return f"Model {event.version[:12]} made no pre-labels yet. {make}"


def _no_champion(project: Project, models: list[str]) -> LabelingError:
    name = project.name
    if not models:
        return LabelingError(
            f"No model of {name} was trained yet, so nothing can be pre-labelled.",
            do=f"Have images labelled without, then run: cvp run {name}",
        )
    return LabelingError(
        f"No model of {name} is the champion yet, and {KEY} is champion, so nothing is"
        " pre-labelled.",
        do=f"Ask the newest model all the same: cvp prelabels {name} --make --model latest; or name"
        f" one, there or for good as {KEY} in projects/{name}/project.yaml: {_listed(models)}. What"
        f" the newest lacks to be the champion: cvp verdict {name}",
    )


def _listed(models: list[str]) -> str:
    if not models:
        return "none"
    more = f" and {len(models) - _SHOWN} more" if len(models) > _SHOWN else ""
    return ", ".join(digest[:12] for digest in islice(models, _SHOWN)) + more
