"""Manual review of a sample: right or wrong, kept with the evaluation that it is of, and tallied.

Judgements are only ever added. Where a person judges an image again, or several do, the newest
judgement of each person counts, and an image is right when most of them say so; a tie is wrong.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas.reviews import REVIEWS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.evaluation import Evaluation
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.proportion import wilson

Judgement = Literal["right", "wrong"]


@dataclass(frozen=True)
class Tally:
    """What the reviewers of one evaluation found.

    Attributes:
        evaluation: its digest.
        images: images with a judgement.
        reviewers: people who gave one.
        right: share of the images that are right, with its 95 % Wilson interval, which holds for
            the split if the images are a sample of it; None without judgements.
        agree: images that the metrics and the reviewers judge alike.
        better: images that are wrong by the labels and right in the reviewers' eyes: the labels
            may be wrong.
        worse: images that are right by the labels and wrong in the reviewers' eyes.
        issues: issue to how many images have it.
        disputed: images on which people disagree, sorted.
    """

    evaluation: str
    images: int
    reviewers: int
    right: Interval | None
    agree: int
    better: tuple[str, ...]
    worse: tuple[str, ...]
    issues: dict[str, int]
    disputed: tuple[str, ...]


def review_sample(
    evaluation: Evaluation, *, n: int, seed: int, among: pa.Array | None = None
) -> list[str]:
    """Images of the headline split, drawn without replacement.

    The order is that of a hash of seed, evaluation and image: a larger sample of the same seed
    begins with the smaller one, and images that are asked for besides change nothing.

    Args:
        evaluation: the evaluation.
        n: at most this many.
        seed: of the draw.
        among: draw among these images only.
    """
    rows = evaluation.per_image
    chosen = pc.equal(rows["split"], evaluation.record.split)
    if among is not None:
        chosen = pc.and_(chosen, pc.is_in(rows["image_id"], value_set=among))
    ids = rows.filter(chosen)["image_id"].to_pylist()
    start = f"{seed}\0{evaluation.digest}\0"
    return sorted(ids, key=lambda i: hashlib.sha256(f"{start}{i}".encode()).digest())[:n]


def record_review(
    catalog: Catalog,
    evaluation: Evaluation,
    *,
    image_id: str,
    verdict: str,
    issue: str = "",
    note: str = "",
    actor: str,
    at: datetime | None = None,
) -> None:
    """Keep a judgement.

    Args:
        catalog: the project's tables.
        evaluation: the evaluation that is reviewed.
        image_id: the image.
        verdict: ``right`` or ``wrong``.
        issue: what is wrong, in a word or two, to be counted.
        note: anything else.
        actor: who judges.
        at: when, aware; now by default.

    Raises:
        EvaluationError: the verdict is another word, or the image was not evaluated.
    """
    words = get_args(Judgement)
    if verdict not in words:
        raise EvaluationError(f"{verdict!r} is no verdict.", do=nearest(verdict, words))
    if not pc.any(pc.equal(evaluation.per_image["image_id"], image_id)).as_py():
        raise EvaluationError(
            f"Image {image_id[:16]} is not among those of evaluation {evaluation.digest[:12]}.",
            do="List some with --sample.",
        )
    row = {
        "image_id": image_id,
        "evaluation": evaluation.digest,
        "model": evaluation.record.model,
        "verdict": verdict,
        "issue": issue.strip(),
        "note": note.strip(),
        "actor": actor,
        "at": (at or datetime.now(UTC)).astimezone(UTC),
    }
    catalog.table("reviews").append(pa.Table.from_pylist([row], schema=REVIEWS))


def reviews_of(catalog: Catalog, evaluation: str) -> pa.Table:
    """The judgements on an evaluation, oldest first: schema REVIEWS.

    Args:
        catalog: the project's tables.
        evaluation: its digest.
    """
    rows = catalog.table("reviews").read(filter=pc.field("evaluation") == evaluation)
    return rows.sort_by([("at", "ascending"), ("image_id", "ascending"), ("actor", "ascending")])


def tally(reviews: pa.Table, evaluation: Evaluation) -> Tally:
    """Count the judgements on an evaluation.

    Args:
        reviews: schema REVIEWS, oldest first, all of this evaluation.
        evaluation: the evaluation.
    """
    newest = {(r["image_id"], r["actor"]): r for r in reviews.to_pylist()}
    by_image = defaultdict(list)
    for (image, _), row in sorted(newest.items()):
        by_image[image].append(row)
    judged = {image: _is_right([r["verdict"] for r in rows]) for image, rows in by_image.items()}
    measured = dict(
        zip(
            evaluation.per_image["image_id"].to_pylist(),
            evaluation.per_image["correct"].to_pylist(),
            strict=True,
        )
    )
    issues = Counter(
        issue for rows in by_image.values() for issue in {r["issue"] for r in rows if r["issue"]}
    )
    return Tally(
        evaluation=evaluation.digest,
        images=len(judged),
        reviewers=len({actor for _, actor in newest}),
        right=wilson(sum(judged.values()), len(judged)) if judged else None,
        agree=sum(right == measured[image] for image, right in judged.items()),
        better=tuple(i for i, right in judged.items() if right and not measured[i]),
        worse=tuple(i for i, right in judged.items() if not right and measured[i]),
        issues=dict(sorted(issues.items(), key=lambda x: (-x[1], x[0]))),
        disputed=tuple(i for i, rows in by_image.items() if len({r["verdict"] for r in rows}) > 1),
    )


def _is_right(verdicts: Sequence[str]) -> bool:
    return verdicts.count("right") * 2 > len(verdicts)
