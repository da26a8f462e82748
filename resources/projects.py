"""The projects of this code location, looked up by the first part of an asset key."""

from pathlib import Path

import dagster as dg

from cv_pipeline.project import Project, find_project
from cv_pipeline.provenance.abandoned_runs import sign_run


class Projects(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's own default
    """Finds the project that an asset belongs to.

    The file is read anew for every step, so that an edited ``project.yaml`` counts at once.
    """

    folder: str

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Sign the run before any of its steps waits for a pool."""
        if context.run is not None and context.instance is not None:
            sign_run(context.instance, context.run)

    def get(self, name: str) -> Project:
        """Load the project called ``name``.

        Raises:
            ProjectError: there is none, or its file does not validate.
        """
        return find_project(name, Path(self.folder))
