"""Declares a corrective run: what it changes against its parent, checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.correction.record import Change, CorrectiveRecord, Selection
from cv_pipeline.errors import CorrectiveError, nearest
from cv_pipeline.project import Project, Training
from cv_pipeline.training import ModelCard

WEIGHT = 3
"""Times that an image of the selection is drawn in an epoch, where nothing else is said."""
_PREFIX = "training."


def declare(
    lake: Datalake,
    project: Project,
    *,
    parent: ModelCard,
    query: str | None = None,
    weight: int | None = None,
    label: str | None = None,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> CorrectiveRecord:
    """Declare a corrective run.

    Args:
        lake: the project's datalake.
        project: the project.
        parent: card of the model that it is to better.
        query: images that are added to the dataset and count more; None for none.
        weight: times that each of them is drawn in an epoch; 1 only adds them. ``WEIGHT`` by
            default.
        label: class whose recall on those images it is judged by; None for all classes.
        changes: parameters that differ from the parent's, by key such as ``training.epochs``.
        reason: why, in words.

    Raises:
        CorrectiveError: it changes nothing, selects nothing, or a parameter is wrong.
        QueryError: the query cannot be understood.
    """
    if parent.folds is not None:
        raise CorrectiveError(
            f"Model {parent.digest[:16]} was trained on some folds, to judge a recipe.",
            do="Name a parent that was trained on the train split with --parent.",
        )
    if parent.labels != project.ontology.labels:
        raise CorrectiveError(
            f"The classes of {project.name} have changed since model {parent.digest[:16]}:"
            f" {', '.join(parent.labels)}.",
            do=f"Train a model of the present classes first: cvp run {project.name}",
        )
    if label is not None and label not in parent.labels:
        raise CorrectiveError(f"There is no class {label!r}.", do=nearest(label, parent.labels))
    for given, option in ((label, "label"), (weight, "weight")):
        if query is None and given is not None:
            raise CorrectiveError(
                f"A {option} is about the images that a query selects, and there is no query.",
                do=f"Give --query, or leave out --{option}.",
            )
    before = parent.training.model_copy(update={"seed": parent.seed})
    training = _changed(before, changes or {})
    differing = _differences(before, training)
    if query is None and not differing:
        raise CorrectiveError(
            "This run would repeat its parent: it changes nothing.",
            do="Give --query for images that are to count more, or --set for parameters.",
        )
    selection, versions = None, dict(lake.snapshot().table_versions)
    if query is not None:
        selection, versions = _selection(lake, query, WEIGHT if weight is None else weight)
    return CorrectiveRecord(
        project=project.name,
        parent=parent.digest,
        parent_dataset=parent.dataset_digest,
        selection=selection,
        label=label,
        changes=differing,
        training=training,
        seed=training.seed,
        reason=reason,
        actor=current_actor(),
        at=datetime.now(UTC),
        table_versions=versions,
    ).signed()


def parse_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Parameters as a user types them: ``training.epochs=12``.

    Raises:
        CorrectiveError: one is not of that form.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not (sign and key and value):
            raise CorrectiveError(
                f"{text!r} sets no parameter.", do="Write it as training.epochs=12."
            )
        try:
            changes[key.strip()] = json.loads(value)
        except ValueError:  # a name, such as that of a model
            changes[key.strip()] = value.strip()
    return changes


def _selection(lake: Datalake, query: str, weight: int) -> tuple[Selection, dict[str, int]]:
    if weight < 1:
        raise CorrectiveError(
            f"An image cannot be drawn {weight} times an epoch.", do="Give a weight of 1 or more."
        )
    found = lake.query(query)
    if not found.count:
        raise CorrectiveError(
            f"The query selects no image: {found.text}.",
            do=f"See what each condition selects: cvp query {lake.project} {query!r}",
        )
    selection = Selection(
        query=found.text, pins=found.pins, digest=found.digest, images=found.count, weight=weight
    )
    return selection, found.table_versions


def _changed(before: Training, changes: Mapping[str, Any]) -> Training:
    """The parent's parameters with the changes."""
    values = before.model_dump(mode="json")
    for key, value in changes.items():
        names = key.removeprefix(_PREFIX).split(".")
        section: Any = values
        for name in names[:-1]:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict) or names[-1] not in section:
            known = [f"{_PREFIX}{name}" for name in _flat(before.model_dump(mode="json"))]
            raise CorrectiveError(f"There is no parameter {key!r}.", do=nearest(key, known))
        section[names[-1]] = value
    try:
        return Training.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{_PREFIX}{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
        )
        raise CorrectiveError(
            f"A parameter cannot be set so: {wrong}.", do="See docs/project.md for every key."
        ) from error


def _differences(before: Training, after: Training) -> dict[str, Change]:
    old, new = (_flat(t.model_dump(mode="json")) for t in (before, after))
    return {k: Change(before=old[k], after=new[k]) for k in sorted(old) if old[k] != new[k]}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
