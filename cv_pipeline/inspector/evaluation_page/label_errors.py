"""Labels of an evaluation that are likely to be wrong."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.evaluation.error_analysis.analysis import likely_label_errors
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.provenance.reports import analysis_of


def label_errors(workspace: Workspace, evaluated: Evaluated) -> pa.Table:
    """Schema LABEL_ERRORS: of the error analysis, or found now where there is none."""

    def read() -> pa.Table:
        with workspace.log() as log:
            analysis = analysis_of(evaluated, log)
        if analysis is not None:
            return analysis.label_errors
        said = pq.read_table(evaluated.predictions_folder() / "predictions.parquet")
        return likely_label_errors(evaluated.evaluation, said)

    key = ("label errors", evaluated.project, evaluated.event.version)
    return workspace.kept.get(key, read)
