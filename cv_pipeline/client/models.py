"""What the inspector answers; written by scripts/generate_client.py."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel


class Value(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class AddAttribute(BaseModel):
    """
    Labels get an attribute.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    name: Annotated[str, Field(description='name of the attribute', min_length=1)]
    values: Annotated[
        list[Value] | None, Field(description='allowed values; empty means yes or no')
    ] = []
    value: Annotated[
        str | None, Field(description='what it is on labels that there are; null: none')
    ] = None
    then: Annotated[
        Literal['keep', 'relabel'] | None,
        Field(description='relabel: images that have labels are labelled again for it'),
    ] = 'keep'


class AnnotatorOfBatch(BaseModel):
    """
    Somebody who labelled in a batch, and how much.
    """

    name: str
    account: str
    labels: int
    seconds: float | None = None


class AnnotatorRow(BaseModel):
    """
    Somebody who labels; ``gets`` is the hardest that they get.
    """

    name: str
    account: str
    role: str
    absent: bool
    skill: float | None = None
    gold_images: int
    gets: str
    seconds: float
    labels: int


class AskedRow(BaseModel):
    """
    A query that was asked.
    """

    query_id: str
    text: str
    sql: str
    count: int
    seconds: float
    origin: str
    actor: str
    at: AwareDatetime


class AssignWork(BaseModel):
    """
    How work is given out: ``anew`` gives out again what is assigned already.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    anew: bool | None = False


class AssignedBatch(BaseModel):
    """
    A batch, and who has it.

    Attributes:
        name: of the batch.
        purpose: label or relabel.
        reason: why it was set aside.
        images: how many there are.
        labelled: how many of them are labelled by now.
        at: when it was set aside.
        assignees: names of the accounts that have it; only for who may assign.
        state: where it stands in the annotation tool, in words.
        deadline: when it is to be done.
        made: labels that whoever asks made in it.
        own: labels that are meant for whoever asks and are not made yet.
        tool_url: where it is labelled; empty where it is not.
    """

    name: str
    purpose: str
    reason: str
    images: int
    labelled: int
    at: AwareDatetime
    assignees: list[str]
    state: str
    deadline: AwareDatetime | None = None
    made: int
    own: int
    tool_url: str


class AssignedTo(BaseModel):
    """
    Who a batch is assigned to.
    """

    batch: str
    users: list[str]


class User(RootModel[str]):
    root: Annotated[str, Field(max_length=63)]


class Assignees(BaseModel):
    """
    Who a batch is assigned to from now on.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    users: Annotated[list[User], Field(max_length=200)]


class AttributeRow(BaseModel):
    """
    An attribute with its values, and how many labels have each.
    """

    name: str
    required: bool
    values: dict[str, int]


class AuditLine(BaseModel):
    """
    A line of the audit log.
    """

    n: int
    at: AwareDatetime
    user: str
    means: str
    credential: str
    address: str
    action: str
    target: str
    project: str
    why: str
    details: dict[str, Any]
    before: str
    seal: str


class BandOut(BaseModel):
    """
    One band.
    """

    number: int
    name: str
    kind: Annotated[
        str,
        Field(
            description='what it measures, where that is known: red, nir, thermal, …'
        ),
    ]
    unit: str
    least: Annotated[
        float | None,
        Field(description='least value, in its unit; null when it has none'),
    ] = None
    greatest: float | None = None
    low: Annotated[float | None, Field(description='1st percentile')] = None
    high: Annotated[float | None, Field(description='99th percentile')] = None


class BatchLine(BaseModel):
    """
    A batch in a list.
    """

    name: str
    purpose: str
    state: str
    images: int
    labelled: int
    reason: str
    actor: str
    at: AwareDatetime
    address: str


class BatchMade(BaseModel):
    """
    A batch that was set aside.
    """

    name: str
    images: int
    new: bool
    address: str


class Query(RootModel[str]):
    root: Annotated[str, Field(max_length=20000)]


class MoreItem(RootModel[str]):
    root: Annotated[str, Field(pattern='^[0-9a-f]{64}$')]


class Name(RootModel[str]):
    root: Annotated[str, Field(max_length=63)]


class BatchRequest(BaseModel):
    """
    Images that are to be set aside.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    query: Query | None = None
    more: Annotated[list[MoreItem] | None, Field(max_length=500)] = None
    name: Name | None = None
    purpose: Literal['label', 'relabel'] | None = 'relabel'
    reason: Annotated[str | None, Field(max_length=2000)] = ''


class BatchRow(BaseModel):
    """
    A batch; see :class:`cv_pipeline.labeling.batches.declared.LabelingBatch`.

    Attributes:
        kind: how its state is coloured.
        late: whether its deadline is over.
        share: of its labels that are made.
    """

    name: str
    state: str
    kind: str
    purpose: str
    reason: str
    task_type: str
    difficulty: str
    queue: str
    owner: str
    overlap: int
    priority: int
    deadline: AwareDatetime | None = None
    late: bool
    pilot: bool
    declared: bool
    images: int
    pushed: int
    labelled: int
    partly: int
    skipped: int
    rejected: int
    deleted: int
    labels: int
    open_labels: int
    share: float
    annotators: list[str]
    last_at: AwareDatetime | None = None
    set_aside_at: AwareDatetime
    stuck: str


class TaskType(RootModel[str]):
    root: Annotated[str, Field(max_length=63)]


class Difficulty(RootModel[str]):
    root: Annotated[str, Field(max_length=16)]


class Queue(RootModel[str]):
    root: Annotated[str, Field(max_length=63)]


class Owner(RootModel[str]):
    root: Annotated[str, Field(max_length=63)]


class Overlap(RootModel[int]):
    root: Annotated[int, Field(ge=1, le=50)]


class Priority(RootModel[int]):
    root: Annotated[int, Field(ge=-1000000, le=1000000)]


class BatchSettings(BaseModel):
    """
    Settings of a batch; what is not given stays, and an empty deadline is none.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    task_type: TaskType | None = None
    difficulty: Difficulty | None = None
    queue: Queue | None = None
    owner: Owner | None = None
    overlap: Overlap | None = None
    priority: Priority | None = None
    deadline: AwareDatetime | str | None = None
    pilot: bool | None = None


class Batches(BaseModel):
    """
    Images that were set aside, the newest first.
    """

    batches: list[BatchLine]


class Belonging(BaseModel):
    """
    Something that an image was used by.

    Attributes:
        kind: dataset, model, evaluation or champion.
        name: what it is called.
        version: its digest.
        depth: steps from the image.
        at: when it was made.
        what: what there is to say of it.
        href: its page; empty where it has none.
        run: Dagster run that made it.
    """

    kind: str
    name: str
    version: str
    depth: int
    at: str | None = None
    what: str
    href: str
    run: str | None = None


class Belongings(BaseModel):
    """
    All that used an image, by dataset version.

    Attributes:
        used_by: what used it, each below what it was made from.
        dagster: address of Dagster's own page of runs.
        problem: why there is nothing.
    """

    used_by: list[Belonging]
    dagster: str
    problem: str | None = ''


class CandidateRow(BaseModel):
    """
    One candidate: what was to become a dataset version.
    """

    storage_id: int
    digest: str
    made_at: AwareDatetime
    run_id: str
    images: int
    objects: int
    version: str
    corrective: str


class Cell(BaseModel):
    """
    How often a class was called another; ``heat`` from 0 to 9 is its share of its row.
    """

    count: int
    share: float
    heat: int
    right: bool
    words: str
    href: str


class Changed(BaseModel):
    """
    An image on which the models differ.
    """

    image_id: str
    score_before: float
    score_after: float
    difference: float
    words: str


class ChangedOntology(BaseModel):
    """
    A changed ``project.yaml``, or its section ``ontology:`` alone.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    text: Annotated[str, Field(max_length=200000)]


class CheckLine(BaseModel):
    """
    What a check said in the run.
    """

    name: str
    asset: str
    passed: bool
    severity: str
    summary: str


class CheckRow(BaseModel):
    """
    What one check said; ``images`` are addresses of a grid with the images that it found.
    """

    name: str
    description: str
    passed: bool
    severity: str
    blocks: bool
    ran: bool
    summary: str
    at: AwareDatetime | None = None
    rows: int
    waived_by: str
    waived_because: str


class CheckSaid(BaseModel):
    """
    What a check said of the dataset version.

    Attributes:
        check: its name.
        passed: whether it found nothing; None where it was not made.
        summary: its sentence.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    check: str
    passed: bool | None = None
    summary: str


class CheckedRows(BaseModel):
    """
    Some rows of what a check found on a candidate.
    """

    project: str
    candidate: CandidateRow
    check: CheckRow
    columns: list[str]
    image_columns: list[str]
    rows: list[dict[str, Any]]
    total: int
    offset: int
    limit: int
    images: int
    query: str


class Choice(BaseModel):
    """
    Something whose lineage can be looked at.
    """

    kind: str
    ref: str
    words: str
    href: str
    own: bool


class ClassCounts(BaseModel):
    """
    Labels of one class, by split, with the query for the images that have it.
    """

    label: str
    counts: dict[str, int]
    total: int


class ClassRow(BaseModel):
    """
    A class with its labels, and images of it.
    """

    name: str
    colour: int
    labels: int
    images: int
    examples: list[str]
    query: str


class CommentLine(BaseModel):
    """
    What somebody said.
    """

    user: str
    at: AwareDatetime
    text: str


class CommentMade(BaseModel):
    """
    What is to be said of an investigation.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    text: Annotated[str, Field(max_length=5000, min_length=1)]


class ComparedRow(BaseModel):
    """
    The same beside others: cost per label over theirs, with its interval, and in words.
    """

    name: str
    labels: int
    wasted: int
    hours: float
    cost: float | None = None
    value: float
    low: float
    high: float
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    words: str


class ConditionCounted(BaseModel):
    """
    One condition, the images that it has alone, and what it may have meant if none.
    """

    text: str
    count: int
    hint: str | None = ''


class ConditionCounts(BaseModel):
    """
    How many images each condition of a query has alone.
    """

    conditions: list[ConditionCounted]


class Row(RootModel[list]):
    root: Annotated[list, Field(max_length=2, min_length=2)]


class Confusion(BaseModel):
    """
    True classes by predicted classes; the last row and column are no class.
    """

    columns: list[str]
    rows: list[Row]
    left_out: int


class CorrectiveFacts(BaseModel):
    """
    How a model was to better its parent.
    """

    digest: str
    parent: str
    query: str
    weight: int | None = None
    label: str
    changes: dict[str, str]
    reason: str
    actor: str
    emphasised: int | None = None


class Weight(RootModel[int]):
    root: Annotated[int, Field(ge=1, le=1000)]


class Label(RootModel[str]):
    root: Annotated[str, Field(max_length=500)]


class Investigation(RootModel[str]):
    root: Annotated[str, Field(max_length=64)]


class CorrectiveRequest(BaseModel):
    """
    What a corrective run is to change.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    query: Query | None = None
    more: Annotated[list[MoreItem] | None, Field(max_length=500)] = None
    weight: Weight | None = None
    label: Label | None = None
    changes: dict[str, str | int | float | bool | list[int]] | None = None
    parent: Annotated[str | None, Field(max_length=200)] = 'latest'
    reason: Annotated[str | None, Field(max_length=2000)] = ''
    investigation: Investigation | None = None


