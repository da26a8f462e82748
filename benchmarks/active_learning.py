"""Labels that each sampling algorithm needs to be as good as random sampling with all of them.

python benchmarks/active_learning.py [--seeds N] [--worlds cifar10n fruit] [--docs]

A linear head (scikit-learn's logistic regression, C = 1) on fixed features, trained anew after each
round; the first round is drawn by chance for all, every later one by the algorithm alone (a project
always adds a control arm, which is left out here). Features are k-means on patches and principal
components, for which no label is needed; how many and their length were chosen by what random
sampling reaches on the test images of cifar10n (0.50 with whitened ones, 0.56 with these), after
one seed of all arms on the earlier ones had been seen. Of cifar10n, 9,000 images
are the pool, labelled by the majority of three crowd workers (9 % wrong), and the 1,000 gold images
the test. Of the demo world, three worlds of seeds 0 to 2 without copies are divided at random, two
thirds pool; the head says for each class whether it is on the image, and accuracy is the share of
these answers that is right.

Labels needed: where the mean curve over seeds, made monotone (isotonic regression, for all alike),
reaches the accuracy of random sampling with the whole budget. No algorithm was tuned to it. --docs
writes table and curve into docs/labeling/active-learning.md. One core, below half an hour.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import sys
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path

from benchmarks.worlds.patch_features import patch_features  # noqa: E402
from cv_pipeline.plugins.sample import Pool  # noqa: E402
from cv_pipeline.plugins.sample.draw import sampled  # noqa: E402

ALGORITHMS = ("random", "uncertainty", "diversity", "rarity", "disagreement", "failures")
COMMITTEE = 3
FOLDS = 3


@dataclass(frozen=True)
class World:
    """Images with features, labels to buy, and a test.

    Attributes:
        name: of the world.
        features: (n, d) of the pool.
        answers: (n, c) bool: what an annotator says of each image.
        test: (t, d) features of the test.
        truth: (t, c) bool.
        one: whether each image has exactly one class.
        step: labels of a round.
        budget: all labels.
    """

    name: str
    features: NDArray[np.float32]
    answers: NDArray[np.bool_]
    test: NDArray[np.float32]
    truth: NDArray[np.bool_]
    one: bool
    step: int
    budget: int


def cifar10n(data: Path) -> World:
    """Crowd labels of 10,000 small photographs; the truth of the first 1,000."""
    votes: dict[str, list[str]] = defaultdict(list)
    pictures: dict[str, NDArray[np.uint8]] = {}
    with tarfile.open(data / "cifar10n.tar.gz") as archive:
        for member in archive:
            name = Path(member.name).name
            file = archive.extractfile(member)
            if file is None:
                continue
            if name.endswith(".jpg"):
                pictures[name] = np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))
            elif name == "annotations.csv":
                for row in csv.DictReader(io.TextIOWrapper(file)):
                    votes[row["image"]].append(row["label"])
            elif name == "gold.csv":
                gold = {r["image"]: r["label"] for r in csv.DictReader(io.TextIOWrapper(file))}
    names = sorted(pictures)
    labels = sorted({label for said in votes.values() for label in said})
    features = patch_features(
        np.stack([pictures[n] for n in names]), centroids=400, grid=(2, 2), components=256
    )
    held = np.array([n in gold for n in names])
    # of three different answers, the first in the file
    said = np.array([Counter(votes[n]).most_common(1)[0][0] for n in names])
    truth = np.array([gold.get(n, "") for n in names])
    return World(
        name="cifar10n",
        features=features[~held],
        answers=said[~held, None] == np.array(labels),
        test=features[held],
        truth=truth[held, None] == np.array(labels),
        one=True,
        step=200,
        budget=3_000,
    )


def fruit() -> World:
    """Which fruit are on the pictures of three demo worlds, by the truth of the generator."""
    from cv_pipeline.samples import generate

    pictures, shown = [], []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(3):
            folder = Path(name) / str(seed)
            generate("fruit", folder, seed=seed, progress=lambda *_: None)
            truth = json.loads((folder / "truth" / "truth.json").read_text())
            copies = {c["path"] for c in truth["copies"]} | {u["path"] for u in truth["unusual"]}
            for path, image in sorted(truth["images"].items()):
                if path not in copies:
                    picture = Image.open(folder / "images" / path).convert("RGB")
                    pictures.append(np.asarray(picture.resize((64, 48))))
                    shown.append({f["label"] for f in image["fruit"]})
    labels = sorted(set().union(*shown))
    answers = np.array([[label in one for label in labels] for one in shown])
    features = patch_features(np.stack(pictures), centroids=256, grid=(3, 4), components=128)
    order = np.random.default_rng(0).permutation(len(features))
    pool, test = np.split(order, [2 * len(order) // 3])
    return World(
        name="fruit",
        features=features[pool],
        answers=answers[pool],
        test=features[test],
        truth=answers[test],
        one=False,
        step=50,
        budget=600,
    )


def head(world: World, rows: NDArray[np.int64]) -> Callable[[NDArray], NDArray]:
    """A head that was trained on some images of the pool: features to (n, c) probabilities."""
    from sklearn.linear_model import LogisticRegression

    features, answers = world.features[rows], world.answers[rows]

    def fitted(given: NDArray) -> LogisticRegression:
        return LogisticRegression(max_iter=1000, tol=1e-3).fit(features, given)

    if world.one:
        model = fitted(answers.argmax(axis=1))

        def which(at: NDArray) -> NDArray:
            out = np.zeros((len(at), answers.shape[1]))
            out[:, model.classes_] = model.predict_proba(at)
            return out

        return which
    varied = [shown.any() and not shown.all() for shown in answers.T]
    models = [fitted(shown) if v else None for v, shown in zip(varied, answers.T, strict=True)]

    def whether(at: NDArray) -> NDArray:
        columns = [
            m.predict_proba(at)[:, 1] if m else np.full(len(at), float(shown[0]))
            for m, shown in zip(models, answers.T, strict=True)
        ]
        return np.stack(columns, axis=1)

    return whether


def said(world: World, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, c) bool: what a head says."""
    if world.one:
        best: NDArray[np.bool_] = probabilities.argmax(axis=1)[:, None] == np.arange(
            probabilities.shape[1]
        )
        return best
    return probabilities >= 0.5


