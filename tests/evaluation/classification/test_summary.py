from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.ranking import OneVsRest, rank_of_truth
from cv_pipeline.evaluation.classification.summary import CONVENTIONS, METRICS, summarise
from cv_pipeline.evaluation.classification.tallies import Tallies
from cv_pipeline.evaluation.resampling import Resampling

LABELS = ("a", "b", "c", "d", "e", "f", "g")


def answers_of(scores, truth) -> Answers:
    rows = np.arange(len(truth))
    return Answers(truth, scores.argmax(axis=1), scores.max(axis=1), scores[rows, truth], scores)


def drawn(seed: int, *, images: int, ties: bool = False) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(LABELS), images)
    logits = rng.normal(0, 1, (images, len(LABELS)))
    logits[np.arange(images), truth] += 1.2
    scores = np.exp(logits)
    scores /= scores.sum(axis=1, keepdims=True)
    return answers_of(np.round(scores, 1) if ties else scores, truth)


@pytest.fixture(scope="module")
def many() -> Answers:
    return drawn(0, images=600)


@pytest.fixture(scope="module")
def summary(many):
    return summarise(many, labels=LABELS, resampling=Resampling(resamples=200))


def test_agrees_with_scikit_learn(many, summary):
    from sklearn import metrics

    truth, said, scores = many.truth, many.predicted, many.scores
    onehot = np.eye(len(LABELS))[truth]
    f1 = {a: metrics.f1_score(truth, said, average=a) for a in ("macro", "micro", "weighted")}
    expected = {
        "accuracy": metrics.accuracy_score(truth, said),
        **{f"{a}_f1": value for a, value in f1.items()},
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
        "recall": metrics.recall_score(truth, said, average="macro"),
        "precision": metrics.precision_score(truth, said, average="macro"),
        "top3_accuracy": metrics.top_k_accuracy_score(truth, scores, k=3),
        "top5_accuracy": metrics.top_k_accuracy_score(truth, scores, k=5),
        "AUROC": metrics.roc_auc_score(truth, scores, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(onehot, scores),
        "log_loss": metrics.log_loss(truth, scores),
        "brier": metrics.brier_score_loss(truth, scores, scale_by_half=False),
    }
    made = {name: summary.metrics[name].value for name in expected}
    assert made == pytest.approx(expected, abs=1e-12)
    auroc = metrics.roc_auc_score(onehot, scores, average=None)
    per_class = metrics.precision_recall_fscore_support(truth, said)
    for k, label in enumerate(LABELS):
        of_class = {name: i.value for name, i in summary.classes[label].items()}
        assert of_class == pytest.approx(
            {
                "precision": per_class[0][k],
                "recall": per_class[1][k],
                "f1": per_class[2][k],
                "AUROC": auroc[k],
                "average_precision": metrics.average_precision_score(onehot[:, k], scores[:, k]),
            },
            abs=1e-12,
        )
        assert summary.support[label] == per_class[3][k]


def test_every_metric_has_its_convention_and_order(summary):
    assert list(summary.metrics) == list(METRICS)
    told = " ".join([*CONVENTIONS, *CONVENTIONS.values()])
    assert [m for m in METRICS if m not in told] == []


def test_intervals_hold_the_value_and_repeat(many, summary):
    again = summarise(many, labels=LABELS, resampling=Resampling(resamples=200))
    assert again == summary
    classes = [i for c in summary.classes.values() for i in c.values()]
    for interval in (*summary.metrics.values(), *classes):
        assert interval.low <= interval.value <= interval.high
        assert interval.high > interval.low


def test_bootstrap_of_the_accuracy_is_near_its_exact_standard_error(many):
    made = Tallies.resampled(
        many, labels=len(LABELS), resampling=Resampling(resamples=4000)
    ).overall()["accuracy"]
    share = (many.truth == many.predicted).mean()
    assert made.mean() == pytest.approx(share, abs=0.002)
    assert made.std() == pytest.approx(np.sqrt(share * (1 - share) / 600), rel=0.05)


def test_intervals_cover_the_truth_as_often_as_they_say():
    # macro F1 of this model on very many images, against intervals of 150 of them
    truth = summarise(
        drawn(100, images=60_000).take(np.ones(60_000, bool)),
        labels=LABELS,
        resampling=Resampling(resamples=1),
    ).metrics["macro_f1"].value  # fmt: skip
    covered = 0
    for seed in range(60):
        answers = drawn(seed + 1, images=150)
        f1 = Tallies.resampled(
            answers, labels=len(LABELS), resampling=Resampling(resamples=300)
        ).overall()["macro_f1"]
        low, high = np.percentile(f1, [2.5, 97.5])
        covered += low <= truth <= high
    assert covered >= 51  # of 60; 57 are expected, and 51 or fewer have a chance of 1 %


@pytest.mark.parametrize("ties", [False, True])
def test_weights_on_images_are_repeated_images(ties):
    from sklearn.metrics import average_precision_score, roc_auc_score

    answers = drawn(3, images=80, ties=ties)
    score, positive = answers.scores[:, 2], answers.truth == 2
    weights = np.random.default_rng(0).integers(0, 3, (5, 80)).astype(float)
    made = OneVsRest(score, positive).measure(weights)
    for sample, (area, average) in zip(weights.astype(int), made.T, strict=True):
        y, s = np.repeat(positive, sample), np.repeat(score, sample)
        assert area == pytest.approx(roc_auc_score(y, s))
        assert average == pytest.approx(average_precision_score(y, s))


def test_hanley_and_mcneil_1982_worked_example():
    # 58 normal and 51 abnormal CT images rated from 1 to 5: the area is 0.893
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    rating = np.concatenate([np.repeat(range(1, 6), n) for n in (normal, abnormal)]) / 5
    positive = np.arange(len(rating)) >= sum(normal)
    area, _ = OneVsRest(rating, positive).measure(np.ones((1, len(rating))))[:, 0]
    assert area == pytest.approx(0.893, abs=5e-4)


def test_a_class_without_images_or_without_others_has_no_area():
    none = OneVsRest(np.array([0.1, 0.2]), np.array([False, False]))
    assert np.isnan(none.measure(np.ones((3, 2)))).all()
    every = OneVsRest(np.array([0.1, 0.2]), np.array([True, True]))
    area, average = every.measure(np.ones((1, 2)))[:, 0]
    assert np.isnan(area)
    assert average == 1.0


def test_of_equal_scores_the_class_listed_first_wins():
    scores = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]])
    assert rank_of_truth(scores, np.array([0, 1])).tolist() == [0, 1]