class CostPair(BaseModel):
    """
    What both models cost.
    """

    name: str
    unit: str
    before: float | None = None
    after: float | None = None


class CostRow(BaseModel):
    """
    What the labels of a group cost; ``value`` is money, or seconds where there are no prices.
    """

    name: str
    labels: int
    wasted: int
    hours: float
    cost: float | None = None
    value: float
    low: float
    high: float


class CountedRow(BaseModel):
    """
    How many images are in some state, with the query for them; empty where there is none.
    """

    name: str
    count: int
    note: str
    query: str
    kind: str | None = ''


class Credentials(BaseModel):
    """
    A name and its password; a code too, where the account has a second factor.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    name: Annotated[str, Field(max_length=63)]
    password: Annotated[str, Field(max_length=256)]
    code: Annotated[str | None, Field(max_length=40)] = ''
    next: Annotated[str | None, Field(max_length=4000)] = '/'


class Declared(BaseModel):
    """
    What a corrective run was declared to do.
    """

    record: str
    query: str
    images: int
    weight: int
    label: str | None = None
    changes: dict[str, str]
    reason: str
    actor: str
    parent: str
    href: str


class Delete(BaseModel):
    """
    A class goes.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    label: Annotated[str, Field(description='class that goes', min_length=1)]
    then: Annotated[
        Literal['drop', 'relabel'],
        Field(
            description='drop: its labels go; relabel: they go, and their images are labelled again'
        ),
    ]


class Delta(BaseModel):
    """
    A number of both models, and how surely it differs.

    Attributes:
        name: the metric.
        of: class or slice that it is of; empty for the whole.
        href: where its images are; empty for nowhere.
        images: images that it rests on; None where that is all of them.
        better: whether the second model is better by it; None where that is not sure.
    """

    name: str
    of: str
    href: str
    images: int | None = None
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    significant: bool
    better: bool | None = None


class Disabled(BaseModel):
    """
    Whether an account is disabled.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    disabled: bool


class Drop(BaseModel):
    """
    An epoch at which the validation metric fell too far, and where its images are.
    """

    epoch: int
    value: float
    reference_epoch: int
    reference: float
    drop: float
    href: str


class Edge(BaseModel):
    """
    A line from what was read to what was made from it.
    """

    source: str
    target: str
    path: str
    own: bool


class Ended(BaseModel):
    """
    How many sessions were ended.
    """

    sessions: int


class Entry(BaseModel):
    """
    One model on the leaderboard; ``behind`` is what it is behind the best, of the metric.
    """

    place: int
    model: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    behind: float | None = None
    p_value: float | None = None
    significant: bool | None = None
    operating_point: float | None = None
    costs: dict[str, float]
    evaluation: str


class Epoch(BaseModel):
    """
    An epoch of the training, as it was told when it ended.
    """

    epoch: int
    loss: float | None = None
    value: float | None = None


class ErrorRow(BaseModel):
    """
    A kind of error.
    """

    kind: str
    words: str
    count: int
    share: float
    cost: float | None = None
    href: str


class EvaluationHead(BaseModel):
    """
    The evaluation that images are shown of.
    """

    digest: str
    model: str
    dataset: str
    split: str
    metric: str
    value: float | None = None
    task: str


class FacetRange(BaseModel):
    """
    The spread of a number.

    Attributes:
        least: least value there is.
        most: greatest value there is.
        counts: images in each of as many equal steps from the least to the greatest.
        low: what the query asks for at least.
        high: what it asks for at most.
    """

    least: float
    most: float
    counts: list[int]
    low: float | None = None
    high: float | None = None


class FacetValue(BaseModel):
    """
    A value of a filter.

    Attributes:
        value: the value; None stands for images without one.
        title: what it is called.
        count: images that it leads to.
        chosen: ``in`` when the query asks for it, ``out`` when it asks for images without it.
    """

    value: str | bool | None = None
    title: str
    count: int
    chosen: str | None = ''


class Fact(BaseModel):
    """
    Something that is known of an image; ``query`` selects the images that share it.
    """

    name: str
    value: str | int | float | None = None
    query: str | None = ''


class FactorBegun(BaseModel):
    """
    What an authenticator app is to know; shown this once.
    """

    secret: str
    address: str


class FactorRequest(BaseModel):
    """
    The password, without which no second factor is begun or taken away.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    password: Annotated[str, Field(max_length=256)]
    code: Annotated[str | None, Field(max_length=40)] = ''


class FactorState(BaseModel):
    """
    Whether an account has a second factor.
    """

    name: str
    on: bool


class FaultShown(BaseModel):
    """
    What is wrong with some lines.
    """

    kind: str
    first: int
    last: int
    told: str


class FileRow(BaseModel):
    """
    A file of a published folder.
    """

    name: str
    bytes: int


class Filters(BaseModel):
    """
    What was asked for.
    """

    user: str
    action: str
    project: str
    target: str
    since: date | None = None
    until: date | None = None


class FirstAccount(BaseModel):
    """
    The account that is made first.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    key: Annotated[str, Field(max_length=100)]
    name: Annotated[str, Field(max_length=63)]
    password: Annotated[str, Field(max_length=256)]


class FirstCode(BaseModel):
    """
    A code that shows that the app knows the secret.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    code: Annotated[str, Field(max_length=40)]


class ForecastRow(BaseModel):
    """
    When what waits will be done with so many annotators; no end is none within 500 years.
    """

    times: int
    annotators: int
    labels_per_week: float
    end: AwareDatetime | None = None
    earliest: AwareDatetime | None = None
    latest: AwareDatetime | None = None


class GivenPassword(BaseModel):
    """
    A password that is given.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    password: Annotated[str, Field(max_length=256)]


class GoldExam(BaseModel):
    """
    How far whoever asks is from being given more than pilot rounds, easy and gold images.

    Attributes:
        images: gold images that they labelled and whose truth is not their own.
        least: how many it takes.
        gold: gold images of the project.
        at: accuracy or F1 that it takes on them. Their own is shown to who may launch runs alone.
    """

    images: int
    least: int
    gold: int
    at: float


class GoldRow(BaseModel):
    """
    Gold images of a class or an edge case, and how many there must be.
    """

    name: str
    images: int
    needed: int


class Gone(BaseModel):
    """
    An image that was taken out: when, by whom and why.
    """

    at: str
    actor: str
    reason: str


class GraphBox(BaseModel):
    """
    A box of the drawing.

    Attributes:
        id: names it within the drawing.
        kind: what it is: images, dataset, model, evaluation, …
        title: what it is called.
        note: what is said of it in a few words.
        href: our page of it; empty where there is none.
        dagster: path of it in Dagster's pages; empty where it has none.
        count: how many things it stands for.
        own: whether it is what was asked for.
        lost: whether its record or its folder is gone.
        x: left edge.
        y: upper edge.
    """

    id: str
    kind: str
    title: str
    note: str
    href: str
    dagster: str
    count: int
    own: bool
    lost: bool
    x: float | None = 0.0
    y: float | None = 0.0


class Group(BaseModel):
    """
    A class or an annotator, with the query for the images of it.
    """

    name: str
    labels: int
    images: int
    last: AwareDatetime | None = None
    query: str


class GuidelineText(BaseModel):
    """
    A version of the guideline; ``html`` is safe to show.
    """

    version: str
    current: bool
    since: AwareDatetime | None = None
    text: str
    html: str


class Headline(BaseModel):
    """
    A number of the whole split; leading ones are shown large.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    leading: bool


class Health(BaseModel):
    """
    Whether the inspector lives.
    """

    status: str


class Images(BaseModel):
    """
    Some images: how many, the query for the first of them, and a few to look at.
    """

    count: int
    query: str
    named: int
    sample: list[str]


class ImportLaunched(BaseModel):
    """
    The run that imports what was pulled, and whether it was launched now or went on already.
    """

    run_id: str
    launched: bool


class Interval(BaseModel):
    """
    A number with its 95 % interval, where one is known.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Title(RootModel[str]):
    root: Annotated[str, Field(max_length=300, min_length=1)]


class Conclusion(RootModel[str]):
    root: Annotated[str, Field(max_length=5000)]


class InvestigationChange(BaseModel):
    """
    What is to become of an investigation; what is left out stays.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    title: Title | None = None
    conclusion: Conclusion | None = None
    closed: bool | None = None


class InvestigationLink(BaseModel):
    """
    An investigation that a run was launched from.
    """

    id: str
    title: str


class Item(BaseModel):
    """
    An entry of the list beside the drawing, with what is above or below it.

    What is ``repeated`` was listed before, and what is above or below it there.
    """

    kind: str
    title: str
    note: str
    href: str
    lineage: str
    dagster: str
    items: list[Item]
    repeated: bool


class JobState(BaseModel):
    """
    How far a piece of work is, for a page that asks again.
    """

    state: Literal['running', 'done', 'failed']
    share: float
    seconds: float
    error: str | None = ''
    do: str | None = ''


class Judged(BaseModel):
    """
    A judgement that was given.
    """

    verdict: str
    issue: str
    note: str
    actor: str
    at: str