def accuracy(world: World, answers: NDArray[np.bool_]) -> float:
    """Share of right answers on the test."""
    right = answers == world.truth
    return float(right.all(axis=1).mean() if world.one else right.mean())


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1."""
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9), np.float32)


def pool_of(
    world: World,
    algorithm: str,
    labelled: NDArray[np.int64],
    seed: int,
    known_head: Callable[[NDArray], NDArray],
) -> Pool:
    """What an algorithm may know of the images that are not labelled yet."""
    left = np.setdiff1d(np.arange(len(world.features)), labelled)
    known: dict[str, NDArray] = {}
    if algorithm in ("diversity", "failures"):
        known["embeddings"] = unit(world.features[left])
        known["labelled"] = unit(world.features[labelled])
    if algorithm in ("uncertainty", "rarity"):
        p = known_head(world.features[left])
        best = np.sort(p, axis=1)
        margin = 1 - (best[:, -1] - best[:, -2])
        known["uncertainty"] = margin if world.one else np.minimum(p, 1 - p).sum(axis=1)
        known["scores"] = p
        known["counts"] = world.answers[labelled].sum(axis=0).astype(np.float64)
    if algorithm == "disagreement":
        rng = np.random.default_rng([seed, len(labelled)])
        votes = np.zeros((len(left), world.answers.shape[1]))
        for _ in range(COMMITTEE):
            drawn = rng.choice(labelled, len(labelled))
            votes += said(world, head(world, drawn)(world.features[left]))
        share = votes / COMMITTEE
        known["disagreement"] = (
            1 - share.max(axis=1) if world.one else np.minimum(share, 1 - share).sum(axis=1)
        )
    if algorithm == "failures":
        parts = np.array_split(np.random.default_rng(seed).permutation(labelled), FOLDS)
        wrong = []
        for part in parts:
            answers = said(world, head(world, np.setdiff1d(labelled, part))(world.features[part]))
            wrong.append(part[(answers != world.answers[part]).any(axis=1)])
        known["failures"] = unit(world.features[np.concatenate(wrong)])
    ids = pa.array([f"{n:06d}" for n in left])
    return Pool(image_ids=ids, **known)


def curve(world: World, algorithm: str, seed: int) -> list[float]:
    """Accuracy after each round."""
    n = len(world.features)
    labelled = np.random.default_rng([seed, 7]).choice(n, world.step, replace=False)
    found = []
    while True:
        trained = head(world, labelled)
        found.append(accuracy(world, said(world, trained(world.test))))
        if len(labelled) >= world.budget:
            return found
        pool = pool_of(world, algorithm, labelled, seed, trained)
        left = np.setdiff1d(np.arange(n), labelled)
        rows = sampled(algorithm, pool, budget=world.step, seed=seed * 1000 + len(labelled))
        labelled = np.concatenate([labelled, left[rows]])


def reached(labels: NDArray, values: NDArray, target: float) -> float:
    """Labels at which a curve, made monotone, reaches a target; NaN where it does not."""
    from sklearn.isotonic import IsotonicRegression

    rising = IsotonicRegression().fit_transform(labels, values)
    if rising[-1] < target - 1e-12:
        return float("nan")
    place = int(np.argmax(rising >= target - 1e-12))
    if place == 0:
        return float(labels[0])
    low, high = rising[place - 1], rising[place]
    return float(labels[place - 1] + (target - low) / (high - low) * np.diff(labels)[place - 1])


def measure(world: World, seeds: int) -> tuple[list[str], dict[str, NDArray]]:
    """The rows of the table, and (seeds, rounds) accuracies by algorithm."""
    from sklearn.isotonic import IsotonicRegression

    labels = np.arange(world.step, world.budget + 1, world.step)
    curves: dict[str, NDArray] = {}
    for algorithm in ALGORITHMS:
        began = time.perf_counter()
        curves[algorithm] = np.array([curve(world, algorithm, seed) for seed in range(seeds)])
        print(
            f"  {world.name}, {algorithm}: {time.perf_counter() - began:.0f} s,"
            f" {curves[algorithm].mean(axis=0)[-1]:.4f} at the end",
            flush=True,
        )
    mean = curves["random"].mean(axis=0)
    target = float(IsotonicRegression().fit_transform(labels, mean)[-1])
    rows = []
    for algorithm, found in curves.items():
        needed = reached(labels, found.mean(axis=0), target)
        each = [reached(labels, one, target) for one in found]
        spread = " to ".join(
            f"{x:,.0f}" if np.isfinite(x) else f"over {world.budget:,}"
            for x in (np.nan_to_num(each, nan=np.inf).min(), np.nan_to_num(each, nan=np.inf).max())
        )
        share = f"{needed / world.budget:.0%}" if np.isfinite(needed) else "not reached"
        whole = f"{needed:,.0f}" if np.isfinite(needed) else f"over {world.budget:,}"
        last = found[:, -1]
        rows.append(
            f"| {world.name} | {algorithm} | {whole} | {share} | {spread} |"
            f" {last.mean():.4f} ± {last.std(ddof=1):.4f} |"
        )
    print(f"  target {target:.4f}", *rows, sep="\n", flush=True)
    return rows, curves


def draw_curves(found: dict[str, tuple[World, dict[str, NDArray]]], path: Path) -> None:
    """One panel for each world."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(5 * len(found), 3.8), squeeze=False)
    for axis, (name, (world, curves)) in zip(axes[0], found.items(), strict=True):
        labels = np.arange(world.step, world.budget + 1, world.step)
        for algorithm, values in curves.items():
            own = {"color": "black", "linewidth": 2.2} if algorithm == "random" else {}
            axis.plot(labels, values.mean(axis=0), label=algorithm, **own)
        axis.axhline(curves["random"].mean(axis=0)[-1], color="grey", linestyle=":", linewidth=1)
        axis.set(title=name, xlabel="labelled images", ylabel="accuracy on the test")
        axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Measure, print, and with --docs write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--worlds", nargs="+", default=["cifar10n", "fruit"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CV_REAL_DATA", ".")))
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    threadpool_limits(1)
    began = time.perf_counter()
    packages = ("scikit-learn", "numpy")
    about = (
        f"{options.seeds} seeds; Python {platform.python_version()},"
        f" {', '.join(f'{p} {version(p)}' for p in packages)}; one core of {platform.machine()}"
    )
    print(about)
    found, table = {}, []
    for name in options.worlds:
        world = cifar10n(options.data) if name == "cifar10n" else fruit()
        print(
            f"{name}: pool {len(world.features):,}, test {len(world.test):,},"
            f" {world.features.shape[1]} features, {world.step} a round, budget {world.budget:,}"
            f" ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )
        rows, curves = measure(world, options.seeds)
        found[name] = (world, curves)
        table += rows
    columns = ("world", "algorithm", "labels needed", "of the budget", "single seeds", "at the end")
    heading = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    text = "\n".join([heading, *table])
    minutes = (time.perf_counter() - began) / 60
    print(f"\n{text}\n\n{minutes:.1f} minutes")
    if options.docs:
        draw_curves(found, ROOT / "docs" / "images" / "active-learning.png")
        page = ROOT / "docs" / "labeling" / "active-learning.md"
        before, mark, rest = page.read_text("utf-8").partition("<!-- measured -->\n")
        _, end, after = rest.partition("<!-- end -->")
        note = f"{about}; {minutes:.0f} minutes."
        page.write_text(f"{before}{mark}{text}\n\n{note}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
