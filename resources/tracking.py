"""Where training runs are tracked."""

import dagster as dg


class Tracking(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's own default
    """MLflow's tracking store; only the training process imports mlflow."""

    uri: str
    ui_url: str = "http://127.0.0.1:5000"

    def run_url(self, *, experiment_id: str, run_id: str) -> str:
        """Page of an MLflow run."""
        return f"{self.ui_url}/#/experiments/{experiment_id}/runs/{run_id}"