class Judgement(BaseModel):
    """
    What somebody thinks of what a model said of an image.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    evaluation: Annotated[str, Field(max_length=64, min_length=8)]
    verdict: Literal['right', 'wrong']
    issue: Annotated[str | None, Field(max_length=100)] = ''
    note: Annotated[str | None, Field(max_length=2000)] = ''


class Judgements(BaseModel):
    """
    What people think of what a model said of an image, oldest first.
    """

    judgements: list[Judged]


class Kept(BaseModel):
    """
    What was kept.
    """

    id: str


class LabelChange(BaseModel):
    """
    One thing that happened to the labels of an image, or to the image.

    Attributes:
        at: when.
        source: ``annotations``, or ``dataset`` for what a dataset version had.
        version: version of that.
        change: added, removed or changed; joined, left or moved.
        who: annotator, where that is known.
        what: in words.
        fields: columns that changed.
    """

    at: str
    source: str
    version: str
    change: str
    who: str | None = None
    what: str
    fields: str


class LabelError(BaseModel):
    """
    A kind of label that is likely to be wrong, and how many there are.
    """

    issue: str
    count: int


class Box(RootModel[list]):
    root: Annotated[list, Field(max_length=4, min_length=4)]


class TruthBox(RootModel[list]):
    root: Annotated[list, Field(max_length=4, min_length=4)]


class LaunchedRun(BaseModel):
    """
    A corrective run that was handed to Dagster.
    """

    run_id: str
    record: str
    address: str


class LeftOut(BaseModel):
    """
    An image that was selected and is not in the version, with the reason.
    """

    image_id: str
    reason: str
    belongs_to: str


class LeftRow(BaseModel):
    """
    Labels of a batch that nobody could be given, and why.
    """

    batch: str
    labels: int
    why: str


class LevelOut(BaseModel):
    """
    A level of tiles.
    """

    level: int
    width: int
    height: int
    columns: int
    rows: int


class LikeImage(BaseModel):
    """
    An image that is like those of a selection.
    """

    image_id: str
    similarity: float
    nearest: str
    labelled: bool


class LoadRow(BaseModel):
    """
    What somebody has to do.
    """

    name: str
    account: str
    labels: int
    hours: float
    weeks: float


class LogLine(BaseModel):
    """
    A line of the log.
    """

    at: AwareDatetime
    step: str
    text: str
    level: str


class Made(BaseModel):
    """
    A version of an asset that the run made.
    """

    asset: str
    version: str
    href: str


class MarkPoint(BaseModel):
    """
    A key point: where it is, as shares of the image, and whether it is seen or hidden.
    """

    name: str
    x: float
    y: float
    visible: bool


class MarkShape(BaseModel):
    """
    What is drawn in place of the bounds of a label.

    Attributes:
        rings: outlines, each x and y of its points in turn as shares of the image; what lies in an
            even number of them is not inside. Those of a turned box begin with its top side.
        points: key points, in the order that the ontology has for them.
        tolerance: pixels of the image by which an outline may be off; 0 where it is exact.
        left_out: outlines or points that are too small or too many to be drawn.
        problem: why nothing of it can be drawn.
    """

    rings: list[list[float]] | None = []
    points: list[MarkPoint] | None = []
    tolerance: float | None = 0.0
    left_out: int | None = 0
    problem: str | None = ''


class Label1(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class Merge(BaseModel):
    """
    Several classes become one.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    labels: Annotated[
        list[Label1], Field(description='classes that are merged', min_length=1)
    ]
    into: Annotated[
        str,
        Field(
            description='class that they become: one of them, another, or a new one',
            min_length=1,
        ),
    ]


class Metric(BaseModel):
    """
    A key metric as it is now.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    change: float | None = None
    dropped: bool


class MetricChange(BaseModel):
    """
    A number before and now.
    """

    name: str
    before: float | None = None
    now: float | None = None
    difference: float | None = None
    dropped: bool


class MissingRow(BaseModel):
    """
    One thing that is missing before volume work may start, and what to do next.
    """

    what: str
    do: str


class More(BaseModel):
    """
    Images that are like those of a selection, the most alike first.
    """

    examples: int
    images: list[LikeImage]


class MoveRow(BaseModel):
    """
    Labels of one class that become another's, or cannot come along.

    Attributes:
        label: the class that they are of now.
        version: of the ontology that they were made under.
        into: the class that they become; empty for those that cannot come along.
        relabel: whether their images go to the relabelling batch.
        detail: why they cannot come along, as a sentence.
        labels: how many.
        images: on how many images.
        examples: ids of some of these.
    """

    label: str
    version: str
    into: str
    relabel: bool
    detail: str
    labels: int
    images: int
    examples: list[str]


class MovedRow(BaseModel):
    """
    Labels that were of another class under an earlier version, and images of them.

    Attributes:
        was: the class that they were of.
        version: of the ontology that they were made under.
        into: the class that they are of now.
        query: the images, in the query language.
    """

    was: str
    version: str
    into: str
    labels: int
    images: int
    examples: list[str]
    query: str


class Neighbour(BaseModel):
    """
    An image that is like another, and how much so: 1 for the same picture.
    """

    id: str
    path: str
    similarity: float


class Neighbours(BaseModel):
    """
    The images that are most like one, the most alike first; or why there are none.
    """

    images: list[Neighbour]
    problem: str | None = ''


class NewPassword(BaseModel):
    """
    The present password and the next.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    current: Annotated[str, Field(max_length=256)]
    new: Annotated[str, Field(max_length=256)]


class Next(BaseModel):
    """
    What to do next; the first is the one to do.
    """

    text: str
    href: str


class NextTask(BaseModel):
    """
    A task to label next; ``free`` when it is meant for nobody in particular.
    """

    batch: str
    image_id: str
    task: int
    free: bool
    tool_url: str


class NumberOf(BaseModel):
    """
    A number with its interval.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Keypoint(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class Tag(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class OntologyPreview(BaseModel):
    """
    What a changed ontology would do; nothing is changed by asking.

    Attributes:
        version: its version.
        moves: which labels would go where; those that stay are not among them.
        labels: labels that there are.
        stays: how many of them stay what they are.
        converted: how many would become of another class.
        quarantined: how many could not come along.
        relabel: images that people would have to label again.
        relabel_batch: the batch that those would be set aside as; empty for none.
        problems: what stands in the way, as sentences.
    """

    version: str
    moves: list[MoveRow]
    labels: int
    stays: int
    converted: int
    quarantined: int
    relabel: int
    relabel_batch: str
    problems: list[str]


class OpenInvestigation(BaseModel):
    """
    An investigation to go on with, and where it was left.
    """

    id: str
    title: str
    elapsed_s: float
    clicks: int


class OriginStep(BaseModel):
    """
    A materialization that the evaluation comes from.
    """

    what: str
    version: str
    href: str
    run_id: str
    at: AwareDatetime
    code_version: str


class Original(BaseModel):
    """
    The classes and attributes that the oldest version of an ontology had.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    labels: Annotated[list[Label1], Field(description='class names', min_length=1)]
    attributes: Annotated[
        dict[str, list[str]] | None,
        Field(description='attribute to its allowed values; empty means yes or no'),
    ] = None


class OwnSession(BaseModel):
    """
    Where somebody is signed in.
    """

    name: str
    here: bool
    created_at: AwareDatetime
    seen_at: AwareDatetime
    address: str
    browser: str


class Parameter(BaseModel):
    """
    A parameter of the parent's training.
    """

    key: str
    value: str | int | float | bool | list[int]
    words: str


class PartDown(BaseModel):
    """
    A part that does not answer, what is missing without it, and what to do.
    """

    part: str
    missing: str
    do: str


class Permission(
    RootModel[
        Literal[
            'public',
            'signed-in',
            'account',
            'assigned',
            'view',
            'comment',
            'review',
            'launch',
            'waive',
            'administer',
        ]
    ]
):
    root: Annotated[
        Literal[
            'public',
            'signed-in',
            'account',
            'assigned',
            'view',
            'comment',
            'review',
            'launch',
            'waive',
            'administer',
        ],
        Field(description='What a route needs.'),
    ]


class PilotPartRow(BaseModel):
    """
    A class, edge case or pair of annotators of a pilot round, and how far people agree there.

    Attributes:
        kind: class, edge case or pair; pairs are told to who may launch, for they are of persons.
        fails: whether that is less than the pilot must show.
        query: its images, in the query language, where people differ most first.
    """

    kind: str
    name: str
    alpha: float | None = None
    why: str
    images: int | None = None
    fails: bool
    query: str


class PilotRow(BaseModel):
    """
    A pilot round and how far people agree on it, and on its parts, the worst first.
    """

    batch: str
    finished: bool
    images: int
    annotators: int
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    mean_iou: float | None = None
    why: str
    parts: list[PilotPartRow]


class Place(BaseModel):
    """
    Where an image is in the query that it was opened from.

    Attributes:
        position: from 0; None where the query does not have it.
        total: images of the query.
        previous: id of the image before it.
        next: id of the image after it.
        problem: why the query cannot be asked.
    """

    position: int | None = None
    total: int | None = 0
    previous: str | None = None
    next: str | None = None
    problem: str | None = ''


class Point(BaseModel):
    """
    One number where it is drawn.
    """

    x: float
    y: float
    value: float
    words: str
    href: str | None = ''
    alert: bool | None = False
    marked: bool | None = False


class PresetOut(BaseModel):
    """
    A view that the image has what it needs for.
    """

    name: str
    title: str
    bands: list[int]
    index: Annotated[
        bool,
        Field(description='whether the normalised difference of two bands is seen'),
    ]
    low: Annotated[
        float | None, Field(description='value seen black; null for percentiles')
    ] = None
    high: float | None = None
    map: str


class Problem(BaseModel):
    """
    Why there is nothing to show, and what to do.
    """

    what: str
    do: str


class Promotion(BaseModel):
    """
    What the champion's gate said of a model.
    """

    outcome: str
    passes: bool
    reason: str