def test_one_image_is_defined():
    made = summarise(answers_of(np.array([[0.1, 0.9]]), np.array([1])), labels=("a", "b"))
    assert made.metrics["accuracy"].value == 1.0
    assert made.metrics["accuracy"].low == pytest.approx(0.2065, abs=1e-4)
    assert made.metrics["ece"].value == pytest.approx(0.1)
    assert "AUROC" not in made.metrics
    assert list(made.classes) == ["b"]


def test_no_images_have_no_metrics():
    made = summarise(answers_of(np.zeros((0, 2)), np.array([], dtype=np.int64)), labels=("a", "b"))
    assert (made.images, made.metrics, made.classes) == (0, {}, {})


def test_images_without_a_prediction_count_as_wrong_and_have_no_score():
    made = summarise(
        Answers(
            truth=np.array([0, 0, 1]),
            predicted=np.array([0, 2, 1]),
            confidence=np.array([0.8, np.nan, 0.6]),
            truth_score=np.array([0.8, 0.0, 0.6]),
            scores=np.array([[0.8, 0.2], [0.0, 0.0], [0.4, 0.6]]),
        ),
        labels=("a", "b"),
    )
    assert made.unanswered == 1
    assert made.metrics["accuracy"].value == pytest.approx(2 / 3)
    assert made.metrics["micro_f1"].value == pytest.approx(4 / 5)
    assert made.metrics["log_loss"].value == pytest.approx(-np.log([0.8, 0.6]).mean())
    assert made.classes["a"]["recall"].value == 0.5


def test_answers_alone_have_no_metrics_of_scores():
    known = np.array([0, 1, 1])
    made = summarise(Answers(known, known, np.full(3, np.nan), np.zeros(3)), labels=("a", "b"))
    assert list(made.metrics) == list(METRICS[:7])
