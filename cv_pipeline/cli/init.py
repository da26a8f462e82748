"""``cvp init``: make the state folder ready."""

from __future__ import annotations

from cv_pipeline.cli.app import Json, console, errors, print_json


def init(as_json: Json = False) -> None:
    """Make CV_HOME and DAGSTER_HOME ready: the Dagster instance and MLflow's tables."""
    from cv_pipeline.instance import initialise

    home = initialise(log=lambda line: errors.print(line, style="dim", markup=False))
    if as_json:
        print_json({"cv_home": str(home.cv_home), "dagster_home": str(home.dagster_home)})
        return
    console.print(f"State is in {home.cv_home}. In a shell of your own, first run:", markup=False)
    console.print(
        f"  export CV_HOME={home.cv_home} DAGSTER_HOME={home.dagster_home}",
        markup=False,
        soft_wrap=True,
    )