class QueryToSave(BaseModel):
    """
    A query that gets a name.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    name: Annotated[str, Field(max_length=500)]
    q: Annotated[str | None, Field(max_length=65536)] = ''


class Question(BaseModel):
    """
    What the form of the page asks: when the metric was so good, which images had the tag.
    """

    metric: str
    sign: Literal['>=', '<=', '>', '<']
    number: float | None = None
    tag: str


class QueueModel(BaseModel):
    """
    What waits for a label, and when none will.
    """

    waiting: int
    images_per_day: float | None = None
    low: float | None = None
    high: float | None = None
    days: float | None = None
    estimated_end: AwareDatetime | None = None
    earliest: AwareDatetime | None = None
    latest: AwareDatetime | None = None
    query: str


class QueueRow(BaseModel):
    """
    A queue and what waits in it.
    """

    name: str
    batches: int
    stuck: int
    images: int
    labels: int


class Ready(BaseModel):
    """
    Whether a model can say at once where it looks.
    """

    ready: bool


class Reason(BaseModel):
    """
    How many changes of one kind have one reason.
    """

    change: str
    reason: str
    count: int


class RecoveryCodes(BaseModel):
    """
    Codes that stand in for a lost device, each once; shown this once.
    """

    codes: list[str]


class Refined(BaseModel):
    """
    The text of another query.
    """

    q: str


class Requirement(BaseModel):
    """
    One requirement, held against what was found.
    """

    requirement: str
    passed: bool
    why: str


class Role(RootModel[Literal['viewer', 'annotator', 'reviewer', 'engineer', 'admin']]):
    root: Annotated[
        Literal['viewer', 'annotator', 'reviewer', 'engineer', 'admin'],
        Field(description='What somebody is in a project.'),
    ]


class RoleShown(BaseModel):
    """
    What a role may do.
    """

    name: Role
    permissions: list[Permission]


class Rule(BaseModel):
    """
    A line across the chart: a threshold.
    """

    at: float
    text: str
    words: str


class RunLine(BaseModel):
    """
    A run in a list.

    Attributes:
        by: who launched it; empty where it is not known.
        origin: from where: inspector, command line, sensor, schedule, Dagster's pages; empty where
            it is not known.
        corrective: digest of the record that it follows; empty for none.
    """

    run_id: str
    what: str
    status: str
    finished: bool
    by: str
    origin: str | None = ''
    created: AwareDatetime
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    seconds: float | None = None
    corrective: str | None = ''


class RunRow(BaseModel):
    """
    A run in the list, with the investigations that it was launched from.
    """

    run: RunLine
    href: str
    investigations: list[InvestigationLink]


class RunStep(BaseModel):
    """
    A step of the run; ``share`` of 1 is how far it is, where that is known.
    """

    name: str
    state: Literal['waiting', 'running', 'done', 'failed', 'skipped']
    started: AwareDatetime | None = None
    seconds: float | None = None
    share: float | None = None
    line: str | None = ''


class RunStopped(BaseModel):
    """
    A run that was told to stop; it may take a while until it has.
    """

    run_id: str
    status: str


class SavedRow(BaseModel):
    """
    A query with a name; ``digest`` is of the images that it selected when it got it.
    """

    name: str
    text: str
    count: int
    digest: str
    actor: str
    at: AwareDatetime


class SelectionCounts(BaseModel):
    """
    A selection and what is known of its images.

    Attributes:
        query: in the canonical text form.
        images: how many there are.
        labelled: how many have labels, and can be learnt from.
        train: how many are training images of the parent's dataset version.
        held_out: how many are in its val and test splits.
        outside: how many are not in that version.
        sample: ids of a few of them.
    """

    query: str
    images: int
    labelled: int
    train: int
    held_out: int
    outside: int
    sample: list[str]


class Setup(BaseModel):
    """
    What the page that makes the first account shows.

    Attributes:
        open: whether the link works.
        done: whether there is an account already.
        shortest: fewest signs of a password.
    """

    open: bool
    done: bool
    shortest: int | None = 12


class ShotBox(BaseModel):
    """
    One box, in pixels of the image; right, wrong (a prediction) or missed (an object).
    """

    kind: Literal['right', 'wrong', 'missed']
    words: str
    x: float
    y: float
    width: float
    height: float


class Side(BaseModel):
    """
    The champion or the newest model, with its numbers.
    """

    title: str
    model: str
    evaluation: str
    at: AwareDatetime | None = None
    metrics: dict[str, float | None]


class SignIn(BaseModel):
    """
    What the page to sign in shows.

    Attributes:
        user: name of the account that is signed in already; empty for none.
        next: page that follows.
        single_sign_on: what the button says that leads to the provider; empty without one.
        no_account: whether the first account is still to be made.
        why: why one must sign in; empty for who came by themselves.
    """

    user: str
    next: str
    single_sign_on: str
    no_account: bool
    why: str | None = ''


class SignOut(BaseModel):
    """
    Who is signed in.
    """

    user: str


class SignedIn(BaseModel):
    """
    Who is signed in now, and which page follows.
    """

    user: str
    next: str


class SliceNow(BaseModel):
    """
    A slice with the optimizing metric on it; ``whole`` is the metric on the whole split.
    """

    name: str
    value: float
    whole: float | None = None
    images: int
    href: str


class SliceRow(BaseModel):
    """
    A declared slice, all classes together.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rest: float | None = None
    difference: float | None = None
    p_value: float | None = None
    significant: bool
    metric: float | None = None
    images: int
    objects: int
    small: bool
    href: str


