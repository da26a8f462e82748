"""cv_pipeline: raw images to retrained models as Dagster assets, with two-way provenance.

``cv_pipeline.Datalake.open(project=…).query(…)`` finds images; ``cv_pipeline.trace(kind, ref)``
gives the lineage of a model, dataset, image or metric; ``cv_pipeline.worst_images(ref)`` the images
behind a metric; ``cv_pipeline.images_that_got_worse(model, epoch=…)`` those behind a drop during
training, which ``cv_pipeline.training_curve(model)`` shows;
``cv_pipeline.activation_map(model, image)`` where a model looks; ``cv_pipeline.corrective(project,
query)`` retrains on more of some images; ``cv_pipeline.compare(project, model, model)`` tells which
of two models is better, and ``cv_pipeline.leaderboard(project)`` ranks all;
``cv_pipeline.find_errors(project)`` leads from a kind of error to its images;
``cv_pipeline.select_batch(project, name)`` chooses images that are worth labelling;
``cv_pipeline.push(project, batch)`` gives images to annotators, and ``cv_pipeline.pull(project)``
fetches what they did.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = [
    "Datalake",
    "__version__",
    "activation_map",
    "compare",
    "corrective",
    "find_errors",
    "images_that_got_worse",
    "leaderboard",
    "pull",
    "push",
    "select_batch",
    "trace",
    "training_curve",
    "worst_images",
]


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used: importing this package costs nothing."""
    if name == "Datalake":
        from cv_pipeline.catalog.datalake.datalake import Datalake

        return Datalake
    if name == "trace":
        from cv_pipeline.provenance import trace

        return trace
    if name == "activation_map":
        from cv_pipeline.provenance.explained import activation_map

        return activation_map
    if name == "corrective":
        from cv_pipeline.provenance.corrective_runs import corrective

        return corrective
    if name == "compare":
        from cv_pipeline.provenance.comparisons import compare_models

        return compare_models
    if name == "find_errors":
        from cv_pipeline.provenance.found_errors import find_errors

        return find_errors
    if name in ("pull", "push"):
        from cv_pipeline.labeling.exchange import one_call

        return getattr(one_call, name)
    if name == "select_batch":
        from cv_pipeline.labeling.sampling.selection import select_batch

        return select_batch
    if name == "leaderboard":
        from cv_pipeline.provenance.leaderboard import leaderboard

        return leaderboard
    if name in ("images_that_got_worse", "training_curve"):
        from cv_pipeline.provenance import epochs

        return getattr(epochs, name)
    if name == "worst_images":
        from cv_pipeline.provenance import worst_images

        return worst_images
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
