"""The ``cvp`` command. Every command takes ``--json``; every error says what to do next."""

from __future__ import annotations

import cv_pipeline.settings  # noqa: F401  # telemetry is off before any part is imported
from cv_pipeline.cli.activation_map import activation_map
from cv_pipeline.cli.app import App
from cv_pipeline.cli.assign import assign
from cv_pipeline.cli.audit import audit
from cv_pipeline.cli.batch import batch
from cv_pipeline.cli.check import check
from cv_pipeline.cli.checks import checks
from cv_pipeline.cli.compare import compare
from cv_pipeline.cli.corrective import corrective
from cv_pipeline.cli.diff import diff
from cv_pipeline.cli.epochs import epochs
from cv_pipeline.cli.errors import errors
from cv_pipeline.cli.export import export
from cv_pipeline.cli.hand_off import hand_off
from cv_pipeline.cli.history import history
from cv_pipeline.cli.init import init
from cv_pipeline.cli.label_cost import label_cost
from cv_pipeline.cli.label_studio import label_studio
from cv_pipeline.cli.leaderboard import leaderboard
from cv_pipeline.cli.more import more
from cv_pipeline.cli.new import new
from cv_pipeline.cli.ontology import ontology
from cv_pipeline.cli.overview import overview
from cv_pipeline.cli.prelabels import prelabels
from cv_pipeline.cli.pull import pull
from cv_pipeline.cli.push import push
from cv_pipeline.cli.queries import queries
from cv_pipeline.cli.query import query
from cv_pipeline.cli.report import report
from cv_pipeline.cli.review import review
from cv_pipeline.cli.review_first import review_first
from cv_pipeline.cli.run import run
from cv_pipeline.cli.sample import sample
from cv_pipeline.cli.select import select
from cv_pipeline.cli.set_aside import batches, set_aside
from cv_pipeline.cli.slices import slices
from cv_pipeline.cli.summary import summary
from cv_pipeline.cli.tag import tag
from cv_pipeline.cli.takeout import takeout
from cv_pipeline.cli.token import token
from cv_pipeline.cli.trace import trace
from cv_pipeline.cli.ui import ui
from cv_pipeline.cli.user import user
from cv_pipeline.cli.verdict import verdict
from cv_pipeline.cli.verify import verify
from cv_pipeline.cli.worst import worst

app = App(
    name="cvp",
    help="The open, self-hosted computer-vision pipeline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    init,
    sample,
    new,
    run,
    query,
    queries,
    tag,
    summary,
    checks,
    overview,
    ontology,
    hand_off,
    trace,
    worst,
    slices,
    epochs,
    more,
    prelabels,
    select,
    review_first,
    set_aside,
    batches,
    batch,
    assign,
    label_cost,
    push,
    pull,
    corrective,
    compare,
    leaderboard,
    verdict,
    activation_map,
    errors,
    report,
    review,
    diff,
    history,
    export,
    verify,
    takeout,
    label_studio,
    ui,
):
    app.command()(command)
app.add_typer(check, name="check")
app.add_typer(user, name="user")
app.add_typer(token, name="token")
app.add_typer(audit, name="audit")

__all__ = ["app"]
