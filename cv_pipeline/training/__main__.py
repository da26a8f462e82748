"""The child process: does the one job that its file describes, and writes a report beside it.

Standard output carries progress lines and nothing else; what libraries print goes to standard
error, which the parent shows when the process fails.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from cv_pipeline.errors import CVPipelineError
from cv_pipeline.training.lifeline import die_with
from cv_pipeline.training.process import FAILURE, NO_MEMORY, REPORT
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.spec import ActivationSpec, Failure, Job, Record, TrainingSpec


def main(job_file: Path) -> int:
    """Do the job of ``job_file`` and return the exit status."""
    job = Job.model_validate_json(job_file.read_bytes())
    die_with(job.parent)
    signal.signal(signal.SIGTERM, _terminate)
    progress = Progress(_own_stdout())
    kind = job.work.kind
    progress.tell(f"starting {kind}: loading torch")
    try:
        report = _work(job, progress)
    except (CVPipelineError, MemoryError, RuntimeError) as error:
        failure = explain(error, kind=kind)
        if failure is None:
            raise
        _write(job_file.with_name(FAILURE), failure)
        return 1
    _write(job_file.with_name(REPORT), report)
    return 0


def explain(error: Exception, *, kind: str) -> Failure | None:
    """What to tell of an error that a user can do something about; None for any other.

    Args:
        error: of this project, or torch's, CUDA's or Python's way to say that memory ran out.
        kind: of the job.
    """
    if isinstance(error, CVPipelineError):
        return Failure(what=error.what, do=error.do)
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
        first = text.partition("\n")[0]
        return Failure(what=f"The {kind} process ran out of memory: {first}", do=NO_MEMORY)
    return None


def _work(job: Job, progress: Progress) -> Record:
    if isinstance(job.work, TrainingSpec):
        from cv_pipeline.training.trainer import train

        return train(job.work, progress=progress)
    if isinstance(job.work, ActivationSpec):
        from cv_pipeline.evaluation.activation_maps.sample import explain_sample

        return explain_sample(job.work, progress=progress)
    from cv_pipeline.training.prediction import predict

    return predict(job.work, progress=progress)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)  # so that the MLflow run is closed on the way out


def _own_stdout() -> int:
    """Keep standard output for progress lines and send all other output to standard error."""
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _write(path: Path, record: Record) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(record.model_dump_json(), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
