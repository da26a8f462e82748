"""Writes tide_reference.json: what tidecv 1.0.1 makes of some scenes.

tidecv needs opencv-python, which cannot be installed beside opencv-python-headless, so it is run by
itself, from this folder: uv run --no-project --with tidecv==1.0.1 make_tide_reference.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tidecv import TIDE, Data

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from coco_reference import coco_files  # noqa: E402

SCENES = (
    {"seed": 1, "images": 12, "labels": 4, "objects": 60, "detections": 200},
    {"seed": 2, "images": 40, "labels": 6, "objects": 300, "detections": 900},
    {"seed": 3, "images": 3, "labels": 3, "objects": 40, "detections": 800},  # over 100 an image
    {"seed": 4, "images": 30, "labels": 4, "objects": 200, "detections": 700, "ties": False},
    {"seed": 5, "images": 5, "labels": 2, "objects": 3, "detections": 30},
    {"seed": 6, "images": 20, "labels": 3, "objects": 100, "detections": 300, "masks": True},
)
NAMES = {
    "Cls": "classification",
    "Loc": "localisation",
    "Both": "both",
    "Dupe": "duplicate",
    "Bkg": "background",
    "Miss": "missed",
    "FalsePos": "false_positives",
    "FalseNeg": "false_negatives",
}


def reference(scene: dict[str, int]) -> dict[str, object]:
    """AP at IoU 0.5, and each kind's count and cost in AP, as tidecv says (0 to 100)."""
    known, results = coco_files(**scene)
    truth, found = Data("truth"), Data("found")
    for row in known["images"]:
        truth.add_image(row["id"], str(row["id"]))
    for row in known["annotations"]:
        add = truth.add_ignore_region if row["iscrowd"] else truth.add_ground_truth
        add(row["image_id"], row["category_id"], row["bbox"], row.get("segmentation"))
    for row in results:
        found.add_detection(
            row["image_id"],
            row["category_id"],
            row["score"],
            row.get("bbox"),
            row.get("segmentation"),
        )
    tide = TIDE()
    run = tide.evaluate(truth, found, mode=TIDE.MASK if scene.get("masks") else TIDE.BOX)
    costs = {**tide.get_main_errors()["found"], **tide.get_special_errors()["found"]}
    return {
        "scene": scene,
        "AP": run.ap,
        "counts": {NAMES[e.short_name]: n for e, n in run.count_errors().items()},
        "costs": {NAMES[name]: cost for name, cost in costs.items()},
    }


(HERE / "tide_reference.json").write_text(
    json.dumps([reference(scene) for scene in SCENES], indent=1) + "\n"
)
