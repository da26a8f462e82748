"""MLflow's model registry: which version of a project's model is the champion.

A version is registered first, and the alias moves to it last, in one write: whatever is killed
when, the alias names the old champion or the new one. Registering a model twice gives one version.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cv_pipeline.errors import TrainingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
MODEL_TAG = "model_digest"


@dataclass(frozen=True)
class Registered:
    """A version in the registry.

    Attributes:
        name: the registered model: the project's name.
        version: its number.
        model: digest of the model.
        tags: what else was said of it when it was registered.
    """

    name: str
    version: str
    model: str
    tags: Mapping[str, str]


class ModelRegistry:
    """The registered model of one project.

    Args:
        tracking_uri: MLflow's tracking store, which holds the registry too.
        project: name of the project.
    """

    def __init__(self, tracking_uri: str, project: str) -> None:
        self._uri = tracking_uri
        self._name = project

    def champion(self) -> Registered | None:
        """The version that the alias names; None when there is none.

        Raises:
            TrainingError: MLflow failed.
        """
        from mlflow.exceptions import MlflowException

        client = self._client()
        try:
            version = client.get_model_version_by_alias(self._name, ALIAS)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise self._failed(error) from error
        return _registered(version)

    def promote(self, *, model: str, run_id: str, tags: Mapping[str, str]) -> Registered:
        """Make a trained model the champion; it may be that already.

        Args:
            model: digest of the model.
            run_id: MLflow run of its training, whose artifacts hold it.
            tags: what to say of it, such as the evaluation that it was promoted on.

        Raises:
            TrainingError: MLflow failed, or it has no such run.
        """
        from mlflow.exceptions import MlflowException

        client = self._client()
        try:
            found = self._find(client, model) or self._register(client, model, run_id, tags)
            # of a version that was registered earlier, the alias goes by what is true now
            for key, value in tags.items():
                if found.tags.get(key) != value:
                    client.set_model_version_tag(self._name, found.version, key, value)
            client.set_registered_model_alias(self._name, ALIAS, found.version)
        except MlflowException as error:
            raise self._failed(error) from error
        return Registered(self._name, found.version, model, {**found.tags, **tags})

    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    def _find(self, client: MlflowClient, model: str) -> Registered | None:
        versions = client.search_model_versions(f"name = '{self._name}'")
        known = [v for v in map(_registered, versions) if v.model == model]
        return min(known, key=lambda v: int(v.version), default=None)

    def _register(
        self, client: MlflowClient, model: str, run_id: str, tags: Mapping[str, str]
    ) -> Registered:
        from mlflow.exceptions import MlflowException

        artifacts = client.get_run(run_id).info.artifact_uri
        try:
            client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(
            self._name,
            f"{artifacts}/model",
            run_id=run_id,
            tags={MODEL_TAG: model, **tags},
        )
        return _registered(made)

    def _failed(self, error: Exception) -> TrainingError:
        return TrainingError(
            f"The registry in MLflow at {self._uri} failed: {error}.",
            do="Run: cvp init. If that does not help, look at MLFLOW_TRACKING_URI.",
        )


def _registered(version: Any) -> Registered:
    tags = dict(version.tags)
    return Registered(version.name, str(version.version), tags.get(MODEL_TAG, ""), tags)
