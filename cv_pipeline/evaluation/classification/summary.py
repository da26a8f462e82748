"""Every number of a classifier on one set of images, each with its 95 % confidence interval.

Metrics of the answers come from counts alone, those of the scores from the scores of every class.
Intervals of proportions are Wilson's; all others are percentiles of a seeded bootstrap of images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation import calibration
from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.ranking import OneVsRest, rank_of_truth
from cv_pipeline.evaluation.classification.tallies import Tallies
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.proportion import wilson
from cv_pipeline.evaluation.resampling import Resampling, percentiles
from cv_pipeline.evaluation.slicing.ratios import Sums
from cv_pipeline.evaluation.slicing.statistics import ratio_interval

RESAMPLING = Resampling()
FEWEST_RESAMPLES = 100
MOST_WEIGHTS = 300_000_000
"""Images × classes × samples that areas and average precisions are resampled with, at most."""
TOP = (3, 5)
METRICS = (
    "accuracy",
    "macro_f1",
    "micro_f1",
    "weighted_f1",
    "balanced_accuracy",
    "recall",
    "precision",
    *(f"top{k}_accuracy" for k in TOP),
    "AUROC",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "adaptive_ece",
)
WHOLE_METRICS = (
    "micro_f1",
    "weighted_f1",
    "balanced_accuracy",
    *(f"top{k}_accuracy" for k in TOP),
    "AUROC",
    "average_precision",
)
"""Those, 0 to 1 and better the higher, that an evaluation has for the whole and not for slices."""
CLASS_METRICS = ("recall", "precision", "f1", "AUROC", "average_precision")
LOWER_IS_BETTER = ("log_loss", "brier", "ece", "adaptive_ece")

CONVENTIONS = {
    "accuracy": "share of the labelled images whose predicted class is the true one",
    "macro_f1": "mean F1 over the classes with ground truth in the images",
    "micro_f1": "2 × right / (labels + predictions)",
    "weighted_f1": "mean F1 over those classes, weighted by their images",
    "balanced_accuracy": "mean recall over those classes; also called recall",
    "precision": "mean precision over those of the classes that are predicted at all",
    "top_k": "top3_accuracy and top5_accuracy: the true class is among the k highest-scored, the"
    " class that is listed first winning a tie; only with more than k classes",
    "AUROC": "area under the ROC curve of each class against the rest, mean over the classes"
    " with and without images",
    "average_precision": "Σ recall gained × precision over the distinct scores of a class, mean"
    " over the classes with ground truth",
    "log_loss": "mean of -ln of the true class's score, raised to 2.2e-16; lower is better",
    "brier": "mean squared distance of all scores from 1 for the true class and 0 for the others"
    " (Brier 1950; 0 to 2); lower is better",
    "ece": "expected calibration error of the predicted class's score, 15 bins of equal width"
    " (Guo et al. 2017); lower is better",
    "adaptive_ece": "the same with 15 bins of equal number (Nguyen and O'Connor 2015)",
    "images_without_prediction": "count as wrong; without a score, and so left out of AUROC,"
    " average_precision, log_loss, brier, ece and adaptive_ece",
    "intervals": "95 %: Wilson's for accuracy, top-k, recall and precision of a class, for its"
    " F1 of the objects divided by the design effect; else"
    f" percentiles of {RESAMPLING.resamples} seeded bootstrap samples of the images (fewer, but at"
    f" least {FEWEST_RESAMPLES}, for AUROC and average_precision of many images and classes);"
    " those of ece are moved by the mean gap that resampling adds",
}


@dataclass(frozen=True)
class Summary:
    """The numbers of one set of images; one that is not defined is absent.

    Attributes:
        images: labelled images.
        unanswered: those of them without a prediction.
        metrics: metric to value, over all classes; the meaning of each is in CONVENTIONS.
        classes: class with ground truth to its recall, precision, F1, AUROC and average precision.
        support: the same class to its images.
    """

    images: int
    unanswered: int
    metrics: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]
    support: dict[str, int]


def summarise(
    answers: Answers, *, labels: tuple[str, ...], resampling: Resampling = RESAMPLING
) -> Summary:
    """Measure answers.

    Args:
        answers: true and predicted class of each image.
        labels: classes, by index.
        resampling: of the images, for the intervals.
    """
    size, images = len(labels), len(answers.truth)
    answered = answers.predicted < size
    present = np.unique(answers.truth)
    classes: dict[str, dict[str, Interval]] = {labels[k]: {} for k in present}
    metrics: dict[str, Interval] = {}
    if images:
        _of_answers(answers, labels, metrics, classes, resampling)
        _of_scores(answers.scored(), labels, metrics, classes, resampling)
    if images and answers.scores is not None:
        rank = np.where(answered, rank_of_truth(answers.scores, answers.truth), size)
        metrics |= {
            f"top{k}_accuracy": wilson(int((rank < k).sum()), images) for k in TOP if k < size
        }
    support = np.bincount(answers.truth, minlength=size)
    return Summary(
        images=images,
        unanswered=int((~answered).sum()),
        metrics={name: metrics[name] for name in METRICS if name in metrics},
        classes=classes,
        support={labels[k]: int(support[k]) for k in present},
    )


def _of_answers(
    answers: Answers,
    labels: tuple[str, ...],
    metrics: dict[str, Interval],
    classes: Mapping[str, dict[str, Interval]],
    resampling: Resampling,
) -> None:
    size = len(labels)
    whole = Tallies.of(answers, labels=size)
    drawn = Tallies.resampled(answers, labels=size, resampling=resampling)
    samples = drawn.overall()
    for metric, value in whole.overall().items():
        if not np.isnan(value[0]):
            metrics[metric] = percentiles(float(value[0]), samples[metric])
    found, labelled, predicted = whole.found[0], whole.labelled[0], whole.predicted[0]
    metrics["accuracy"] = wilson(int(found.sum()), int(labelled.sum()))
    for k in np.flatnonzero(labelled):
        of_class = classes[labels[k]]
        of_class["recall"] = wilson(int(found[k]), int(labelled[k]))
        if predicted[k]:
            of_class["precision"] = wilson(int(found[k]), int(predicted[k]))
        true, said = answers.truth == k, answers.predicted == k
        # the terms of ratio_terms, so that the interval is that of the table of slices
        f1 = ratio_interval(Sums.of((true & said).astype(float), (true.astype(float) + said) / 2))
        of_class["f1"] = Interval(*(float(number) for number in f1))


def _of_scores(
    answers: Answers,
    labels: tuple[str, ...],
    metrics: dict[str, Interval],
    classes: Mapping[str, dict[str, Interval]],
    resampling: Resampling,
) -> None:
    """The metrics of scores, over the images whose answer has one."""
    scored = len(answers.truth) > 0
    if scored:
        correct = answers.truth == answers.predicted
        metrics |= _calibration_errors(answers.confidence, correct, resampling)
    if scored and answers.scores is not None:
        for metric, values in (
            ("log_loss", calibration.log_losses(answers.scores, answers.truth)),
            ("brier", calibration.brier_scores(answers.scores, answers.truth)),
        ):
            drawn = np.concatenate([w @ values for w in resampling.weights(len(values))])
            metrics[metric] = percentiles(float(values.mean()), drawn / len(values))
        _of_ranking(answers.scores, answers.truth, labels, metrics, classes, resampling)


def _calibration_errors(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], resampling: Resampling
) -> dict[str, Interval]:
    images = np.arange(len(confidence))
    return {
        metric: calibration.calibration_interval(
            of_bin, confidence, correct, image=images, images=len(images), resampling=resampling
        )
        for metric, of_bin in (
            ("ece", calibration.equal_width(confidence)),
            ("adaptive_ece", calibration.equal_mass(confidence, correct)),
        )
    }


def _of_ranking(
    scores: NDArray[np.float64],
    truth: NDArray[np.int64],
    labels: tuple[str, ...],
    metrics: dict[str, Interval],
    classes: Mapping[str, dict[str, Interval]],
    resampling: Resampling,
) -> None:
    images = len(scores)
    present = np.unique(truth)
    affordable = MOST_WEIGHTS // (images * len(present))
    fewer = replace(
        resampling, resamples=min(resampling.resamples, max(affordable, FEWEST_RESAMPLES))
    )
    rankings = [OneVsRest(scores[:, k], truth == k) for k in present]
    values = np.stack([r.measure(np.ones((1, images)))[:, 0] for r in rankings], axis=1)
    drawn = np.concatenate(
        [np.stack([r.measure(w) for r in rankings], axis=1) for w in fewer.weights(images)], axis=2
    )
    for row, metric in enumerate(("AUROC", "average_precision")):
        known = ~np.isnan(values[row])
        for i in np.flatnonzero(known).tolist():
            of_class = classes[labels[present[i]]]
            of_class[metric] = percentiles(float(values[row, i]), drawn[row, i])
        if known.any():
            counted = ~np.isnan(drawn[row])
            total = np.where(counted, drawn[row], 0.0).sum(axis=0)
            means = total / np.maximum(counted.sum(axis=0), 1)
            metrics[metric] = percentiles(
                float(values[row, known].mean()), means[counted.any(axis=0)]
            )
