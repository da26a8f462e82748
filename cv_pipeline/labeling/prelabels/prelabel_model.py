"""Which model's pre-labels a push shows: the champion's, and not those of whatever came last.

A champion that was rolled back made the newest pre-labels, and is not to be trusted with new ones.
"""

from __future__ import annotations

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.prelabels.asked_model import CHAMPION, LATEST, champion_of
from cv_pipeline.labeling.prelabels.prelabelling import known_model, models
from cv_pipeline.plugins.label.interface import labeller
from cv_pipeline.project import Project
from cv_pipeline.settings import mlflow_tracking_uri


def model_to_push(project: Project, catalog: Catalog, *, asked: str | None = None) -> str:
    """The model, or algorithm, whose pre-labels tasks begin with; empty for none.

    Args:
        project: says what pre-labels, and by which model.
        catalog: its tables.
        asked: digest of a model, a prefix of it or an algorithm's name; empty for none, None for
            what the project says.

    Raises:
        CatalogError: what is asked for made no pre-labels; the message names the nearest.
        TrainingError: the registry of models cannot be read.
    """
    if asked is not None:
        return asked and (known_model(catalog, asked) or "")
    known = models(catalog)
    if not known:
        return ""
    wanted = project.labeling.prelabels
    if "found" not in labeller(wanted.algorithm).needs:
        named: str | None = wanted.algorithm
    elif wanted.model == CHAMPION:
        named = _champion(project.name)
    else:
        named = None if wanted.model == LATEST else wanted.model
    if named is None:  # nothing is the champion yet, or it is to be the newest
        return known[0]
    return next((model for model in known if model.startswith(named)), "")


def _champion(project: str) -> str | None:
    return champion_of(project, tracking_uri=mlflow_tracking_uri())
