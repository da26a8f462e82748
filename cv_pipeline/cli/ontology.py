"""``cvp ontology``: versions of classes and guideline, and what a change would do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import ProjectError
from cv_pipeline.project import Project, find_project, read_project
from cv_pipeline.settings import projects_dir, store_url

if TYPE_CHECKING:
    from cv_pipeline.annotations.ontology.effect import Effect
    from cv_pipeline.annotations.ontology.moves import Move
    from cv_pipeline.provenance.ontology_use import OntologyUse


def ontology(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.yaml", help="A changed project.yaml: what it would do to the labels."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Versions of the ontology and guideline, and the effect of a changed one before it is there.

    Nothing is changed. Exit status 1 when something stands in the way of the change.
    """
    from cv_pipeline.annotations.ontology.effect import effect
    from cv_pipeline.annotations.ontology.record import guideline_versions, ontology_versions
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.storage import open_store

    now = find_project(project, projects_dir())
    changed = _changed(preview, now) if preview else now
    store = open_store(store_url())
    catalog = Catalog(store, project)
    found = effect(changed, catalog, now=now)
    use = _use(store, project)
    if as_json:
        print_json(
            {
                "project": project,
                "version": changed.ontology.version,
                "guideline_version": changed.ontology.guideline_version,
                "recorded": [asdict(v) for v in ontology_versions(catalog)],
                "guidelines": [
                    {**vars(v.guideline), "at": v.at} for v in guideline_versions(catalog)
                ],
                "effect": asdict(found),
                "made_under": [asdict(one) for one in use],
            }
        )
    else:
        _show_versions(catalog, changed)
        _show(found, use)
    if found.problems:
        raise typer.Exit(1)


def _changed(path: Path, now: Project) -> Project:
    changed = read_project(path)
    if changed.name != now.name:
        raise ProjectError(
            f"{path} is of the project {changed.name!r}, not of {now.name!r}.",
            do="Name the changed project.yaml of the same project.",
        )
    return changed


def _use(store: Any, project: str) -> tuple[OntologyUse, ...]:
    """What was made under each version; nothing where no Dagster instance was set up yet."""
    from cv_pipeline.errors import SettingsError
    from cv_pipeline.settings import dagster_home

    try:
        dagster_home()
    except SettingsError:
        return ()
    from dagster import DagsterInstance

    from cv_pipeline.provenance import EventLog
    from cv_pipeline.provenance.ontology_use import ontology_use

    with DagsterInstance.get() as instance:
        return ontology_use(EventLog(instance), store, project=project)


def _show_versions(catalog: Any, project: Project) -> None:
    from cv_pipeline.annotations.ontology.chain import Chain
    from cv_pipeline.annotations.ontology.record import guideline_versions, ontology_versions

    recorded = {v.version: v for v in ontology_versions(catalog)}
    table = Table("ontology", "classes", "attributes", "labels made since", box=None)
    current = project.ontology.version
    declared = Chain.of(project.ontology).versions
    for version in (*(v for v in recorded if v not in declared), *declared):
        one, state = recorded.get(version), declared.get(version)
        labels = state.labels if state else one.content["labels"] if one else ()
        attributes = state.attributes if state else one.content["attributes"] if one else ()
        name = f"{version} (current)" if version == current else version
        since = f"{one.at:%Y-%m-%d %H:%M}" if one else "none yet"
        table.add_row(
            escape(name), escape(", ".join(labels)), escape(", ".join(attributes)) or "–", since
        )
    console.print(table)
    for guideline in guideline_versions(catalog):
        console.print(
            f"guideline {guideline.guideline.version}, used since {guideline.at:%Y-%m-%d %H:%M}",
            markup=False,
        )


def _lost(move: Move) -> str:
    fate = "to be labelled again" if move.relabel else "quarantined"
    return f"{fate}: {move.detail}"


def _show(found: Effect, use: tuple[OntologyUse, ...]) -> None:
    from cv_pipeline.annotations.ontology.relabelling import relabelling_batch

    if any(step.converted or step.dropped or step.relabel for step in found.steps):
        table = Table("from", "to", "step", "converted", "dropped", "to label again", box=None)
        for step in found.steps:
            counts = (f"{n:,}" for n in (step.converted, step.dropped, step.relabel))
            table.add_row(escape(step.from_version), escape(step.to), step.kind, *counts)
        console.print(table)
    if found.moves:
        table = Table("labels of", "become", "labels", "images", "such as", box=None)
        for move in found.moves:
            into = escape(move.into) if move.into else f"[red]{escape(_lost(move))}[/]"
            size = (f"{move.labels:,}", f"{move.images:,}")
            table.add_row(
                escape(move.label), into, *size, ", ".join(i[:12] for i in move.examples[:2])
            )
        console.print(table)
    moved = [c for c in found.classes if c.before != c.after]
    if moved:
        table = Table("class", "labels now", f"under version {escape(found.version)}", box=None)
        for change in moved:
            table.add_row(escape(change.label), f"{change.before:,}", f"{change.after:,}")
        console.print(table)
    lost = sum(found.quarantined.values())
    console.print(
        f"{found.labels:,} labels: {found.converted:,} converted, {lost:,} quarantined;"
        f" {len(found.relabel):,} images to be labelled again"
        + (f", in the batch {relabelling_batch(found.version)}." if found.relabel else "."),
        markup=False,
    )
    for one in use:
        if one.version != found.version:
            console.print(
                f"made under version {one.version or '?'}: {len(one.datasets)} dataset versions,"
                f" {len(one.models)} models",
                markup=False,
            )
    for problem in found.problems:
        console.print(f"! {problem}", style="red", markup=False, soft_wrap=True)
