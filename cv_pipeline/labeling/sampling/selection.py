"""Chooses the images that are worth labelling next, and sets them aside as a batch.

A share of every selection is drawn at random, and the table ``sampled_images`` says of each image
which algorithm chose it: so what an algorithm is worth can be measured. The same lake, algorithms
and seed give the same images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.image_batches import Purpose, set_aside
from cv_pipeline.catalog.schemas import SAMPLED_IMAGES
from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import QueryError
from cv_pipeline.labeling.batches.declared import declare, declared_batches
from cv_pipeline.labeling.batches.division import divide
from cv_pipeline.labeling.batches.states import DIFFICULTIES
from cv_pipeline.labeling.prelabels.prelabelling import known_model
from cv_pipeline.labeling.sampling import unlabelled as lake_arrays
from cv_pipeline.labeling.sampling.seen import disagreement_of_models, seen_by
from cv_pipeline.plugins.sample import Drawn, Need, Pool, draw
from cv_pipeline.plugins.sample.draw import needs_of
from cv_pipeline.project import Project, find_project
from cv_pipeline.settings import projects_dir

OPEN_QUERY: dict[Purpose, str] = {
    "label": "labelled = false",
    "relabel": "labelled = true",
}
"""What there is to choose from, by what is to be done with it."""


@dataclass(frozen=True)
class SelectedBatch:
    """Images that were chosen and set aside.

    Attributes:
        name: of the batch.
        purpose: label or relabel.
        images: how many.
        pool: images that they were chosen from.
        arms: sampling algorithm to how many it chose; ``random`` is the control arm.
        model: model whose pre-labels were used; None where none was needed.
        unseen: images of the pool that this model has not looked at: they count as sure.
        new: whether the batch is new; the same one again changes nothing.
        batches: the batches that the images are in: one of that name, or several by difficulty.
    """

    name: str
    purpose: str
    images: int
    pool: int
    arms: Mapping[str, int]
    model: str | None
    unseen: int
    new: bool
    batches: tuple[str, ...] = ()


def select_batch(
    project: str | Datalake,
    name: str,
    *,
    algorithms: Sequence[str] = (),
    images: int | None = None,
    control: float | None = None,
    seed: int | None = None,
    among: str | None = None,
    failing: str | None = None,
    model: str | None = None,
    purpose: Purpose = "label",
    reason: str = "",
    divided: bool = False,
) -> SelectedBatch:
    """Choose images by sampling algorithms and set them aside as a batch, which is declared.

    What is left out is as ``labeling.sampling`` of the project says.

    Args:
        project: name of the project, or its opened lake.
        name: of the batch.
        algorithms: sampling algorithms, which share the selection.
        images: how many images.
        control: share of them that is drawn at random: above 0, at most 1.
        seed: of what is left to chance.
        among: conditions on the images to choose from, in the query language.
        failing: images that the model does badly on, in the query language; by default those with
            an error in the latest evaluation.
        model: digest of the model whose pre-labels are used; by default that of the newest.
        purpose: label, to choose among images without labels that no open batch holds; or
            relabel, to choose among labelled ones.
        reason: why, in words.
        divided: whether the images are divided into batches by difficulty and size, as
            ``labeling.batches`` of the project says; their names begin with ``name``.

    Raises:
        QueryError: a query cannot be understood, there are fewer images than are asked for, or the
            name is that of a batch of other images.
        PluginError: an algorithm is not there, failed, or lacks what it needs.
        ProvenanceError: a query asks for an evaluation that there is not.
    """
    lake = project if isinstance(project, Datalake) else Datalake.open(project)
    settings = find_project(lake.project, projects_dir())
    wanted = settings.labeling.sampling
    chosen = tuple(algorithms) or wanted.algorithms
    budget = wanted.images if images is None else images
    share = wanted.control if control is None else control
    if not 0 < share <= 1:
        raise QueryError(
            f"A control arm of {share:g} of the images is not possible.",
            do="Give a share above 0 and at most 1: without a control arm nothing can be compared.",
        )
    needs = needs_of(chosen)
    snapshot, numbers = _open_images(lake, name, purpose, among, divided=divided)
    if not 1 <= budget <= len(numbers):
        raise QueryError(
            f"{budget:,} images cannot be chosen among {len(numbers):,}.",
            do=f"Ask for 1 to {len(numbers):,}." if len(numbers) else "There is nothing to choose.",
        )
    known = _Known(lake, settings, snapshot, numbers, model=model, failing=failing, purpose=purpose)
    pool = Pool(
        image_ids=snapshot.image_ids(numbers),
        labels=settings.ontology.labels,
        **{field: value for need in sorted(needs) for field, value in known.of(need).items()},
    )
    drawn = draw(
        pool,
        algorithms=chosen,
        budget=budget,
        control=share,
        seed=wanted.seed if seed is None else seed,
    )
    return _set_aside(
        lake,
        name,
        pool,
        drawn,
        purpose=purpose,
        reason=reason or f"chosen by {', '.join(chosen)}",
        query=among or OPEN_QUERY[purpose],
        model=known.model_used,
        unseen=known.unseen,
        seed=wanted.seed if seed is None else seed,
        project=settings,
        divided=divided,
    )


def arms_of(catalog: Catalog, batch: str) -> pa.Table:
    """Columns image_id and arm of a batch that was chosen by :func:`select_batch`.

    Empty for a batch that was not.
    """
    rows = catalog.table("sampled_images").read(
        columns=["image_id", "arm"], filter=one_of("batch", [batch])
    )
    # a selection that was broken off may have chosen others before
    images = catalog.table("image_batches").read(
        columns=["image_id"], filter=one_of("name", [batch])
    )
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=pc.unique(images["image_id"])))
    return rows.sort_by("image_id")


def _open_images(
    lake: Datalake, name: str, purpose: Purpose, among: str | None, *, divided: bool
) -> tuple[Snapshot, NDArray[np.int32]]:
    """The images to choose from, ascending: those of other batches are left out.

    Images of a cancelled batch wait for nobody."""
    where = OPEN_QUERY[purpose]
    found = lake.query(f"{where} and ({among})" if among else where)
    snapshot = lake.snapshot(found.table_versions)
    numbers = np.sort(found.numbers)
    if purpose == "label":
        states = declared_batches(lake.catalog)
        given_up = [batch for batch, told in states.items() if told.state == "cancelled"]
        names = snapshot.set_aside["name"].cast(pa.string())
        ours = pc.is_in(names, pa.array([name, *given_up], pa.string()))
        if divided:  # the same selection again is of the same images
            part = f"^{re.escape(name)}(-({'|'.join(DIFFICULTIES)}))?-[0-9]{{3,}}$"
            ours = pc.or_(ours, pc.match_substring_regex(names, part))
        others = pc.invert(ours)
        waiting = snapshot.set_aside.filter(others)
        numbers = np.setdiff1d(numbers, waiting["n"].to_numpy())
    return snapshot, numbers


class _Known:
    """What is known of the images, each read when an algorithm asks for it."""

    def __init__(
        self,
        lake: Datalake,
        project: Project,
        snapshot: Snapshot,
        numbers: NDArray[np.int32],
        *,
        model: str | None,
        failing: str | None,
        purpose: Purpose,
    ) -> None:
        self._lake, self._snapshot, self._numbers = lake, snapshot, numbers
        self._labels = project.ontology.labels
        self._model, self._failing, self._purpose = model, failing, purpose
        self.model_used: str | None = None
        self.unseen = 0
        self._readers: dict[Need, Callable[[], dict[str, Any]]] = {
            "embeddings": lambda: {"embeddings": self._embeddings(self._numbers)},
            "labelled": lambda: {"labelled": self._embeddings(lake_arrays.labelled(snapshot))},
            "failures": self._failures,
            "uncertainty": lambda: {"uncertainty": self._seen()[0]},
            "scores": lambda: {"scores": self._seen()[1]},
            "counts": lambda: {"counts": lake_arrays.label_counts(snapshot, labels=self._labels)},
            "disagreement": self._disagreement,
        }

    def of(self, need: Need) -> dict[str, Any]:
        """The fields of a pool that an algorithm asks for by that name."""
        if need not in self._readers:
            raise QueryError(
                f"A sampling algorithm needs {need!r}, which nobody knows of.",
                do=f"Known: {', '.join(sorted(self._readers))}.",
            )
        return self._readers[need]()

    def _embeddings(self, numbers: NDArray[np.int32]) -> NDArray[np.float32]:
        return lake_arrays.embeddings(self._lake.catalog, self._snapshot, numbers)

    def _seen(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        catalog = self._lake.catalog
        self.model_used = known_model(catalog, self._model)
        if self.model_used is None:
            raise QueryError(
                f"No model has looked at the images of {self._lake.project} that wait for labels.",
                do=f"Run: cvp run {self._lake.project} --select prelabels. It needs a champion, or"
                " labeling.prelabels.model; without a model, choose by diversity or random.",
            )
        found = seen_by(
            catalog, self._snapshot, self._numbers, model=self.model_used, labels=self._labels
        )
        self.unseen = int((found.uncertainty < 0).sum())
        return found.uncertainty, found.scores

    def _failures(self) -> dict[str, Any]:
        query = self._failing or f"results('{self._lake.project}@latest', correct = false)"
        found = self._lake.query(query, as_of=self._snapshot.table_versions)
        return {"failures": self._embeddings(np.sort(found.numbers))}

    def _disagreement(self) -> dict[str, Any]:
        if self._purpose == "relabel":
            every = self._snapshot.images["disagreement"].to_numpy()
            return {"disagreement": every[self._numbers]}
        found = disagreement_of_models(
            self._lake.catalog, self._snapshot, self._numbers, labels=self._labels
        )
        return {"disagreement": found}


def _set_aside(
    lake: Datalake,
    name: str,
    pool: Pool,
    drawn: Drawn,
    *,
    purpose: Purpose,
    reason: str,
    query: str,
    model: str | None,
    unseen: int,
    seed: int,
    project: Project,
    divided: bool,
) -> SelectedBatch:
    """Set the images aside; which algorithm chose each is written down before, so that it cannot be
    lost, and is read with the images of the batch alone."""
    ids = pool.image_ids.take(pa.array(drawn.rows))
    count = len(ids)
    columns = {
        "image_id": ids,
        "arm": pa.array(drawn.arms.tolist(), pa.string()),
        "place": pa.array(drawn.places, pa.int32()),
        "pool": pa.repeat(len(pool), count),
        "seed": pa.repeat(seed, count),
        "model": pa.repeat(model or "", count),
        "at": pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), count),
    }
    rows = pa.table(columns)

    def write_arms(batch: str, images: pa.Array) -> None:
        own = rows.filter(pc.is_in(rows["image_id"], value_set=images))
        own = own.append_column("batch", pa.repeat(batch, len(own)))
        own = own.select(SAMPLED_IMAGES.names).cast(SAMPLED_IMAGES)
        table = lake.catalog.table("sampled_images")
        is_known = lake.catalog.table("image_batches").read(
            columns=["name"], filter=one_of("name", [batch])
        )
        # of a batch that is there, what was written first counts
        write = table.insert if len(is_known) else table.merge
        write(own, on=["batch", "image_id"])

    batches: tuple[str, ...] = (name,)
    if divided:
        parts = divide(
            lake.catalog,
            ids,
            name=name,
            task_type=project.task,
            rules=project.labeling.batches,
            purpose=purpose,
            reason=reason,
            query=query,
            overlap=project.labeling.overlap,
            before=write_arms,
        )
        batches = tuple(part.name for part in parts)
        new = any(part.new for part in parts)
    else:
        write_arms(name, ids)
        new = set_aside(
            lake.catalog,
            ids.take(pc.array_sort_indices(ids)),
            name=name,
            purpose=purpose,
            reason=reason,
            query=query,
            actor=current_actor(),
        )
        if name not in declared_batches(lake.catalog):
            declare(
                lake.catalog,
                name,
                task_type=project.task,
                overlap=project.labeling.overlap,
                actor=current_actor(),
            )
    names, counts = np.unique(drawn.arms, return_counts=True)
    return SelectedBatch(
        name=name,
        purpose=purpose,
        images=count,
        pool=len(pool),
        arms={str(n): int(c) for n, c in zip(names, counts, strict=True)},
        model=model,
        unseen=unseen,
        new=new,
        batches=batches,
    )