class IntoItem(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class Split(BaseModel):
    """
    One class becomes several: by an attribute, or by people who label its images again.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    label: Annotated[str, Field(description='class that is split', min_length=1)]
    by: Annotated[
        str | None,
        Field(description='attribute whose value decides; null: people decide'),
    ] = None
    into: Annotated[
        dict[str, str] | list[IntoItem],
        Field(
            description='value of the attribute to its class; without an attribute, the new classes'
        ),
    ]


class SplitError(BaseModel):
    """
    The error on one split.

    Attributes:
        split: train, val or test.
        error: share of mistakes, 0 to 1.
        low: lower end of its 95 % interval.
        high: upper end.
        images: images behind it.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    split: str
    error: float
    low: float
    high: float
    images: int


class Standings(BaseModel):
    """
    The models of one dataset version, the best first.
    """

    dataset: str
    metric: str
    split: str
    models: int
    entries: list[Entry]
    notes: list[str]


class StateChange(BaseModel):
    """
    What is to be done with a batch.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    action: Literal['pause', 'resume', 'cancel']


class StateCount(BaseModel):
    """
    How many images of a batch are in a state, and what that means.
    """

    state: str
    words: str
    means: str
    images: int


class AddItem(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class RemoveAttribute(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class AddValue(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class RemoveValue(RootModel[str]):
    root: Annotated[str, Field(min_length=1)]


class Step(BaseModel):
    """
    One change; each step has exactly one of these keys.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    add: Annotated[list[AddItem] | None, Field(description='new classes')] = []
    rename: Annotated[
        dict[str, str] | None,
        Field(description='class to its new name; all at once, so two may swap'),
    ] = None
    split: Annotated[Split | None, Field(description='one class becomes several')] = (
        None
    )
    merge: Annotated[Merge | None, Field(description='several classes become one')] = (
        None
    )
    delete: Annotated[Delete | None, Field(description='a class goes')] = None
    add_attribute: Annotated[
        AddAttribute | None, Field(description='labels get an attribute')
    ] = None
    rename_attributes: Annotated[
        dict[str, str] | None, Field(description='attribute to its new name')
    ] = None
    remove_attributes: Annotated[
        list[RemoveAttribute] | None, Field(description='attributes that go')
    ] = []
    add_values: Annotated[
        dict[str, list[AddValue]] | None,
        Field(description='attribute to values that it may have from now on'),
    ] = None
    rename_values: Annotated[
        dict[str, dict[str, str]] | None,
        Field(description='attribute to its values, each with its new name'),
    ] = None
    remove_values: Annotated[
        dict[str, list[RemoveValue]] | None,
        Field(description='attribute to values that go, and its labels lose it'),
    ] = None


class StepFailure(BaseModel):
    """
    Why a step, or the run, failed.
    """

    step: str
    what: str
    detail: str


class StepMade(BaseModel):
    """
    A page that was come to, as the page itself measured it.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    kind: str | None = None
    address: Annotated[str, Field(max_length=8000, pattern='^/p/')]
    title: Annotated[str | None, Field(max_length=300)] = ''
    elapsed_s: Annotated[float, Field(ge=0.0, le=10000000.0)]
    clicks: Annotated[int, Field(ge=0, le=1000000)]
    machine_s: Annotated[float | None, Field(ge=0.0, le=100000.0)] = 0.0


class StepRow(BaseModel):
    """
    A step to a version, in words, and what it did at the last import; null before one.
    """

    words: str
    converted: int | None = None
    dropped: int | None = None
    relabel: int | None = None


class StepsMade(BaseModel):
    """
    Steps of an investigation, which begins with the first.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    title: Annotated[str, Field(max_length=300, min_length=1)]
    alert: Annotated[str | None, Field(max_length=300)] = ''
    steps: Annotated[list[StepMade], Field(max_length=50, min_length=1)]


class StopRequest(BaseModel):
    """
    Why a run is to be stopped.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    reason: Annotated[str | None, Field(max_length=2000)] = ''


class Summary(BaseModel):
    """
    How two versions differ, in numbers.
    """

    images: dict[str, int]
    labels: dict[str, int]
    image_reasons: list[Reason]
    label_reasons: list[Reason]
    rules: list[str]
    note: str


class Suspicion(BaseModel):
    """
    One thing that is too good to be true.

    Attributes:
        kind: near_perfect, better_than_train or property.
        sentence: what it is, with the numbers.
        checks: the checks that follow from it, with what they said; those that failed first.
        do: the command to run next, and what to do then.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    kind: Literal['near_perfect', 'better_than_train', 'property']
    sentence: str
    checks: list[CheckSaid]
    do: str


class Images1Item(RootModel[str]):
    root: Annotated[str, Field(pattern='^[0-9a-f]{64}$')]


class Images1(RootModel[list[Images1Item]]):
    root: Annotated[list[Images1Item], Field(max_length=20000)]


class Tag1(RootModel[str]):
    root: Annotated[str, Field(max_length=500)]


class TagChange(BaseModel):
    """
    Tags that are put on images, or taken off.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    images: Images1 | None = None
    q: Annotated[str | None, Field(max_length=65536)] = ''
    evaluation: Annotated[str | None, Field(max_length=500)] = ''
    label: Annotated[str | None, Field(max_length=500)] = ''
    kind: Annotated[str | None, Field(max_length=500)] = ''
    sort: Annotated[str | None, Field(max_length=500)] = ''
    model: Annotated[str | None, Field(max_length=500)] = ''
    epoch: Annotated[int | None, Field(ge=0)] = 0
    like: Annotated[str | None, Field(max_length=7000)] = ''
    as_of: Annotated[str | None, Field(max_length=500)] = ''
    among: Annotated[str | None, Field(max_length=2000)] = ''
    tags: Annotated[list[Tag1], Field(max_length=20, min_length=1)]
    remove: bool | None = False


class TagsChanged(BaseModel):
    """
    What a change of tags came to.
    """

    images: int
    changed: int


class TaskImage(BaseModel):
    """
    An image of a batch.

    Attributes:
        state: where it stands: open, partly, skipped, quarantined, review, labelled, waiting, gone.
        words: the same in words.
        kind: how that is coloured.
        labelled: whether as many people labelled it as are to.
        own: whether it is meant for whoever asks, who has not looked at it yet.
        tool_url: its task in the annotation tool; empty where it is none.
        why: why it is quarantined; empty for any other, and for annotators, who do not know who
            else labelled an image and how.
    """

    image_id: str
    path: str
    state: str
    words: str
    kind: str
    labelled: bool
    own: bool
    tool_url: str
    why: str


class Tick(BaseModel):
    """
    A mark of an axis.
    """

    at: float
    text: str


class Took(BaseModel):
    """
    What an investigation took; null for what it did not come to.

    Attributes:
        images_s: seconds until the first images.
        images_clicks: clicks until then.
        images_machine_s: seconds of those that pages took to load.
        run_s: seconds until the first run that it launched, and its page, were there.
        run_clicks: clicks until then.
        run_machine_s: seconds of those that pages took to load.
        clicks: all of them.
    """

    images_s: float | None = None
    images_clicks: int | None = None
    images_machine_s: float | None = None
    run_s: float | None = None
    run_clicks: int | None = None
    run_machine_s: float | None = None
    clicks: int


class Training(BaseModel):
    """
    How far the training is.

    Attributes:
        epochs: those that ended.
        of: how many there are to be.
        metric: the validation metric.
        share: of 1, how far it is.
        left: how long it still takes, in words.
    """

    epochs: list[Epoch]
    of: int
    metric: str
    share: float
    left: str


class Turned(BaseModel):
    """
    The images that the second model does better, or worse.
    """

    count: int
    query: str
    named: int
    images: list[Changed]


class ValidationError(BaseModel):
    loc: list[str | int]
    msg: str
    type: str
    input: Any | None = None
    ctx: dict[str, Any] | None = None


class ValueOut(BaseModel):
    """
    What one band says at a place.
    """

    band: int
    name: str
    stored: Annotated[
        float | None, Field(description='the number in the file; null when it is none')
    ] = None
    value: Annotated[
        float | None,
        Field(description='what it means, in its unit; null for no measurement'),
    ] = None
    unit: str


class Verdict(BaseModel):
    """
    Whether the model may be promoted.
    """

    passed: bool
    summary: str
    requirements: list[Requirement]


class VersionRow(BaseModel):
    """
    One dataset version, as lists show it.
    """

    digest: str
    made_at: AwareDatetime
    run_id: str
    images: int
    objects: int
    splits: dict[str, int]
    warnings: list[str]
    waived: list[str]
    models: int
    best: float | None = None
    best_model: str
    before: str


class ViewOut(BaseModel):
    """
    A view with everything decided.
    """

    bands: list[int]
    index: bool
    low: list[float]
    high: list[float]
    gamma: float
    map: str
    invert: bool
    unit: str


class WaitingRow(BaseModel):
    """
    Labels that wait, of one difficulty.
    """

    difficulty: str
    images: int
    labels: int
    hours: float


class WaiverRequest(BaseModel):
    """
    Failed checks of a candidate to waive, and why.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    checks: Annotated[list[str], Field(max_length=50, min_length=1)]
    reason: Annotated[str, Field(max_length=2000)]


class WaiverRow(BaseModel):
    """
    A waiver, as a page shows it.
    """

    digest: str
    checks: list[str]
    actor: str
    role: str
    reason: str
    at: AwareDatetime


class WalkStep(BaseModel):
    """
    A step of an investigation.
    """

    kind: str
    title: str
    address: str
    user: str
    at: AwareDatetime
    elapsed_s: float
    clicks: int
    machine_s: float


class When(BaseModel):
    """
    The images that had a tag when a metric was good.
    """

    condition: str
    moment: str
    text: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    images: Images
    images_then: int
    seconds: float


class Word(BaseModel):
    """
    A word that a query can have next, and what it is.
    """

    text: str
    about: str


class Words(BaseModel):
    """
    Words of the query language.
    """

    words: list[Word]


class Again(BaseModel):
    """
    A query asked again: as of then, and on today's data.
    """

    then: Images
    today: Images
    added: Images
    removed: Images
    taken_out: int


class Alert(BaseModel):
    """
    Something to look into.

    Attributes:
        key: stays the same while the cause does.
        kind: what kind of thing it is, in words.
        level: bad, warn or info.
        title: what it is, in a few words.
        sentence: the same with the numbers.
        action: what the click does.
        href: where it leads.
        at: when it was recorded.
        investigation: one of who asks that is open, which a click goes on with.
    """

    key: str
    kind: str
    level: Literal['bad', 'warn', 'info']
    title: str
    sentence: str
    action: str
    href: str
    at: AwareDatetime | None = None
    investigation: OpenInvestigation | None = None


class Assigned(BaseModel):
    """
    Batches that are assigned, and the images of one of them.

    Attributes:
        batches: those of whoever asks; all of them for who may assign.
        batch: name of the one whose images follow; empty where there is none.
        images: a part of its images, those for whoever asks first.
        states: what its images are: for you, open, labelled, …, and how many are so.
        state: the one that is shown; empty for all.
        offset: how many images come before those.
        total: how many are shown in all.
        tasks: what whoever asks labels next, over all batches, in order; nothing for who assigns
            and is no annotator.
        tasks_total: how many of these there are in all.
        annotator: pseudonyms of whoever asks; empty where project.yaml does not say.
        exam: how far they are, where nothing is left for them and they are not qualified.
        may_assign: whether whoever asks may assign batches.
        people: accounts that a batch can be assigned to; only for who may assign.
    """

    batches: list[AssignedBatch]
    batch: str
    images: list[TaskImage]
    states: list[StateCount]
    state: str
    offset: int
    total: int
    tasks: list[NextTask]
    tasks_total: int
    annotator: list[str]
    exam: GoldExam | None = None
    may_assign: bool
    people: list[str]


class AssignedWork(BaseModel):
    """
    Work as it was given out.
    """

    labels: int
    changed: int
    annotators: list[LoadRow]
    unassigned: list[LeftRow]


class AuditPage(BaseModel):
    """
    Lines of the audit log, the newest first.

    Attributes:
        lines: those of this page.
        total: how many fit the filters.
        older: number of the line before which the next page begins; null on the last one.
        filters: what was asked for.
        actions: every action there is, to choose from.
    """

    lines: list[AuditLine]
    total: int
    older: int | None = None
    filters: Filters
    actions: list[str]


class BatchList(BaseModel):
    """
    Batches, what is urgent first.

    Attributes:
        states: state to how many batches are in it.
        stuck: how many are stuck.
        state: the one that is shown; empty for all.
        total: how many are shown in all.
    """

    project: str
    batches: list[BatchRow]
    states: dict[str, int]
    stuck: int
    state: str
    offset: int
    total: int


class Before(BaseModel):
    """
    The evaluation before this one.
    """

    digest: str
    model: str
    at: AwareDatetime
    same_model: bool
    same_dataset: bool
    changes: list[MetricChange]


class ChainChecked(BaseModel):
    """
    What came of checking the audit log.

    Attributes:
        whole: whether nothing is wrong.
        lines: how many genuine lines there are.
        head: number and seal of the last one, to be noted elsewhere.
        faults: what is wrong.
        remarks: what is no fault, and still should be known.
    """

    whole: bool
    lines: int
    head: str
    faults: list[FaultShown]
    remarks: list[str]


class ChangesView(BaseModel):
    """
    The difference of two dataset versions, a page of it.

    Attributes:
        job: how far it is; the rest is empty until it is ``done``.
        summary: all of it in numbers.
        what: which rows are shown: ``images`` or ``labels``.
        change: the kind that they are limited to.
        reason: the reason that they are limited to.
        rows: the rows of this page.
        total: rows of all pages.
        query: the query for the images of these rows.
    """

    project: str
    before: VersionRow
    after: VersionRow
    versions: list[VersionRow]
    job: JobState
    summary: Summary | None = None
    what: Literal['images', 'labels']
    change: str
    reason: str
    rows: list[dict[str, Any]]
    total: int
    offset: int
    limit: int
    named: int
    query: str


class CheckFailure(BaseModel):
    """
    A check that stops a candidate, with the images that it found.
    """

    check: CheckRow
    images: int
    query: str
    sample: list[str]
    waived: bool


class ClassResult(BaseModel):
    """
    A class on the whole split.
    """

    label: str
    numbers: dict[str, NumberOf]
    objects: int
    images: int
    href: str


class Compared(BaseModel):
    """
    Two models on the same images.
    """

    verdict: str
    datasets: Annotated[list, Field(max_length=2, min_length=2)]
    metric: str
    split: str
    images: int
    bound: float
    overall: list[Delta]
    classes: list[Delta]
    slices: list[Delta]
    slices_total: int
    gained: Turned
    lost: Turned
    costs: list[CostPair]
    notes: list[str]


class Drawing(BaseModel):
    """
    A lineage, laid out.
    """

    width: float
    height: float
    boxes: list[GraphBox]
    edges: list[Edge]
    nodes: int
    words: str


class Evaluated(BaseModel):
    """
    A model's newest evaluation on one dataset version.
    """

    evaluation: str
    dataset: str
    metric: str
    split: str
    value: Interval
    at: AwareDatetime
    run_id: str


class Facet(BaseModel):
    """
    A filter.

    Attributes:
        name: what it is called in a request for another query.
        title: what it is called on the page.
        of: ``query`` when a click changes the query, ``state`` when it changes the parameter of its
            name in the address.
        values: its values, the most frequent first.
        more: values that are left out.
        range: spread of a number; None for a filter of values.
    """

    name: str
    title: str
    of: str | None = 'query'
    values: list[FacetValue] | None = []
    more: int | None = 0
    range: FacetRange | None = None


class Facets(BaseModel):
    """
    The filters of a state.

    Attributes:
        total: images that the state has.
        facets: the filters.
    """

    total: int
    facets: list[Facet]


class GatePart(BaseModel):
    """
    One part of the gate, and what is missing of it.
    """

    part: str
    title: str
    missing: list[MissingRow]


class GivenRole(BaseModel):
    """
    A role that is given; null takes it away.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    role: Role | None = None


class GuidelinePage(BaseModel):
    """
    The guideline that annotators work by; nothing where there is no text of its version.
    """

    project: str
    version: str
    guideline: GuidelineText | None = None


class HTTPValidationError(BaseModel):
    detail: list[ValidationError] | None = None


class History(BaseModel):
    """
    What happened to the labels of an image, oldest first.
    """

    changes: list[LabelChange]
    more: int


class ImageCount(BaseModel):
    """
    How many images a query has, or why it has none that can be counted.
    """

    count: int | None = None
    canonical: str | None = ''
    problem: Problem | None = None


class InvestigationLine(BaseModel):
    """
    An investigation in the list.
    """

    id: str
    title: str
    began_by: str
    began_at: AwareDatetime
    closed: bool
    conclusion: str
    steps: int
    runs: int
    took: Took


class InvestigationPage(BaseModel):
    """
    One investigation.
    """

    id: str
    title: str
    alert: str
    began_by: str
    began_at: AwareDatetime
    conclusion: str
    closed_by: str | None = None
    closed_at: AwareDatetime | None = None
    took: Took
    steps: list[WalkStep]
    runs: list[RunLine]
    comments: list[CommentLine]
    resume: str
    elapsed_s: float
    may_comment: bool


class LabelMark(BaseModel):
    """
    A label with what is known of how it was made.

    Attributes:
        role: in what role it was made: annotator, reviewer, model or gold.
        lead_time: seconds of work; None where the tool does not say.
        ontology_version: version of the ontology that it was made under.
        guideline_version: version of the guideline that it was made under.
        created_at: when it was made.
        updated_at: when it was last changed.
    """

    kind: str
    label: str
    truth: str | None = None
    score: float | None = None
    iou: float | None = None
    box: Box | None = None
    truth_box: TruthBox | None = None
    annotator: str | None = None
    rank: int | None = None
    annotation_id: str | None = None
    attributes: str | None = None
    geometry: str | None = None
    shape: MarkShape | None = None
    role: str | None = ''
    lead_time: float | None = None
    ontology_version: str | None = ''
    guideline_version: str | None = ''
    created_at: str | None = None
    updated_at: str | None = None


class LabelQueue(BaseModel):
    """
    What waits to be labelled, until when, and who does it.

    Attributes:
        tool: whether the project has an annotation tool that can be reached.
        going: how many batches are neither done nor cancelled.
        batches: the most urgent of them.
        more: how many batches there are beside those.
        stuck: those of them that are stuck, and why.
        examined: whether annotators are examined on gold images.
        annotators: everybody who labels; nobody for who may not launch, for skill and pace are of
            persons.
        by_person: whether annotators are told.
        not_imported: states of annotations that were pulled and are not imported yet, so that they
            make no labels here.
        importing: the run that imports them now; empty for none.
    """

    project: str
    tool: bool
    not_imported: int
    importing: str
    images: int
    labels: int
    hours: float
    paused: int
    waiting: list[WaitingRow]
    forecasts: list[ForecastRow]
    basis: str
    cost: float | None = None
    currency: str
    queues: list[QueueRow]
    going: int
    batches: list[BatchRow]
    more: int
    stuck: list[BatchRow]
    annotators: list[AnnotatorRow]
    by_person: bool
    examined: bool


class Labels(BaseModel):
    """
    What is labelled.
    """

    classes: list[ClassRow]
    attributes: list[AttributeRow]
    labels: int
    moved: list[MovedRow]


class LabelsThen(BaseModel):
    """
    The labels of an image in an earlier state.

    Attributes:
        state: digest of a dataset version, or a version of the table of annotations.
        labels: its labels there.
        problem: why they cannot be told.
    """

    state: str
    labels: list[LabelMark] | None = []
    problem: str | None = ''


class Line(BaseModel):
    """
    A line with its points, its band and its name; ``series`` picks its colour, from 1.

    A ``guide`` is no measurement: what others are compared with, drawn faint.
    """

    name: str
    series: int
    guide: bool | None = False
    path: str
    band: str
    points: list[Point]


class Lineage(BaseModel):
    """
    The lineage of one thing, drawn and as a list.

    Attributes:
        kind: what it is.
        ref: what was asked for.
        title: what it is called.
        facts: what is known of it.
        page: our page of it; empty where it has none.
        drawing: the graph; None while it is worked out.
        up: what it was made from, recursively.
        down: what was made from it, recursively.
        whole: whether the lists have everything.
        choices: the newest things that can be looked at instead.
        job: how far it is.
    """

    project: str
    kind: str
    ref: str
    title: str
    facts: dict[str, str]
    page: str
    drawing: Drawing | None = None
    up: list[Item]
    down: list[Item]
    whole: bool
    choices: list[Choice]
    job: JobState | None = None


class MadeToken(BaseModel):
    """
    A token that was made, with the secret that is shown this once.
    """

    id: str
    name: str
    state: str
    scopes: list[Permission]
    projects: list[str]
    created_at: AwareDatetime
    expires_at: AwareDatetime
    used_at: AwareDatetime | None = None
    token: str


class Mark(BaseModel):
    """
    One thing that is drawn over an image.

    Attributes:
        kind: ``label`` for a label; or what a prediction came to: ``correct``, a kind of error,
            ``missed`` for an object that was not found.
        label: class: of the prediction, or else of the object.
        truth: class of the object that a prediction of another class means.
        score: score of a prediction.
        iou: overlap of a prediction with the object.
        box: left, top, width and height as shares of the image; None for the image as a whole.
        truth_box: box of the object that a prediction means.
        annotator: who drew a label.
        rank: position of a prediction among those of its image.
        annotation_id: the object that is meant.
        attributes: of a label, as a JSON object; None for none.
        geometry: kind of a label's geometry: bbox, rotated_box, polygon, mask, keypoints, class
            (the label of the whole image) or tag (one of any number that it has).
        shape: what is drawn in place of the box; None where the box is all there is.
    """

    kind: str
    label: str
    truth: str | None = None
    score: float | None = None
    iou: float | None = None
    box: Box | None = None
    truth_box: TruthBox | None = None
    annotator: str | None = None
    rank: int | None = None
    annotation_id: str | None = None
    attributes: str | None = None
    geometry: str | None = None
    shape: MarkShape | None = None


class Member(BaseModel):
    """
    Somebody with a role in a project.

    Attributes:
        name: of the account.
        role: the one that was given in this project; null where it comes from ``everywhere``.
        everywhere: the role in every project, which only an admin of all can change.
        disabled: whether the account can no longer be used.
    """

    name: str
    role: Role | None = None
    everywhere: Role | None = None
    disabled: bool


class Migration(BaseModel):
    """
    What leads from one version to the next.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    from_: Annotated[
        str,
        Field(alias='from', description='version that it begins with', min_length=1),
    ]
    to: Annotated[str, Field(description='version that it leads to', min_length=1)]
    steps: Annotated[
        list[Step], Field(description='changes, one after the other; may be none')
    ]


class ModelRow(BaseModel):
    """
    One model, as lists show it.
    """

    digest: str
    made_at: AwareDatetime
    run_id: str
    storage_id: int
    dataset: str
    parent: str
    corrective: str
    reason: str
    architecture: str
    epochs: int | None = None
    seed: int | None = None
    validation: float | None = None
    evaluated: Evaluated | None = None
    promotion: Promotion | None = None
    is_champion: bool
    costs: dict[str, float]
    taken_out: int


class ModelSaid(BaseModel):
    """
    A model, and what it says of the image.

    Attributes:
        model: its digest.
        predictions: digest of its newest predictions.
        at: when these were made.
        metric: name of the metric that it is judged by.
        value: its value; None where it was not evaluated.
        evaluation: digest of its newest evaluation.
        operating_point: score from which upwards a prediction counts; None where all do.
        chosen: whether its predictions were read.
        marks: its predictions, best first.
        problem: why there are none, though it is chosen.
    """

    model: str
    predictions: str
    at: str
    metric: str | None = ''
    value: float | None = None
    evaluation: str | None = None
    operating_point: float | None = None
    chosen: bool | None = False
    marks: list[Mark] | None = []
    problem: str | None = ''


class Models(BaseModel):
    """
    Every model of a project, and the leaderboard of one dataset version.
    """

    project: str
    metric: str
    rows: list[ModelRow]
    datasets: list[str]
    dataset: str
    job: JobState | None = None
    standings: Standings | None = None


class NewPerson(BaseModel):
    """
    An account to be made.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    name: Annotated[str, Field(max_length=63)]
    password: Annotated[str, Field(max_length=256)]
    roles: dict[str, Role] | None = None


class NewToken(BaseModel):
    """
    A token to be made.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    name: Annotated[str, Field(max_length=100)]
    scopes: Annotated[list[Permission], Field(max_length=20)]
    projects: Annotated[list[str] | None, Field(max_length=200)] = ['*']
    days: Annotated[int | None, Field(ge=1, le=366)] = 90


class OneBatch(BaseModel):
    """
    A batch, and what may be done about it.

    Attributes:
        actions: what its state allows: pause, resume, cancel.
        assigned: accounts that it is assigned to.
        tool_url: where it is in the annotation tool; empty where it is not.
        query: the images of it, in the query language.
        difficulties: what its difficulty can be.
        images: a part of its images, in the order of the tool's tasks.
        states: what its images are: open, labelled, skipped, …, and how many are so.
        state: the one that is shown; empty for all.
        offset: how many images come before those.
        total: how many are shown in all.
    """

    project: str
    batch: BatchRow
    actions: list[Literal['pause', 'resume', 'cancel']]
    annotators: list[AnnotatorOfBatch]
    assigned: list[str]
    tool_url: str
    query: str
    difficulties: list[str]
    images: list[TaskImage]
    states: list[StateCount]
    state: str
    offset: int
    total: int


class OneQuery(BaseModel):
    """
    One query, and what it selects as of then and today.
    """

    project: str
    which: str
    name: str
    text: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    pins: dict[str, str]
    count: int
    digest: str
    actor: str
    at: AwareDatetime
    job: JobState
    again: Again | None = None


class Ontology(BaseModel):
    """
    The classes and attributes, under a version.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    version: Annotated[
        str | None, Field(description='version of the classes and attributes')
    ] = '1'
    guideline_version: Annotated[
        str | None, Field(description='version of the labelling guideline')
    ] = '1'
    labels: Annotated[
        list[Label1], Field(description='class names, in training order', min_length=1)
    ]
    attributes: Annotated[
        dict[str, list[str]] | None,
        Field(description='attribute to its allowed values; empty means yes or no'),
    ] = None
    required: Annotated[
        list[str] | None,
        Field(description='attributes that an annotator must answer for every label'),
    ] = []
    geometry: Annotated[
        list[Literal['bbox', 'rotated_box', 'polygon', 'mask', 'keypoints', 'class']]
        | None,
        Field(
            description="shapes that annotators draw; empty for the task's own: bbox for detection, class for classification"
        ),
    ] = []
    keypoints: Annotated[
        dict[str, list[Keypoint]] | None,
        Field(description='class to the names of its key points, in their order'),
    ] = None
    tags: Annotated[
        list[Tag] | None,
        Field(
            description='tags of the whole image that annotators may give, any number of them'
        ),
    ] = []
    migrations: Annotated[
        list[Migration] | None,
        Field(
            description="how labels of an older version become the current one's, oldest first (docs/labeling/ontology.md)"
        ),
    ] = []
    original: Annotated[
        Original | None,
        Field(
            description='classes and attributes of the oldest version that migrations begin with; required with migrations'
        ),
    ] = None


class OntologyVersion(BaseModel):
    """
    A version of the ontology.
    """

    version: str
    current: bool
    since: AwareDatetime | None = None
    digest: str
    labels: list[str]
    attributes: list[str]
    steps: list[StepRow]
    datasets: list[str]
    models: list[str]


class Origin(BaseModel):
    """
    What the numbers are of: everything that was followed by the event log's pointers.
    """

    steps: list[OriginStep]
    model_name: str
    parameters: dict[str, str]
    changed: dict[str, str]
    hardware: dict[str, str]
    costs: dict[str, str]
    seed: str
    corrective: str
    reason: str
    by: str
    dagster: str
    mlflow: str
    library: str


class Outcome(BaseModel):
    """
    What came of a run.
    """

    evaluation: str
    metric: str
    value: float | None = None
    before: Before | None = None
    judgement: dict[str, Any] | None = None
    decision: str
    promoted: bool


class OwnToken(BaseModel):
    """
    A token, without what must stay secret.
    """

    id: str
    name: str
    state: str
    scopes: list[Permission]
    projects: list[str]
    created_at: AwareDatetime
    expires_at: AwareDatetime
    used_at: AwareDatetime | None = None


class Person(BaseModel):
    """
    An account as admins see it.

    Attributes:
        name: what it is called.
        roles: project, or ``*``, to the role there.
        disabled: whether it can no longer be used.
        has_password: whether it can sign in here.
        single_sign_on: whether it signs in at the provider.
        created_at: since when it is.
        signed_in_at: when somebody last signed in with it.
        sessions: how many sessions are live.
        tokens: how many tokens are good.
    """

    name: str
    roles: dict[str, Role]
    disabled: bool
    has_password: bool
    single_sign_on: bool
    created_at: AwareDatetime | None = None
    signed_in_at: AwareDatetime | None = None
    sessions: int
    tokens: int


class Pixels(BaseModel):
    """
    What an image's pixels are and how they can be seen.
    """

    image_id: str
    name: str
    format: str
    width: int
    height: int
    dtype: str
    modality: str
    frames: int
    bands: list[BandOut]
    presets: Annotated[
        list[PresetOut], Field(description='the first is what the image is seen with')
    ]
    maps: list[str]
    view: Annotated[ViewOut, Field(description='the view that the address asks for')]
    settings: Annotated[str, Field(description="canonical text of the view's settings")]
    tile_size: int
    levels: list[LevelOut]


class Prelabelled(BaseModel):
    """
    What a model suggested to annotators on an image.

    Attributes:
        model: its digest, or the name of an algorithm without one.
        at: when.
        marks: what it suggested, the surest first; empty where it suggested nothing.
    """

    model: str
    at: str
    marks: list[Mark]


class Preview(BaseModel):
    """
    What a corrective run of a selection would be about.

    Attributes:
        selection: the images as they were asked for.
        widened: the same condition without the dataset version; None where nothing is bound to one.
        parent: digest of the model that is to be bettered.
        parameters: of its training.
        labels: classes that the run can be judged by.
        may_launch: whether the account may launch it.
        may_set_aside: whether it may set images aside.
        down: parts that are needed and do not answer.
    """

    selection: SelectionCounts
    widened: SelectionCounts | None = None
    parent: str
    parameters: list[Parameter]
    labels: list[str]
    may_launch: bool
    may_set_aside: bool
    down: list[PartDown]


class Probe(BaseModel):
    """
    What an image says at a place.
    """

    x: int
    y: int
    values: list[ValueOut]


class Progress(BaseModel):
    """
    How far a run is.
    """

    steps: list[RunStep]
    training: Training | None = None
    checks: list[CheckLine]
    failures: list[StepFailure]
    lines: list[LogLine]


class ProjectPeople(BaseModel):
    """
    Who has a role in a project, and which roles there are.
    """

    people: list[Member]
    roles: list[RoleShown]


class ProjectState(BaseModel):
    """
    How a project stands.

    Attributes:
        metric: the optimizing metric.
        value: its newest value; null before the first evaluation.
        change: from the evaluation before; null without one.
        dropped: whether it fell too far.
        trend: its values, the oldest first; null where an evaluation lacks it.
        evaluation: digest of the newest evaluation.
        alerts: how many things there are to look into.
        bad: how many of those are bad.
        run: the newest run.
        images: images that are there.
        labelled: those of them with labels.
        missing: what could not be read.
        at: when this was gathered, UTC.
    """

    metric: str
    value: float | None = None
    change: float | None = None
    dropped: bool
    trend: list[float | None]
    evaluation: str | None = None
    alerts: int
    bad: int
    run: RunLine | None = None
    images: int
    labelled: int
    missing: list[str]
    at: AwareDatetime


class Queries(BaseModel):
    """
    Saved queries, the log of what was asked, and an answer to the form of the page.
    """

    project: str
    saved: list[SavedRow]
    asked: list[AskedRow]
    more: bool
    offset: int
    limit: int
    metrics: list[str]
    tags: list[str]
    question: Question
    job: JobState | None = None
    answer: When | None = None


class Refused(BaseModel):
    """
    A candidate, and all that stops it.

    Attributes:
        row: the candidate.
        state: ``promoted``, ``ready`` (all passed, or all failures are waived: ``waived``),
            ``refused``, or ``unchecked`` where a check was not run yet.
        failures: checks that stop it, or would without a waiver.
        warnings: checks that only warn.
        missing: checks that were never run on it.
        waivers: what was waived.
        roles: roles that may waive more.
        command: makes a version of it, when nothing stops it.
    """

    row: CandidateRow
    state: Literal['promoted', 'ready', 'waived', 'refused', 'unchecked']
    failures: list[CheckFailure]
    warnings: list[CheckRow]
    missing: list[str]
    waivers: list[WaiverRow]
    roles: list[str]
    command: str
    open: Annotated[
        list[str], Field(description='Names of the checks that stop it still.')
    ]


class RunList(BaseModel):
    """
    Runs of a project, the newest first.

    Attributes:
        state: what they are limited to.
        runs: the runs of this page.
        older: the run after which older ones follow; null where none do.
    """

    state: Literal['all', 'unfinished', 'succeeded', 'failed', 'stopped']
    runs: list[RunRow]
    older: str | None = None


class Shot(BaseModel):
    """
    One image of a strip.

    Attributes:
        image_id: the image.
        path: its path in its source.
        width: pixels; 0 where it is not known.
        height: pixels.
        caption: what is wrong on it, in words.
        boxes: right ones first, so that mistakes are drawn over them.
    """

    image_id: str
    path: str
    width: int
    height: int
    caption: str
    boxes: list[ShotBox]


class Strip(BaseModel):
    """
    Some images with the way to all of them; ``total`` is how many that shows.
    """

    title: str
    words: str
    total: int
    href: str
    shots: list[Shot]


class Candidate(BaseModel):
    """
    A candidate, all that was checked on it, and what stops it.
    """

    project: str
    refused: Refused
    checks: list[CheckRow]
    splits: dict[str, int]
    query: str
    may_waive: bool


class Chart(BaseModel):
    """
    A chart, in the units of its own box.
    """

    title: str
    words: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    rules: list[Rule]


class Compare(BaseModel):
    """
    Two models of a project, compared.

    Attributes:
        models: what can be chosen: the models that were evaluated.
        before: digest of the first; empty when there are no two to compare.
        after: digest of the second.
        job: how far the comparison is; None when none was asked for.
        compared: the comparison, once it is done.
    """

    project: str
    metric: str
    models: list[ModelRow]
    before: str
    after: str
    job: JobState | None = None
    compared: Compared | None = None


class CostPage(BaseModel):
    """
    What a label costs.

    Attributes:
        unit: of the figures per label: the currency, or s where there are no prices.
        ordered_by: time, or image where no times are known.
        lead_times: what was done to the lead times, as a sentence.
        annotators: costs by annotator; none for who may not launch.
        by_person: whether these are told.
    """

    project: str
    unit: str
    currency: str
    every: CostRow | None = None
    chart: Chart | None = None
    step: int
    ordered_by: str
    lead_times: str
    unpriced: list[str]
    points: list[CostRow]
    weeks: list[CostRow]
    batches: list[CostRow]
    roles: list[CostRow]
    annotators: list[CostRow]
    by_person: bool
    prelabels: list[ComparedRow]
    arms: list[ComparedRow]


class Curve(BaseModel):
    """
    How a training went, by epoch.
    """

    metric: str
    epochs: list[dict[str, Any]]
    drops: list[Drop]
    words: str
    validation: Chart | None = None
    loss: Chart


class Dataset(BaseModel):
    """
    One dataset version.
    """

    project: str
    metric: str
    row: VersionRow
    after: str
    others: list[str]
    candidate: CandidateRow | None = None
    classes: list[ClassCounts]
    most: int
    splits: dict[str, int]
    checks: list[CheckRow]
    waivers: list[WaiverRow]
    query: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    ontology: Ontology
    rule: dict[str, Any]
    aggregation: str
    near_duplicates: dict[str, int]
    shortfalls: list[str]
    left_out: int
    bridges: int
    left_out_rows: list[LeftOut]
    corrective: str
    code_version: str
    schema_id: str
    models: list[ModelRow]
    sample: list[str]
    files: list[FileRow]
    exports: list[str]
    problem: str


class Datasets(BaseModel):
    """
    Every dataset version of a project, and what did not become one.
    """

    project: str
    metric: str
    task: str
    versions: list[VersionRow]
    candidates: list[CandidateRow]
    refused: Refused | None = None


class Evaluation(BaseModel):
    """
    What an evaluation says of the image.

    Attributes:
        digest: of the evaluation.
        model: its model.
        dataset: its dataset version.
        split: the split that the image is in there; None where it was not evaluated.
        score: how well the model did on it.
        correct: whether it made no mistake on it.
        truth: true class, for classification.
        predicted: predicted class, for classification.
        marks: what the model got right and wrong.
        labels: labels of then.
        problem: why there is nothing.
    """

    digest: str
    model: str
    dataset: str
    split: str | None = None
    score: float | None = None
    correct: bool | None = None
    truth: str | None = None
    predicted: str | None = None
    marks: list[Mark] | None = []
    labels: list[LabelMark] | None = []
    problem: str | None = ''


class Finding(BaseModel):
    """
    A slice on which the model is worse than elsewhere.

    Attributes:
        rank: from 1, the worst first.
        sentence: all of it in words.
        slice: the slice in words, without the numbers.
        label: class; None for all.
        query: condition that selects its images in any split; empty where only ids say which.
        selection: query for its images in the split that was measured; empty likewise.
        href: address of those.
        shots: some of them that the model gets wrong.
    """

    rank: int
    sentence: str
    slice: str
    label: str | None = None
    metric: str
    value: float
    low: float
    high: float
    rest: float
    adjusted_p: float
    images: int
    objects: int
    missed: int
    taken_for: str | None = None
    taken_for_count: int
    query: str
    selection: str
    href: str
    shots: list[Shot]


class Gate(BaseModel):
    """
    Whether volume work may start.
    """

    may_start: bool
    enforced: bool
    parts: list[GatePart]
    gold: list[GoldRow]
    pilots: list[PilotRow]


class GridItem(BaseModel):
    """
    One image of the grid.

    Attributes:
        id: the image.
        path: its path in its source.
        width: pixels.
        height: pixels.
        taken_out: whether its pixels are gone for good.
        marks: what is drawn over it.
        score: how well the model did on it, 0 to 1; None without an evaluation.
        correct: whether the model made no mistake on it, likewise.
        truth: true class, for classification.
        predicted: predicted class, for classification.
    """

    id: str
    path: str
    width: int
    height: int
    taken_out: bool | None = False
    marks: list[Mark] | None = []
    score: float | None = None
    correct: bool | None = None
    truth: str | None = None
    predicted: str | None = None


class GridPage(BaseModel):
    """
    The grid of images.

    Attributes:
        project: name of the project.
        state: what is shown: query, evaluation, class, kind, order, model and epoch.
        canonical: the query in its canonical text form.
        total: images that it has.
        taken_out: images that it would have besides, had they not been taken out.
        taken_out_query: the query for those; empty where there are none.
        start: position of the first of ``items``.
        items: the first images from there.
        aspect: width of a cell to its height.
        labels: classes of the project, in their order.
        focus: classes that the images are filtered by: others are not drawn.
        evaluation: the evaluation; None without one.
        moment: as of when the lake was asked, in words; empty for now.
        among: the images that are named as a whole, in words; empty where none are.
        problem: why there is nothing to show; None when there is something.
    """

    project: str
    state: dict[str, str | int]
    canonical: str | None = ''
    total: int | None = 0
    taken_out: int | None = 0
    taken_out_query: str | None = ''
    start: int | None = 0
    items: list[GridItem] | None = []
    aspect: float | None = 1.0
    labels: list[str] | None = []
    focus: list[str] | None = []
    evaluation: EvaluationHead | None = None
    moment: str | None = ''
    among: str | None = ''
    problem: Problem | None = None


class GridRows(BaseModel):
    """
    A stretch of the grid.
    """

    total: int
    start: int
    items: list[GridItem]


class ImagePage(BaseModel):
    """
    One image.

    Attributes:
        project: name of the project.
        id: the image.
        path: its path in its source.
        width: pixels.
        height: pixels.
        state: the query and so on that it was opened from.
        place: its place there.
        facts: what it is.
        metadata: its metadata.
        tags: its tags.
        labels: its labels as they are now, of every annotator.
        then: its labels in the earlier state of the address; None without one.
        prelabels: what models suggested to annotators on it, the newest first.
        classes: classes of the project, in their order.
        evaluation: what the evaluation of the address says; None without one.
        models: models that can be compared; the chosen ones with what they say.
        gone: when it was taken out; None while it is there.
        blind: whether labels and predictions are kept from whoever looks, so that they judge
            for themselves.
    """

    project: str
    id: str
    path: str
    width: int
    height: int
    state: dict[str, str | int]
    place: Place
    facts: list[Fact]
    metadata: list[Fact]
    tags: list[Fact]
    labels: list[LabelMark]
    then: LabelsThen | None = None
    prelabels: list[Prelabelled]
    classes: list[str]
    evaluation: Evaluation | None = None
    models: list[ModelSaid]
    gone: Gone | None = None
    blind: bool


class InvestigationList(BaseModel):
    """
    The newest investigations, and what they took over time.

    Attributes:
        investigations: the newest first.
        idle: how many are not listed, for nothing was done in them.
        trend: seconds until images and run were there, oldest first; null without any.
        images_s: median of the seconds until the images.
        images_clicks: median of the clicks until then.
        run_s: median of the seconds until the run.
        run_clicks: median of the clicks until then.
        measured: how many came to images.
        claimed_switch_minutes: what a switch of tools is said to cost; not measured here.
        claimed_context_minutes: what the lost context is said to cost; not measured here.
    """

    investigations: list[InvestigationLine]
    idle: int
    trend: Chart | None = None
    images_s: float | None = None
    images_clicks: float | None = None
    run_s: float | None = None
    run_clicks: float | None = None
    measured: int
    claimed_switch_minutes: int
    claimed_context_minutes: int


class Model(BaseModel):
    """
    One model, with all that is known of it.
    """

    project: str
    metric: str
    row: ModelRow
    evaluations: list[Evaluated]
    children: list[str]
    others: list[str]
    curve: Curve | None = None
    parameters: dict[str, str]
    hardware: dict[str, str]
    labels: list[str]
    weights: int | None = None
    bytes: int | None = None
    costs: dict[str, float]
    peak_memory: float | None = None
    normalised_on: int | None = None
    train_images: int | None = None
    corrective: CorrectiveFacts | None = None
    taken_out: list[str]
    mlflow: str
    code_version: str
    reused: bool


class OverviewPage(BaseModel):
    """
    A project on one page.
    """

    project: str
    metric: str
    problem: str
    job: JobState
    at: AwareDatetime | None = None
    total: int
    bytes: int
    states: list[CountedRow]
    classes: list[Group]
    annotators: list[Group]
    growth: list[dict[str, Any]]
    chart: Chart | None = None
    quarantined: dict[str, int]
    queue: QueueModel | None = None
    versions: list[VersionRow]
    versions_total: int
    ingested_since: dict[str, int]
    models: list[ModelRow]
    models_total: int


class OwnAccount(BaseModel):
    """
    Somebody's own account.
    """

    name: str
    roles: dict[str, Role]
    has_password: bool
    second_factor: bool
    recovery_codes: int
    sessions: list[OwnSession]
    tokens: list[OwnToken]
    scopes: list[Permission]
    projects: list[str]
    shortest: int | None = 12


class People(BaseModel):
    """
    The accounts, what roles there are and where they can be given.
    """

    people: list[Person]
    roles: list[RoleShown]
    projects: list[str]
    shortest: int | None = 12


class ProjectCard(BaseModel):
    """
    A project on the first page.

    Attributes:
        problem_with_it: why it cannot be shown; what its file says is told to its admins only.
        state: how it stands; null while that is gathered, and for who may not view it.
    """

    name: str
    role: str
    task: str | None = ''
    problem: str | None = ''
    problem_with_it: str | None = ''
    state: ProjectState | None = None


class RunPage(BaseModel):
    """
    What the page of a run shows.
    """

    run: RunLine
    seconds: float | None = None
    share: float
    progress: Progress
    loss: Chart | None = None
    validation: Chart | None = None
    declared: Declared | None = None
    made: list[Made]
    outcome: Outcome | None = None
    next: list[Next]
    investigations: list[InvestigationLink]
    may_stop: bool
    down: list[PartDown]
    dagster: str


class Board(BaseModel):
    """
    What the board shows.
    """

    problem: str
    task: str
    metric: str
    by: Literal['version', 'time']
    evaluations: int
    newest: str | None = None
    newest_at: AwareDatetime | None = None
    metrics: list[Metric]
    main: Chart | None = None
    others: list[Chart]
    training: Chart | None = None
    slices: list[SliceNow]
    alerts: list[Alert]
    sides: list[Side]
    same_model: bool
    decision: str
    in_progress: list[RunLine]
    latest_runs: list[RunLine]
    images: int
    labelled: int
    down: list[PartDown]
    missing: list[str]


class EvaluationPage(BaseModel):
    """
    What the page of an evaluation shows; ``missing`` says what of it cannot be read now.
    """

    digest: str
    task: str
    at: AwareDatetime
    metric: str
    split: str
    images: int
    objects: int
    operating_point: float | None = None
    headline: list[Headline]
    origin: Origin
    findings: list[Finding]
    slices: list[SliceRow]
    classes: list[ClassResult]
    errors: list[ErrorRow]
    confusion: Confusion | None = None
    precision_recall: Chart | None = None
    reliability: Chart | None = None
    calibration: list[str]
    training: Chart | None = None
    gap: list[str]
    gap_errors: list[SplitError]
    suspicions: list[Suspicion]
    verdict: Verdict
    strips: list[Strip]
    label_errors: list[LabelError]
    before: Before | None = None
    judgement: dict[str, Any] | None = None
    missing: list[str]
    notes: list[str]
    all_images: str
    newest: bool


class Found(BaseModel):
    """
    What is worked out in the background.
    """

    labels: Labels
    versions: list[OntologyVersion]
    gate: Gate


class Home(BaseModel):
    """
    The projects that somebody has a role in.
    """

    projects: list[ProjectCard]


class OntologyPage(BaseModel):
    """
    Classes and attributes with their labels, versions, guideline and gate.
    """

    project: str
    version: str
    guideline_version: str
    problems: list[MissingRow]
    guidelines: list[GuidelineText]
    to_relabel: str
    job: JobState
    found: Found | None = None


Item.model_rebuild()
