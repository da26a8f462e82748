"""A wrong project.yaml names the key, the line, what was expected and the nearest known name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cv_pipeline.errors import ProjectError
from cv_pipeline.project import find_project, load_project, project_names

GOOD = """\
name: demo
task: detection
charter:
  problem: find fruit
source:
  images: images
annotations:
  source: labels.json
ontology:
  labels: [apple, pear]
training:
  model: fcos_resnet18
  input_size: [96, 128]
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "demo") -> Path:
        path = tmp_path / name / "project.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_minimal_project_has_the_documented_defaults(write):
    project = load_project(write(GOOD))
    assert project.ontology.labels == ("apple", "pear")
    assert project.metric == "AP50"
    assert project.dataset.split.ratios == {"train": 0.7, "val": 0.15, "test": 0.15}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # an unknown key names the nearest known one
        ("  images: images", "  image: images", r"line 6: source\.image: unknown key.*'images'"),
        # a required key that is missing is named with its meaning
        ("  problem: find fruit", "  owners: {}", r"charter\.problem: is required: the problem"),
        # a value outside the allowed ones lists them and the nearest
        ("task: detection", "task: detect", r"line 2: task: expected .*'detection'.*Did you mean"),
        # a number where none fits
        ("[96, 128]", "[96, wide]", r"line 13: training\.input_size\.1: .*integer.*'wide'"),
        # an empty list
        ("[apple, pear]", "[]", r"line 10: ontology\.labels: .*at least 1"),
        # a list with a double
        ("[apple, pear]", "[apple, apple]", r"line 9: ontology: labels are listed twice: apple"),
        # a metric of another task
        ("task: detection", "task: detection\nevaluation: {metric: accuracy}", r"not a detection"),
        # a majority of boxes
        (
            "  source: labels.json",
            "  source: labels.json\n  aggregation: majority",
            "'majority' needs task classification",
        ),
        # a check that does not exist
        (
            "ontology:",
            "checks:\n  giveawy: {severity: warn}\nontology:",
            r"line 10: checks\.giveawy: expected the name of a check.*Did you mean 'giveaway'\?",
        ),
        # a model of ours, misspelt; a name that no model can have; a model of another task
        (
            "fcos_resnet18",
            "fcos_resnet8",
            r"line 12: training\.model: expected the name of a model.* mean 'fcos_resnet18'\?",
        ),
        ("fcos_resnet18", "YOLO v8", r"line 12: training\.model: .*lower-case.*found 'YOLO v8'"),
        (
            "fcos_resnet18",
            "resnet18_small",
            r"line 12: training\.model 'resnet18_small' is not a detection model; expected fcos",
        ),
        # a class without a name
        ("[apple, pear]", "\n    - apple\n    - ''", r"line 12: ontology\.labels\.1: .*at least 1"),
        # a name that is not the folder's
        ("name: demo", "name: other", r"line 1: name 'other' differs from its folder 'demo'"),
        # a name that cannot be an asset key
        ("name: demo", "name: Demo!", r"line 1: name: "),
    ],
)
def test_each_mistake_is_named_with_its_line(write, old, new, message):
    with pytest.raises(ProjectError, match=message):
        load_project(write(GOOD.replace(old, new)))


