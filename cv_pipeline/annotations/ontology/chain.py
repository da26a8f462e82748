"""The versions of an ontology, from the oldest that it knows to the current one.

Built from what ``project.yaml`` declares, and checked as a whole: versions follow one another, what
each step names exists at that point, and what comes out is the ontology as it is declared now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cv_pipeline.errors import nearest
from cv_pipeline.ontology import Ontology
from cv_pipeline.ontology_steps import Migration, Step

YES_OR_NO = ("yes", "no")
"""What an attribute without allowed values may be."""


class ChainMistake(ValueError):
    """The declared versions do not fit together; the message begins with the key."""


@dataclass(frozen=True)
class State:
    """What an ontology was at one point.

    Attributes:
        labels: classes, in the order in which they came.
        attributes: attribute to its allowed values; none for yes or no.
    """

    labels: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class ChainStep:
    """One step of a chain.

    Attributes:
        from_version: version before the migration that it belongs to.
        to: version after it.
        key: where it is declared, such as ``ontology.migrations.0.steps.1``.
        step: what is declared.
        before: the ontology as the step finds it.
        after: as it leaves it.
    """

    from_version: str
    to: str
    key: str
    step: Step
    before: State
    after: State


@dataclass(frozen=True)
class Chain:
    """All versions of an ontology and the steps between them.

    Attributes:
        versions: each known version to what it was, oldest first; the last is the current one.
        steps: every step, in order.
    """

    versions: Mapping[str, State]
    steps: tuple[ChainStep, ...]

    @classmethod
    def of(cls, ontology: Ontology) -> Chain:
        """The chain that an ontology declares.

        Raises:
            ChainMistake: it does not fit together.
        """
        current = State(ontology.labels, ontology.attributes)
        if not ontology.migrations:
            if ontology.original is not None:
                raise ChainMistake("ontology.original is of no use without ontology.migrations")
            return cls({ontology.version: current}, ())
        if ontology.original is None:
            first = ontology.migrations[0].from_version
            raise ChainMistake(
                f"ontology.original is missing: the labels and attributes of version {first!r},"
                " which the migrations begin with"
            )
        state = State(ontology.original.labels, ontology.original.attributes)
        versions = {ontology.migrations[0].from_version: state}
        steps: list[ChainStep] = []
        for place, migration in enumerate(ontology.migrations):
            _follows(migration, place, versions)
            for number, step in enumerate(migration.steps):
                key = f"ontology.migrations.{place}.steps.{number}"
                after = applied(step, state, f"{key}.{step.kind}")
                steps.append(
                    ChainStep(migration.from_version, migration.to, key, step, state, after)
                )
                state = after
            versions[migration.to] = state
        last = ontology.migrations[-1].to
        if last != ontology.version:
            raise ChainMistake(
                f"ontology.version is {ontology.version!r}, but the migrations lead to {last!r}"
            )
        _arrives(state, current, last)
        return cls({**versions, last: current}, tuple(steps))

    def steps_from(self, version: str) -> tuple[ChainStep, ...]:
        """The steps that lead from a version to the current one.

        Raises:
            KeyError: the chain does not know that version.
        """
        if version not in self.versions:
            raise KeyError(version)
        order = {known: place for place, known in enumerate(self.versions)}
        return tuple(s for s in self.steps if order[s.from_version] >= order[version])


def ontology_at(ontology: Ontology, version: str) -> Ontology:
    """The ontology as it was at a version, for checking what was made under it.

    Args:
        ontology: the current one.
        version: one that its chain knows; of any other, the current classes are all there is.
    """
    chain = Chain.of(ontology)
    state = chain.versions.get(version)
    if version == ontology.version or state is None:
        return ontology.model_copy(update={"version": version})
    # tags and key points have no steps: they are those of today, of the class that it becomes
    becomes = {label: label for label in state.labels}
    for at in chain.steps_from(version):
        for label, name in becomes.items():
            becomes[label] = at.step.rename.get(name, name)
            if at.step.merge and name in at.step.merge.labels:
                becomes[label] = at.step.merge.into
    return ontology.model_copy(
        update={
            "version": version,
            "labels": state.labels,
            "attributes": dict(state.attributes),
            "required": (),
            "keypoints": {
                label: ontology.keypoints[name]
                for label, name in becomes.items()
                if name in ontology.keypoints
            },
            "migrations": (),
            "original": None,
        }
    )


def _follows(migration: Migration, place: int, versions: Mapping[str, State]) -> None:
    key = f"ontology.migrations.{place}"
    last = list(versions)[-1]
    if migration.from_version != last:
        raise ChainMistake(
            f"{key}.from is {migration.from_version!r}, but the version before it is {last!r}"
        )
    if migration.to in versions:
        raise ChainMistake(f"{key}.to is {migration.to!r}, which is a version of before")


def _arrives(state: State, current: State, version: str) -> None:
    """Pass if what the migrations make is what is declared."""
    _same("ontology.labels", state.labels, current.labels, f"the migrations to {version!r}")
    _same(
        "ontology.attributes",
        state.attributes,
        current.attributes,
        f"the migrations to {version!r}",
    )
    for name, values in state.attributes.items():
        made, declared = values or YES_OR_NO, current.attributes[name] or YES_OR_NO
        _same(f"ontology.attributes.{name}", made, declared, f"the migrations to {version!r}")


def _same(key: str, made: Iterable[str], declared: Iterable[str], what: str) -> None:
    made, declared = list(made), list(declared)
    lost = [name for name in made if name not in declared]
    extra = [name for name in declared if name not in made]
    if lost or extra:
        told = [f"has no {n!r}, which {what} make. {nearest(n, declared)}" for n in lost[:1]]
        told += [f"has {n!r}, which {what} do not make. {nearest(n, made)}" for n in extra[:1]]
        raise ChainMistake(f"{key} {' And it '.join(told)}")


def applied(step: Step, state: State, key: str) -> State:
    """What an ontology is after a step.

    Raises:
        ChainMistake: the step names what is not there, or makes what is there already.
    """
    labels, attributes = list(state.labels), dict(state.attributes)
    if step.add:
        _absent(key, step.add, labels, "class")
        labels += step.add
    elif step.rename:
        labels = _renamed(key, step.rename, labels, "class")
    elif step.split:
        _present(f"{key}.label", [step.split.label], labels, "class")
        _split_by(key, step, state)
        labels = _replaced(labels, [step.split.label], step.split.classes)
    elif step.merge:
        _present(f"{key}.labels", step.merge.labels, labels, "class")
        labels = _replaced(labels, step.merge.labels, [step.merge.into])
    elif step.delete:
        _present(f"{key}.label", [step.delete.label], labels, "class")
        labels.remove(step.delete.label)
    elif step.add_attribute:
        _absent(f"{key}.name", [step.add_attribute.name], attributes, "attribute")
        values = step.add_attribute.values
        if step.add_attribute.value is not None:
            _present(f"{key}.value", [step.add_attribute.value], values or YES_OR_NO, "value")
        attributes[step.add_attribute.name] = values
    elif step.rename_attributes:
        names = _renamed(key, step.rename_attributes, list(attributes), "attribute")
        attributes = dict(zip(names, attributes.values(), strict=True))
    elif step.remove_attributes:
        _present(key, step.remove_attributes, attributes, "attribute")
        attributes = {n: v for n, v in attributes.items() if n not in step.remove_attributes}
    else:
        attributes = _with_values(key, step, attributes)
    if not labels:
        raise ChainMistake(f"{key} leaves no class")
    return replace(state, labels=tuple(dict.fromkeys(labels)), attributes=attributes)


def _split_by(key: str, step: Step, state: State) -> None:
    assert step.split is not None
    if step.split.by is None or not isinstance(step.split.into, dict):
        return
    _present(f"{key}.by", [step.split.by], state.attributes, "attribute")
    allowed = state.attributes[step.split.by] or YES_OR_NO
    # an empty value stands for labels that do not have the attribute
    _present(f"{key}.into", [v for v in step.split.into if v], allowed, "value")


def _with_values(
    key: str, step: Step, attributes: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    changed = dict(attributes)
    for name, added in step.add_values.items():
        _present(key, [name], attributes, "attribute")
        _absent(f"{key}.{name}", added, attributes[name], "value")
        if not attributes[name]:
            raise ChainMistake(f"{key}.{name} is yes or no: give its values new names first")
        changed[name] = (*attributes[name], *added)
    for name, renamed in step.rename_values.items():
        _present(key, [name], attributes, "attribute")
        allowed = attributes[name] or YES_OR_NO
        _present(f"{key}.{name}", renamed, allowed, "value")
        changed[name] = tuple(dict.fromkeys(renamed.get(value, value) for value in allowed))
    for name, removed in step.remove_values.items():
        _present(key, [name], attributes, "attribute")
        _present(f"{key}.{name}", removed, attributes[name], "value")
        changed[name] = tuple(v for v in attributes[name] if v not in removed)
        if not changed[name]:
            raise ChainMistake(f"{key}.{name} leaves no value: remove the attribute instead")
    return changed


def _present(key: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise ChainMistake(f"{key} {name!r} is no {what} at that point. {nearest(name, known)}")


def _absent(key: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    known, seen = list(known), set[str]()
    for name in names:
        if name in known or name in seen:
            raise ChainMistake(f"{key} {name!r} is a {what} at that point already")
        seen.add(name)


def _renamed(key: str, names: Mapping[str, str], known: list[str], what: str) -> list[str]:
    """Names with some of them replaced at once."""
    _present(key, names, known, what)
    renamed = [names.get(name, name) for name in known]
    twice = next((name for name in renamed if renamed.count(name) > 1), None)
    if twice is not None:
        how = ": merge them instead" if what == "class" else ""
        raise ChainMistake(f"{key} leaves two of the name {twice!r}{how}")
    return renamed


def _replaced(labels: list[str], gone: Iterable[str], come: Iterable[str]) -> list[str]:
    """Labels with new ones at the place of the first that goes."""
    gone = set(gone)
    place = next(i for i, name in enumerate(labels) if name in gone)
    kept = [name for name in labels[:place] if name not in gone]
    return [*kept, *come, *(name for name in labels[place:] if name not in gone)]
