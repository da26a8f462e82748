"""Answers of a classifier in one CSV or Parquet file: a row for each image.

One column holds the true class; the predicted one is in another, or follows from one score column
for each class. What is read is complete: every class is known and every score is between 0 and 1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.classification.answers import SUM_TOLERANCE, Answers

ID = "image_id"

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called.

    Attributes:
        truth: the true class; a row without one is left out.
        prediction: the predicted class, a row without one being a prediction that is missing;
            where there is no such column, the class with the highest score.
        score: score of the predicted class; optional.
        scores: what the names of the score columns begin with; the rest of each is a class.
    """

    truth: str = "truth"
    prediction: str = "predicted"
    score: str = "score"
    scores: str = "score_"


@dataclass(frozen=True, eq=False)
class TableAnswers:
    """The answers in a table.

    Attributes:
        answers: of the rows that have a true class, in their order.
        labels: classes: those of the score columns in their order, else those that occur, sorted.
        notes: sentences on what is unusual.
    """

    answers: Answers
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def read_answers(path: Path, *, columns: Columns) -> TableAnswers:
    """Read a table of answers.

    Args:
        path: a .csv, .tsv or .parquet file. Where it has a column image_id, no id may repeat.
        columns: what its columns are called.

    Raises:
        EvaluationError: the file cannot be read, a column is missing or there twice, a class
            is unknown, a score
            is not between 0 and 1, an id repeats, or no row has a true class.
    """
    table = _table(path, columns)
    names = table.column_names
    _refuse_columns_of_one_name(names, path)
    classes = [name.removeprefix(columns.scores) for name in names if _is_score(name, columns)]
    _require(columns.truth, names, path, "the true class", option="--truth")
    if columns.prediction not in names and not classes:
        raise EvaluationError(
            f"{path} has neither a column {columns.prediction!r} nor score columns"
            f" {columns.scores + '…'!r}, so there are no predictions.",
            do=f"Name the column with --prediction. {nearest(columns.prediction, names)}",
        )
    _refuse_repeated(table, path)
    truth = _texts(table, columns.truth)
    said = _texts(table, columns.prediction) if columns.prediction in names else None
    labels = _labels(truth, said, classes, path, columns)
    true = _codes(truth, labels)
    scores = _scores(table, classes, path, columns) if classes else None
    if scores is not None and said is None:
        filled = np.nan_to_num(scores, nan=-1.0)
        predicted = np.where(filled[:, 0] < 0, len(labels), filled.argmax(axis=1))
    else:
        predicted = _codes(said, labels)
    labelled = true < len(labels)
    if not labelled.any():
        raise EvaluationError(
            f"No row of {path} has a true class in {columns.truth!r}, so there is nothing to"
            " compare the predictions with.",
            do="Give each image its true class.",
        )
    answered = predicted < len(labels)
    rows = np.arange(len(true))
    if columns.score in names:
        confidence = _unit(table, columns.score, path)
    elif scores is not None:
        confidence = scores[rows, np.minimum(predicted, len(labels) - 1)]
    else:
        confidence = np.full(len(true), np.nan)
    confidence = np.where(answered, confidence, np.nan)
    given = np.zeros(len(true))
    if scores is not None:
        _refuse_unscored(scores, answered, path)
        scores = np.nan_to_num(scores)
        given = scores[rows, np.minimum(true, len(labels) - 1)]
    answers = Answers(np.minimum(true, len(labels) - 1), predicted, confidence, given, scores)
    return TableAnswers(
        answers=answers.take(labelled),
        labels=labels,
        notes=tuple(_notes(labelled, answered, predicted, scores)),
    )


def _table(path: Path, columns: Columns) -> pa.Table:
    if not path.is_file():
        raise EvaluationError(f"There is no file {path}.", do="Name a .csv, .tsv or .parquet file.")
    kind = path.suffix.lower()
    if kind not in (*_SEPARATORS, ".parquet"):
        raise EvaluationError(
            f"{path} is not a table that can be read.", do="Name a .csv, .tsv or .parquet file."
        )
    try:
        if kind == ".parquet":
            return pq.read_table(path)
        text = dict.fromkeys((columns.truth, columns.prediction, ID), pa.string())
        return pa.csv.read_csv(
            path,
            parse_options=pa.csv.ParseOptions(delimiter=_SEPARATORS[kind]),
            convert_options=pa.csv.ConvertOptions(
                column_types=text, strings_can_be_null=True, null_values=[""]
            ),
        )
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(f"{path} cannot be read: {error}.", do="Write it again.") from error


def _is_score(name: str, columns: Columns) -> bool:
    fixed = (columns.truth, columns.prediction, columns.score, ID)
    return name.startswith(columns.scores) and name != columns.scores and name not in fixed


def _require(name: str, names: list[str], path: Path, meaning: str, *, option: str) -> None:
    if name not in names:
        raise EvaluationError(
            f"{path} has no column {name!r} with {meaning}.",
            do=f"Name the column with {option}. {nearest(name, names)}",
        )