def test_all_mistakes_are_told_at_once(write):
    text = GOOD.replace("task: detection", "task: detect").replace("images: images", "image: x")
    with pytest.raises(ProjectError, match=r"has 3 mistakes"):
        load_project(write(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [unclosed\ntask: x", r"line \d+: not valid YAML"),
        ("- just\n- a list", "expected a mapping of keys, found CommentedSeq"),
        ("", "expected a mapping of keys, found NoneType"),
        ("name: a\nname: b", "not valid YAML"),
        ("name: a\ntask: \0", r"line 2: not valid YAML: it has the control character U\+0000"),
        ("name: a\n# \x07\n", r"line 2: not valid YAML: it has the control character U\+0007"),
        ("name: !!int x", r"not valid YAML: invalid literal for int"),
        ("name: !!bool x", "not valid YAML"),
        ("? {a: [b]}\n: c", "not valid YAML: unhashable"),
        pytest.param("name: " + "[" * 500, "not valid YAML: maximum recursion", id="deep"),
    ],
)
def test_what_is_no_project_at_all(write, text, message):
    with pytest.raises(ProjectError, match=message):
        load_project(write(text))


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "demo" / "project.yaml"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00\x01name")
    with pytest.raises(ProjectError, match="cannot be read as UTF-8 text"):
        load_project(path)


def test_ratios_must_add_up(write):
    extra = "dataset: {split: {ratios: {train: 0.9, val: 0.3}}}\n"
    with pytest.raises(ProjectError, match=r"dataset\.split: ratios must add up to 1, not 1\.2"):
        load_project(write(GOOD + extra))


def test_a_project_that_does_not_exist_names_the_nearest(write, tmp_path):
    write(GOOD)
    assert project_names(tmp_path) == ["demo"]
    with pytest.raises(ProjectError, match=r"no project 'dmo'.*Did you mean 'demo'"):
        find_project("dmo", tmp_path)


@pytest.mark.parametrize(
    "cron",
    [
        "0 2 * * *",
        "*/15 0-6,22 * * MON-fri",
        "0 22-2 1,15 jan-dec/2 0",
        "5/10 00 31 1-12 7",
        "0 0 29 feb *",
        "0 0 31 dec-feb sun-sat",
    ],
)
def test_cron_expressions(write, cron):
    project = load_project(write(GOOD + f"schedule:\n  cron: '{cron}'\n"))
    assert project.schedule.cron == cron


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("99 2 * * *", r"expected 0-59 for the minute, not '99', found '99 2 \* \* \*'"),
        ("0 24 * * *", "expected 0-23 for the hour, not '24'"),
        ("0 0 0 * *", "expected 1-31 for the day of the month, not '0'"),
        ("0 0 * 13 *", "expected 1-12 or jan, .*, dec for the month, not '13'"),
        ("0 0 * * 1-8", "expected 0-7 or sun, .*, sat for the day of the week, not '8'"),
        ("0 0 * * mond", "not 'mond'"),
        ("0 0 * * ١", "not '١'"),
        ("0,,1 0 * * *", "expected 0-59 for the minute, not ''"),
        ("1-2-3 0 * * *", "not '1-2-3'"),
        ("*/0 * * * *", r"expected a step of 1-59 for the minute, not '\*/0'"),
        ("*/90 * * * *", r"expected a step of 1-59 for the minute, not '\*/90'"),
        ("0 0 30-31 feb *", "expected a day that exists, not day 30-31 of month feb"),
        ("0 2 * *", r"expected a cron expression of five fields \(minute, .*found '0 2 \* \*'"),
        ("@daily", "expected a cron expression of five fields"),
        ("", "expected a cron expression of five fields"),
    ],
)
def test_a_cron_that_never_comes_due(write, cron, message):
    with pytest.raises(ProjectError, match=rf"line 16: schedule\.cron: .*{message}"):
        load_project(write(GOOD + f"schedule:\n  timezone: UTC\n  cron: '{cron}'\n"))


def test_a_time_zone_that_does_not_exist_names_the_nearest(write):
    message = (
        r"line 15: schedule\.timezone: expected an IANA time zone, found 'Europe/Pariss'\."
        r" Did you mean 'Europe/Paris'"
    )
    with pytest.raises(ProjectError, match=message):
        load_project(write(GOOD + "schedule:\n  timezone: Europe/Pariss\n"))


@pytest.mark.parametrize("dates", ["2025-13", "2025-13-01", "soon", "2025/2024", "/"])
def test_a_date_range_that_is_none(write, dates):
    message = rf"line 16: dataset\.query\.date_range: date range '{dates}' cannot be used: .*found"
    with pytest.raises(ProjectError, match=message + r" .* Accepted forms: 2025, 2025-Q4"):
        load_project(write(GOOD + f"dataset:\n  query:\n    date_range: {dates}\n"))


@pytest.mark.parametrize("dates", ["2025-11-03", "2025-Q4", "2025-11-03T08:30:00Z/", "'2025'"])
def test_date_ranges_stay_as_they_are_written(write, dates):
    project = load_project(write(GOOD + f"dataset: {{query: {{date_range: {dates}}}}}\n"))
    assert project.dataset.query.date_range == dates.strip("'")


def test_the_nearest_of_an_unknown_split_is_named(write):
    extra = "dataset:\n  split:\n    ratios: {train: 0.9, tst: 0.1}\n"
    with pytest.raises(ProjectError, match=r"line 16: dataset\.split\.ratios\.tst: .*'test'\?"):
        load_project(write(GOOD + extra))


def test_loading_a_project_is_light(write):
    heavy = ["dagster", "torch", "torchvision", "pyarrow", "numpy", "lance", "mlflow"]
    code = (
        "import sys; from pathlib import Path; from cv_pipeline.project import load_project;"
        f"load_project(Path({str(write(GOOD))!r}));"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        # a class that the project does not have
        ("{metric: recall, label: aple, at_least: 0.6}", r"requirements\.0\.label 'aple'.*'apple'"),
        # a slice that nothing measures
        ("{metric: recall, slice: light=dim, at_least: 0.6}", r".*not among evaluation\.slices"),
        # a misspelt metric
        ("{metric: latency_p59_ms, at_most: 5}", r"requirements\.0: .*'latency_p95_ms'"),
        # no limit, and two
        ("{metric: recall}", r"requirements\.0: .*at_least or at_most"),
        ("{metric: recall, at_least: 0, at_most: 1}", r"requirements\.0: .*at_least or at_most"),
        # a latency of one class does not exist
        ("{metric: weights, label: apple, at_most: 5}", r".*weights is of the whole model"),
        # nothing is above NaN
        ("{metric: recall, at_least: .nan}", r"requirements\.0\.at_least: .*finite"),
        # an unknown key
        ("{metric: recall, atleast: 1}", r"requirements\.0\.atleast: unknown key.*'at_least'"),
    ],
)
def test_a_wrong_requirement_is_named_with_its_line(write, requirement, message):
    with pytest.raises(ProjectError, match=f"line 15: {message}"):
        load_project(write(f"{GOOD}requirements:\n  - {requirement}\n"))


