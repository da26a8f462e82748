"""How far the scores of an evaluated model can be believed, and what a temperature would mend.

Of a classifier it is the score of the predicted class, of a detector that of the detections at the
operating point, where being right means matching an object at IoU 0.5. A temperature is fitted on
val alone and tried on the headline split, so that it is not judged on what it was fitted to.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cv_pipeline.evaluation.calibration import (
    Bin,
    brier_scores,
    calibration_interval,
    equal_mass,
    equal_width,
    fit_temperature,
    log_losses,
    reliability,
    tempered,
)
from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.evaluation.scoring import TUNING_SPLIT

RESAMPLING = Resampling(resamples=200)


class Believed(BaseModel):
    """How well scores and what is right agree; all of it is better the lower it is.

    Attributes:
        ece: expected calibration error, 15 bins of equal width, with its interval.
        adaptive_ece: the same with bins of equal number.
        log_loss: mean of -ln of the true class's score; None for detection.
        brier: mean squared distance of all scores from the truth, 0 to 2; None for detection.
        reliability: the bars of a reliability diagram.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ece: Interval
    adaptive_ece: Interval
    log_loss: float | None
    brier: float | None
    reliability: tuple[Bin, ...]


class CalibrationReport(BaseModel):
    """The scores of one split.

    Attributes:
        of: what is scored, in words.
        split: the split.
        scored: how many there are.
        as_predicted: the scores as they are.
        temperature: divides the logits, fitted on val; None where there is none.
        fitted_on: images of val that it was fitted on.
        tempered: the scores of this split with it; None without it.
        note: why there is no temperature; empty where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    of: str
    split: str
    scored: int
    as_predicted: Believed
    temperature: float | None
    fitted_on: int
    tempered: Believed | None
    note: str


def answers_report(
    answers: Answers, *, split: str, tuning: Answers | None
) -> CalibrationReport | None:
    """The calibration of a classifier; None where no answer has a score.

    Args:
        answers: of the split.
        split: its name.
        tuning: answers of val, to fit the temperature on; None where it was not predicted.
    """
    scored = answers.scored()
    if len(scored.truth) == 0:
        return None
    fitted_on = tuning.scored() if tuning is not None else None
    temperature, note = _temperature(scored, split, fitted_on)
    after = None
    if temperature is not None and scored.scores is not None:
        after = _of_answers(scored.truth, tempered(scored.scores, temperature), scored.predicted)
    return CalibrationReport(
        of="score of the predicted class",
        split=split,
        scored=len(scored.truth),
        as_predicted=_of_answers(scored.truth, scored.scores, scored.predicted, scored.confidence),
        temperature=temperature,
        fitted_on=0 if fitted_on is None or temperature is None else len(fitted_on.truth),
        tempered=after,
        note=note,
    )


def matches_report(
    matches: pa.Table, *, split: str, image_ids: pa.Array
) -> CalibrationReport | None:
    """The calibration of a detector's scores at its operating point; None without a detection.

    Args:
        matches: schema MATCHES.
        split: the split to report on.
        image_ids: its images.
    """
    rows = matches.filter(pc.and_(pc.equal(matches["split"], split), pc.is_valid(matches["score"])))
    if len(rows) == 0:
        return None
    confidence = rows["score"].to_numpy()
    correct = pc.equal(rows["kind"], "correct").to_numpy()
    image = pc.index_in(rows["image_id"], value_set=image_ids).to_numpy().astype(np.int64)
    return CalibrationReport(
        of="score of the detections at the operating point",
        split=split,
        scored=len(rows),
        as_predicted=_believed(confidence, correct, image=image, images=len(image_ids)),
        temperature=None,
        fitted_on=0,
        tempered=None,
        note="A temperature is fitted for classifiers only.",
    )


def _temperature(scored: Answers, split: str, tuning: Answers | None) -> tuple[float | None, str]:
    if scored.scores is None:
        return None, "The scores of all classes are too many to be held in memory."
    if split == TUNING_SPLIT:
        return None, f"The numbers are of {split} itself, which a temperature would be fitted on."
    if tuning is None or tuning.scores is None or len(tuning.truth) == 0:
        return None, f"No image of {TUNING_SPLIT} was predicted, to fit a temperature on."
    found = fit_temperature(tuning.scores, tuning.truth)
    if found is None:
        return None, (
            f"No temperature from 0.05 to 20 is best on the {len(tuning.truth)} images of"
            f" {TUNING_SPLIT}: too few of them, or none of the answers, are wrong."
        )
    return found, ""


def _of_answers(
    truth: NDArray[np.int64],
    scores: NDArray[np.float64] | None,
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64] | None = None,
) -> Believed:
    images = np.arange(len(truth))
    if confidence is None:
        assert scores is not None
        confidence = scores[images, predicted]
    made = _believed(confidence, truth == predicted, image=images, images=len(truth))
    if scores is None:
        return made
    return made.model_copy(
        update={
            "log_loss": float(log_losses(scores, truth).mean()),
            "brier": float(brier_scores(scores, truth).mean()),
        }
    )


def _believed(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    *,
    image: NDArray[np.int64],
    images: int,
) -> Believed:
    intervals = [
        calibration_interval(
            of_bin, confidence, correct, image=image, images=images, resampling=RESAMPLING
        )
        for of_bin in (equal_width(confidence), equal_mass(confidence, correct))
    ]
    return Believed(
        ece=intervals[0],
        adaptive_ece=intervals[1],
        log_loss=None,
        brier=None,
        reliability=reliability(confidence, correct),
    )