def _refuse_columns_of_one_name(names: list[str], path: Path) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise EvaluationError(
            f"{path} has several columns {repeated[0]!r}.", do="Give each column a name of its own."
        )


def _refuse_repeated(table: pa.Table, path: Path) -> None:
    if ID not in table.column_names:
        return
    counts = table[ID].drop_null().value_counts()
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        raise EvaluationError(
            f"{len(repeated)} ids of {path} stand in several rows, the first of them"
            f" {repeated[0]['values'].as_py()!r}.",
            do="Write one row for each image.",
        )


def _texts(table: pa.Table, name: str) -> pa.Array:
    """A column of classes as text; nulls and empty texts are null."""
    try:
        column = table[name].cast(pa.string()).combine_chunks()
    except pa.ArrowException as error:
        raise EvaluationError(
            f"The column {name!r} does not hold classes: {error}.", do="Write them as text."
        ) from error
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _labels(
    truth: pa.Array, said: pa.Array | None, classes: list[str], path: Path, columns: Columns
) -> tuple[str, ...]:
    texts = pa.chunked_array([truth, *([said] if said is not None else [])])
    occurring = sorted(texts.drop_null().unique().to_pylist())
    if not classes:
        return tuple(occurring)
    unknown = [label for label in occurring if label not in classes]
    if unknown:
        raise EvaluationError(
            f"{path} has classes without a score column {columns.scores + '…'!r}:"
            f" {', '.join(map(repr, unknown[:5]))}.",
            do=nearest(unknown[0], classes),
        )
    return tuple(classes)


def _codes(texts: pa.Array, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """(n,) index of each class; the number of classes for none."""
    codes = pc.index_in(texts, value_set=pa.array(labels, pa.string()))
    out: NDArray[np.int64] = codes.fill_null(len(labels)).to_numpy().astype(np.int64)
    return out


def _scores(
    table: pa.Table, classes: list[str], path: Path, columns: Columns
) -> NDArray[np.float64]:
    """(n, classes) scores; NaN throughout a row without any."""
    scores = np.stack([_unit(table, columns.scores + name, path) for name in classes], axis=1)
    missing = np.isnan(scores)
    some = missing.any(axis=1) & ~missing.all(axis=1)
    if some.any():
        raise EvaluationError(
            f"{int(some.sum())} rows of {path} have a score for some of the classes only, the first"
            f" of them row {int(some.argmax()) + 1}.",
            do="Give a score to every class, or to none of them where there is no prediction.",
        )
    return scores


def _unit(table: pa.Table, name: str, path: Path) -> NDArray[np.float64]:
    """A column of scores; NaN where there is none."""
    try:
        column = table[name].cast(pa.float64())
    except pa.ArrowException as error:
        raise EvaluationError(
            f"The column {name!r} of {path} does not hold numbers: {error}.",
            do="Scores are between 0 and 1.",
        ) from error
    values: NDArray[np.float64] = column.to_numpy()
    given = column.is_valid().to_numpy()
    bad = given & ~((values >= 0) & (values <= 1))  # true for NaN
    if bad.any():
        first = int(bad.argmax())
        raise EvaluationError(
            f"{int(bad.sum())} of {len(bad)} scores in the column {name!r} of {path} are not"
            f" between 0 and 1, the first of them {values[first]} in row {first + 1}.",
            do="Give probabilities, such as the softmax of logits.",
        )
    return values


def _refuse_unscored(scores: NDArray[np.float64], answered: NDArray[np.bool_], path: Path) -> None:
    unscored = answered & np.isnan(scores).any(axis=1)
    if unscored.any():
        raise EvaluationError(
            f"{int(unscored.sum())} rows of {path} have a predicted class but no scores, the first"
            f" of them row {int(unscored.argmax()) + 1}.",
            do="Give a score to every class.",
        )


def _notes(
    labelled: NDArray[np.bool_],
    answered: NDArray[np.bool_],
    predicted: NDArray[np.int64],
    scores: NDArray[np.float64] | None,
) -> list[str]:
    notes = []
    if not labelled.all():
        notes.append(
            f"{int((~labelled).sum())} of {len(labelled)} rows have no true class and are left out."
        )
    missing = labelled & ~answered
    if missing.any():
        notes.append(f"{int(missing.sum())} images have no prediction and count as wrong.")
    if scores is None:
        return notes
    used = labelled & answered
    off = used & (np.abs(scores.sum(axis=1) - 1) > SUM_TOLERANCE)
    if off.any():
        notes.append(
            f"The scores of {int(off.sum())} images do not sum to 1, so log loss, Brier score and"
            " calibration are not those of probabilities."
        )
    best = scores.max(axis=1)
    given = scores[np.arange(len(scores)), np.minimum(predicted, scores.shape[1] - 1)]
    other = used & (given < best)
    if other.any():
        notes.append(f"The prediction of {int(other.sum())} images is not their highest score.")
    return notes