def test_a_requirement_in_words(write):
    lines = [
        "{metric: recall, label: apple, slice: lighting=dim, at_least: 0.6}",
        "{metric: latency_p95_ms, at_most: 100}",
        "{metric: some_number_of_tomorrow, at_least: 1}",
    ]
    text = f"{GOOD}evaluation: {{slices: [lighting]}}\nrequirements:\n"
    project = load_project(write(text + "".join(f"  - {line}\n" for line in lines)))
    assert [r.words for r in project.requirements] == [
        "recall of apple where lighting=dim at least 0.6",
        "latency_p95_ms at most 100 ms",
        "some_number_of_tomorrow at least 1",
    ]


def test_slices_are_declared_by_queries_in_both_forms(write):
    queries = "{dark: brightness < 0.2, old: {tags_any: [old]}}"
    project = load_project(write(f"{GOOD}evaluation: {{slice_queries: {queries}}}\n"))
    asked = project.evaluation.slice_queries
    assert asked["dark"].where == "brightness < 0.2"
    # a slice is of labelled and unlabelled images alike, unless it says so
    assert {name: query.labelled for name, query in asked.items()} == {"dark": None, "old": None}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{tags_eny: [old]}", r"evaluation\.slice_queries\.dark\.tags_eny: unknown key.*tags_any"),
        ("brightnes < 0.2", r"evaluation\.slice_queries\.dark: [\s\S]*brightness"),
        ("{date_range: soon}", r"evaluation\.slice_queries\.dark\.date_range: date range"),
    ],
)
def test_a_wrong_slice_query_is_named_with_its_line(write, query, message):
    with pytest.raises(ProjectError, match=f"line 16: {message}"):
        load_project(write(f"{GOOD}evaluation:\n  slice_queries:\n    dark: {query}\n"))


@pytest.mark.parametrize(
    ("name", "what"),
    [("scene", "a metadata key of evaluation.slices"), ("brightness", "a property of images")],
)
def test_a_declared_slice_has_a_name_of_its_own(write, name, what):
    queries = f"{{slices: [scene], slice_queries: {{{name}: width > 5}}}}"
    with pytest.raises(ProjectError, match=rf"slice_queries\.{name} has the name of {what}"):
        load_project(write(f"{GOOD}evaluation: {queries}\n"))


def test_guarded_images_and_waivers_are_declared(write):
    assert load_project(write(GOOD)).access.waiver_roles == ("admin",)
    assert load_project(write(GOOD)).access.restricted is None
    text = f"{GOOD}access:\n  restricted: metadata.ward = 'icu'\n  waiver_roles: []\n"
    access = load_project(write(text)).access
    assert (access.restricted, access.waiver_roles) == ("metadata.ward = 'icu'", ())


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("restricted: wardd = 1", r"access\.restricted: [\s\S]*wardd"),
        ("restricted: ''", r"access\.restricted: "),
        ("waiver_roles: [viewer]", r"access\.waiver_roles\.0: expected .*'engineer'"),
    ],
)
def test_a_wrong_access_section_is_named_with_its_line(write, key, message):
    with pytest.raises(ProjectError, match=f"line 15: {message}"):
        load_project(write(f"{GOOD}access:\n  {key}\n"))


@pytest.mark.parametrize(
    ("task", "geometry", "message"),
    [
        ("detection", "[class]", r"line 11: ontology\.geometry needs a shape to draw"),
        ("classification", "[bbox]", r"line 11: ontology\.geometry needs class"),
        ("detection", "[box]", r"line 11: ontology\.geometry\.0: expected 'bbox'"),
        ("detection", "[keypoints]", "line 9: ontology: keypoints names no points"),
    ],
)
def test_what_annotators_draw_fits_the_task(write, task, geometry, message):
    model = "resnet18_small" if task == "classification" else "fcos_resnet18"
    text = GOOD.replace("detection", task).replace("fcos_resnet18", model)
    text = text.replace(
        "  labels: [apple, pear]", f"  labels: [apple, pear]\n  geometry: {geometry}"
    )
    with pytest.raises(ProjectError, match=message):
        load_project(write(text))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("required: [hiden]", r"required has 'hiden', which is not an attribute\. Did you mean"),
        ("keypoints: {aple: [stem]}", r"keypoints has 'aple', which is not a class\. Did you mean"),
        ("tags: [dark, dark]", "tags are listed twice: dark"),
    ],
)
def test_names_of_the_ontology_are_declared(write, line, message):
    text = GOOD.replace(
        "  labels: [apple, pear]",
        f"  labels: [apple, pear]\n  attributes: {{hidden: []}}\n  {line}",
    )
    with pytest.raises(ProjectError, match=f"line 9: ontology: {message}"):
        load_project(write(text))
