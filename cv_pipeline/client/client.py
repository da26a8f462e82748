"""A client of one inspector, and one of its projects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from cv_pipeline.catalog.query import from_keywords, to_text
from cv_pipeline.client.connection import ClientError, Connection, segment
from cv_pipeline.client.images import Images
from cv_pipeline.client.models import (
    BatchMade,
    Board,
    Compare,
    Dataset,
    Datasets,
    EvaluationPage,
    Home,
    ImagePage,
    Model,
    Models,
    RunPage,
    TagsChanged,
)

POLL_SECONDS = 2.0


class Client:
    """A client of one inspector; in a ``with`` block it is closed at the end.

    Args:
        url: address of the inspector.
        token: a token of ``cvp token create``; it says what may be done, and where.
        timeout: seconds to wait for an answer.
        transport: what carries the requests; the network by default.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str = "",
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.connection = Connection(url, token=token, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        """The client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def projects(self) -> list[str]:
        """Names of the projects that the token has a role in."""
        return [card.name for card in self.connection.get(Home, "/").projects]

    def project(self, name: str) -> ProjectClient:
        """One project.

        Raises:
            ClientError: there is no such project, or the token has no role in it.
        """
        known = self.projects()
        if name not in known:
            raise ClientError(
                f"There is no project {name!r} here, or this token has no role in it.",
                do=f"Known: {', '.join(known) or 'none'}.",
                status=404,
            )
        return ProjectClient(self.connection, name)


class ProjectClient:
    """What can be asked of one project, and done in it.

    Args:
        connection: the connection.
        name: the project.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        self._path = f"/p/{segment(name)}"

    def board(self) -> Board:
        """The key metrics over versions and time, and what to look into."""
        return self._connection.get(Board, self._path)

    def query(
        self, where: str | None = None, *, sort: str | None = None, **keywords: Any
    ) -> Images:
        """The images that a query selects.

        Args:
            where: conditions in the text form of the query language.
            sort: order, as in the address of the grid.
            **keywords: more conditions, such as ``tags_count=0, metadata={'scene': 'outdoor'},
                date_range='2025-Q4'``.

        Raises:
            QueryError: it cannot be understood.
        """
        text = to_text(from_keywords(where, **keywords))
        return Images(self._connection, self.name, {"q": text, "sort": sort})

    def evaluation(self, digest: str = "latest") -> EvaluationPage:
        """An evaluation with what it is of, its worst slices and its verdict."""
        return self._connection.get(EvaluationPage, f"{self._path}/evaluations/{segment(digest)}")

    def worst_images(
        self,
        evaluation: str = "latest",
        *,
        where: str | None = None,
        label: str | None = None,
        kind: str | None = None,
    ) -> Images:
        """The images of an evaluation, the worst first.

        Args:
            evaluation: its digest; the newest by default.
            where: conditions on the images; all of the evaluation's split by default.
            label: class that they show in the evaluation.
            kind: kind of error that they have, such as ``missed``.
        """
        asked = {
            "q": where,
            "evaluation": self.evaluation(evaluation).digest,
            "label": label,
            "kind": kind,
        }
        return Images(self._connection, self.name, asked)

    def image(self, image: str) -> ImagePage:
        """One image with its labels, tags, metadata, and what models said of it."""
        return self._connection.get(ImagePage, f"{self._path}/images/{segment(image)}")

    def datasets(self) -> Datasets:
        """Every dataset version, the newest first."""
        return self._connection.get(Datasets, f"{self._path}/datasets")

    def dataset(self, digest: str) -> Dataset:
        """A dataset version."""
        return self._connection.get(Dataset, f"{self._path}/datasets/{segment(digest)}")

    def models(self) -> Models:
        """Every model, and the leaderboard."""
        return self._connection.get(Models, f"{self._path}/models")

    def model(self, digest: str) -> Model:
        """A model with its training curve, parameters and costs."""
        return self._connection.get(Model, f"{self._path}/models/{segment(digest)}")

    def compare(self, before: str, after: str) -> Compare:
        """Two models on the same images."""
        return self._connection.get(Compare, f"{self._path}/compare", before=before, after=after)

    def tag(self, images: Images | Sequence[str], *tags: str, remove: bool = False) -> int:
        """Put tags on images, or take them off; how many were."""
        ids = [image.id for image in images] if isinstance(images, Images) else list(images)
        answer = self._connection.call(
            "POST", f"{self._path}/tags", body={"images": ids, "tags": list(tags), "remove": remove}
        )
        return TagsChanged.model_validate(answer).changed

    def set_aside(
        self, where: str, name: str, *, purpose: str = "relabel", reason: str = ""
    ) -> BatchMade:
        """Set the images of a query aside as a batch to be labelled."""
        body = {"query": where, "name": name, "purpose": purpose, "reason": reason}
        return BatchMade.model_validate(
            self._connection.call("POST", f"{self._path}/batches", body=body)
        )

    def corrective(
        self,
        where: str | None = None,
        *,
        weight: int = 3,
        label: str | None = None,
        changes: Mapping[str, Any] | None = None,
        parent: str = "latest",
        reason: str = "",
    ) -> RunClient:
        """Launch a corrective run, which Dagster's daemon takes up.

        Args:
            where: images that count more.
            weight: times that each of them is drawn in an epoch.
            label: class by which it is judged.
            changes: parameters that differ from the parent's, such as ``{"training.epochs": 12}``.
            parent: the model that it is to better.
            reason: why, in words.
        """
        body = {
            "query": where,
            "weight": weight,
            "label": label,
            "changes": dict(changes or {}),
            "parent": parent,
            "reason": reason,
        }
        answer = self._connection.call("POST", f"{self._path}/corrective", body=body)
        return RunClient(self._connection, self.name, str(answer["run_id"]))

    def run(self, run_id: str) -> RunClient:
        """A run of the project."""
        return RunClient(self._connection, self.name, run_id)


class RunClient:
    """A run that can be followed.

    Args:
        connection: the connection.
        project: name of the project.
        run_id: the Dagster run.
    """

    def __init__(self, connection: Connection, project: str, run_id: str) -> None:
        self.run_id = run_id
        self._connection = connection
        self._path = f"/p/{segment(project)}/runs/{segment(run_id)}"

    def state(self) -> RunPage:
        """How far it is, and when it has ended, the new numbers beside the old."""
        return self._connection.get(RunPage, self._path)

    def wait(self, *, seconds: float = 3600.0) -> RunPage:
        """Wait until it has ended.

        Args:
            seconds: at most so long.

        Raises:
            ClientError: it had not ended by then.
        """
        deadline = time.monotonic() + seconds
        while True:
            state = self.state()
            if state.run.finished:
                return state
            if time.monotonic() > deadline:
                raise ClientError(
                    f"Run {self.run_id} has not ended after {seconds:.0f} s.", do="Wait longer."
                )
            time.sleep(POLL_SECONDS)
