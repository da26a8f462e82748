from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import QueryNode, compile_query, parse
from cv_pipeline.catalog.query.checks import (
    MAX_DEPTH,
    MAX_IMAGES,
    MAX_ORDER,
    MAX_TESTS,
    MAX_TEXT,
)
from cv_pipeline.catalog.query.nodes import (
    And,
    Comparison,
    Errors,
    Field,
    Membership,
    Not,
    Order,
    Presence,
    Rows,
    Sample,
)
from cv_pipeline.errors import QueryError


def equal(name: str, value: object, key: str | None = None) -> Comparison:
    return Comparison(Field(name, key), "=", value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (
            "tags_count = 0 and metadata.scene = 'outdoor' and date_range = '2025-Q4'",
            QueryNode(
                And(
                    (
                        equal("tags_count", 0),
                        equal("metadata", "outdoor", "scene"),
                        equal("date_range", "2025-Q4"),
                    )
                )
            ),
        ),
        (
            "label = 'lemon' and not tag in ('reviewed', 'gold') and brightness < 0.3",
            QueryNode(
                And(
                    (
                        equal("label", "lemon"),
                        Not(Membership(Field("tag"), ("reviewed", "gold"))),
                        Comparison(Field("brightness"), "<", 0.3),
                    )
                )
            ),
        ),
        (
            "annotations(label = 'kiwi' and box_width < 20 and attribute.occluded = true) >= 2",
            QueryNode(
                Comparison(
                    Rows(
                        "annotations",
                        condition=And(
                            (
                                equal("label", "kiwi"),
                                Comparison(Field("box_width"), "<", 20),
                                equal("attribute", True, "occluded"),
                            )
                        ),
                    ),
                    ">=",
                    2,
                )
            ),
        ),
        (
            "disagreement > 0 and metadata.patient is set",
            QueryNode(
                And(
                    (
                        Comparison(Field("disagreement"), ">", 0),
                        Presence(Field("metadata", "patient")),
                    )
                )
            ),
        ),
        (
            "errors('fruit@latest', kind = 'false_negative')",
            QueryNode(Comparison(Errors("fruit@latest", "false_negative"), ">=", 1)),
        ),
        (
            "predictions('fruit@1a2b3c4d', label = 'tomato' and score > 0.5) >= 1",
            QueryNode(
                Comparison(
                    Rows(
                        "predictions",
                        "fruit@1a2b3c4d",
                        And((equal("label", "tomato"), Comparison(Field("score"), ">", 0.5))),
                    ),
                    ">=",
                    1,
                )
            ),
        ),
        (
            "dataset('fruit@latest', split = 'test')",
            QueryNode(Comparison(Rows("dataset", "fruit@latest", equal("split", "test")), ">=", 1)),
        ),
        ("batch = 'b' and image = '1a2b3c4d'", None),
        (
            "similarity('belt_1/001.jpg') > 0.9 order by similarity('belt_1/001.jpg') desc limit 9",
            QueryNode(
                Comparison(Field("similarity", "belt_1/001.jpg"), ">", 0.9),
                order_by=(Order(Field("similarity", "belt_1/001.jpg"), descending=True),),
                limit=9,
            ),
        ),
        (
            "width >= 640 sample 200 by metadata.scene seed 7",
            QueryNode(
                Comparison(Field("width"), ">=", 640),
                sample=Sample(200, by=Field("metadata", "scene"), seed=7),
            ),
        ),
        (
            "results('fruit@latest', correct = false) order by results('fruit@latest').score",
            QueryNode(
                Comparison(Rows("results", "fruit@latest", equal("correct", False)), ">=", 1),
                order_by=(Order(Field("results.score", "fruit@latest")),),
            ),
        ),
    ],
)
def test_examples(text: str, query: QueryNode | None) -> None:
    assert query in (None, parse(text))
    compile_query(parse(text))


MISTAKES = [
    # text, the place that is shown, what is said about it
    ("widht > 5", "widht", r"no field 'widht'[\s\S]*Did you mean 'width'"),
    ("scene = 'yard'", "scene", r"A metadata key is written metadata\.scene"),
    ("width > 5 and widht > 5", "widht", "no field 'widht'"),
    ("score > 0.5", "score", r"only within predictions\(…\) or results\(…\)"),
    ("annotation(label = 'x')", "annotation", "Did you mean 'annotations'"),
    ("annotations(lable = 'x')", "lable", r"within annotations\(…\)[\s\S]*'label'"),
    ("annotations(width > 5)", "width", "one of the image[\\s\\S]*outside the brackets"),
    ("annotations(score > 5)", "score", r"only within predictions\(…\)"),
    ("annotations >= 2", "annotations", r"followed by brackets[\s\S]*Write annotations\(label"),
    ("annotations('m') >= 2", "annotations", "takes a condition, no reference"),
    ("annotations(label = 'x', 'y')", "'y'", "Text alone is no condition"),
    ("annotations(annotations()) > 1", "annotations()) > 1", "no field 'annotations' within"),
    ("annotations() is set", "annotations()", r"always known[\s\S]*annotations\(…\) = 0 for none"),
    ("predictions(score > 1)", "predictions", r"of which model[\s\S]*Write predictions\('fruit"),
    ("dataset(split = 'test')", "dataset", "of which version"),
    ("dataset > 'x'", "dataset", "names versions"),
    ("dataset = 5", "5", "Expected a reference in quotes"),
    ("errors('m', kind = 'wrong')", "errors", "no kind of error[\\s\\S]*false_negative"),
    ("errors('m', kind != 'any')", "errors", "only one kind"),
    ("errors('m', score = 1)", "score", "no field 'score' within errors"),
    ("similarity > 3", "similarity", r"which[\s\S]*Write similarity\('belt/001.jpg'\)"),
    ("similarity('') > 3", "similarity", "of which image: its name is empty"),
    ("similarity('x', label = 'y') > 3", "similarity", "not followed by such brackets"),
    ("width('x') > 3", "width", "not followed by such brackets"),
    ("width.x > 3", "width.x", "width is one field"),
    ("dataset('d').score > 1", "dataset", "Only the results of a model"),
    ("results('m').scor > 1", "scor", "Did you mean 'score'"),
    ("metadata = 'x'", "metadata", "stands for many fields"),
    ("metadata.x = true", "true", r"metadata\.x is text, or a number[\s\S]*in quotes: 'true'"),
    ("width", "width", "does not say what it should be"),
    ("width = 'x'", "'x'", "width is a number, and cannot be compared with 'x'"),
    ("batch = 5", "5", "batch is text[\\s\\S]*in quotes: '5'"),
    ("labelled = 1", "1", "true or false, and cannot be compared with 1"),
    ("labelled > true", "true", "no order"),
    ("image < 'x'", "'x'", "no order"),
    ("tag != 'x'", "'x'", "several of tag, so != is not clear[\\s\\S]*not tag = …"),
    ("tag between 'a' and 'b'", "'b'", "several of tag, so between"),
    ("width all (1, 2)", "width", r"one width[\s\S]*width in \(…\)"),
    ("width between 5 and 3", "3", "Nothing is between 5 and 3"),
    ("metadata.x between 5 and 'a'", "'a'", "of two kinds"),
    ("annotations(attribute.x > true)", "true", "no order"),
    ("width starts with 'a'", "'a'", "width is a number"),
    ("date_range starts with '2025'", "'2025'", "Only text starts with text, and date_range"),
    ("metadata.x starts with 5", "5", "Only text starts with text"),
    ("path starts 'x'", "'x'", "Expected with, found"),
    ("date_range = '2025-13'", "'2025-13'", "month must be in 1..12[\\s\\S]*Accepted forms"),
    ("date_range = 20251", "20251", "a date, and cannot be compared with 20251"),
    ("date_range > '2025/2026'", "'2025/2026'", "an interval, which nothing comes before"),
    ("date_range between '2026' and '2025'", "'2025'", "Nothing is between '2026' and '2025'"),
    ("width > 1e999", "1e999", "too large"),
    ("width > 9007199254740993", "9007199254740993", "too large"),
    ("width > " + "9" * 5000, "9" * 5000, "too large"),
    ("limit 0", "0", "from 1 on, not 0"),
    ("limit -5", "-5", "from 1 on, not -5"),
    ("limit 1.5", "1.5", "from 1 on, not 1.5"),
    ("sample 0", "0", "size of a sample must be a whole number from 1"),
    ("sample 1 seed -1", "-1", "seed must be a whole number from 0"),
    ("sample 1 by tag", "tag", "several of tag"),
    ("order by label", "label", "several of label"),
    ("tag = 'x", "'x", "quote is not closed"),
    ("width $ 5", "$", "means nothing here"),
    ("width > ", "", "Expected text in quotes, a number, true or false, found the end"),
    ("width > 5 height", "height", "Expected and, or, sample, order by, limit or the end"),
    ("where width > 5", "where", "Expected a field, found 'where'"),
    ("and width > 5", "and", "Expected a field, found 'and'"),
    ("width is null", "null", "Expected set or not, found 'null'"),
    ("width in 5", "5", r"Expected '\(', found '5'"),
    ("limit 5 sample 3", "sample", "Expected the end, found 'sample'"),
]


@pytest.mark.parametrize(("text", "place", "message"), MISTAKES)
def test_a_mistake_is_shown_where_it_is(text: str, place: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        parse(text)
    shown, caret = caught.value.what.splitlines()[-2:]
    column = caret.index("^")
    assert caret.strip() == "^"
    assert text.endswith(place) if not place else shown[column:].startswith(place[:50])


def test_the_line_of_a_mistake_is_shown_and_no_other() -> None:
    with pytest.raises(QueryError) as caught:
        parse("width > 5\n\tand widht > 5\nand height > 5")
    assert caught.value.what == ("There is no field 'widht'.\n     and widht > 5\n         ^\n")


def test_of_a_long_line_only_the_surroundings_are_shown() -> None:
    with pytest.raises(QueryError) as caught:
        parse("width > 5 and " * 100 + "widht > 5" + " and width > 5" * 100)
    shown, caret = caught.value.what.splitlines()[1:]
    assert len(shown) < 140
    assert shown[caret.index("^") :].startswith("widht > 5 and")
    assert shown.strip().startswith("…")
    assert shown.endswith("…")


def test_what_is_nested_too_deeply() -> None:
    compile_query(parse("not " * (MAX_DEPTH - 1) + "labelled"))
    parse("(" * 5000 + "labelled" + ")" * 5000)
    for text in (
        "not " * 5000 + "labelled",
        "(width > 1 and (height > 1 or " * 100 + "labelled" + "))" * 100,
        f"annotations({'not ' * MAX_DEPTH} box_width > 1)",
    ):
        with pytest.raises(QueryError, match="more than 100 levels deep"):
            parse(text)
    deep = Comparison(Field("width"), "=", 1)
    for _ in range(5000):
        deep = Not(deep)  # type: ignore[assignment]
    with pytest.raises(QueryError, match="more than 100 levels deep"):
        compile_query(QueryNode(deep))


def test_what_is_too_long() -> None:
    listed = "tag in (" + "'x', " * 10_000 + ")"
    assert len(compile_query(parse(listed)).parameters) == 10_000
    with pytest.raises(QueryError, match=f"bytes long, of {MAX_TEXT:,} at most"):
        parse("é" * (MAX_TEXT // 2) + "é")
    query = QueryNode(Membership(Field("tag"), tuple("é" * 100 for _ in range(1000))))
    with pytest.raises(QueryError, match="bytes long as text, of 65,536 at most"):
        compile_query(query)


def test_what_compares_too_much() -> None:
    names = [f"'{n:08x}'" for n in range(MAX_IMAGES + 1)]
    parse(f"image in ({', '.join(names[:-1])})")
    with pytest.raises(QueryError, match="1,001 images, of 1,000 at most"):
        parse(f"width > 1 or image in ({', '.join(names)})")
    keys = [f"metadata.k{n}" for n in range(MAX_ORDER + 1)]
    parse(f"all images order by {', '.join(keys[:-1])}")
    with pytest.raises(QueryError, match="ordered by 21 keys, of 20 at most"):
        parse(f"all images order by {', '.join(keys)}")
    parse(" or ".join(["tag = 'x'"] * MAX_TESTS))
    with pytest.raises(QueryError, match=r"4,000 comparisons, of 100 at most.*in \(…\)"):
        parse(" or ".join(["tag = 'x'"] * 4000))
    within = ", ".join(["label = 'x'"] * MAX_TESTS)
    with pytest.raises(QueryError, match="101 comparisons"):
        parse(f"annotations({within}) > 1")


@pytest.mark.parametrize("text", ["width > 5\0", "tag = '\0'", "tag = '\ud800'"])
def test_characters_that_no_query_has(text: str) -> None:
    with pytest.raises(QueryError, match=r"NUL character|valid Unicode"):
        parse(text)
    value = text[-2:-1] if text.endswith("'") else "\0"
    with pytest.raises(QueryError, match=r"NUL character|valid Unicode"):
        compile_query(QueryNode(equal("tag", value)))
    with pytest.raises(QueryError, match=r"NUL character|valid Unicode"):
        compile_query(QueryNode(Presence(Field("metadata", value))))


PIECES = [
    *("width", "widht", "tag", "label", "metadata", "image", "score", "kind"),
    *("annotations", "predictions", "errors", "similarity", "dataset", "results"),
    *("and", "or", "not", "in", "is", "set", "between", "any", "none", "all", "images"),
    *("order", "by", "asc", "desc", "limit", "sample", "seed", "true", "false"),
    *("(", ")", "[", "]", ",", ".", "=", "!=", "<", ">=", "'", "$", "\n"),
    *("'x'", '"y"', "'m'", "5", "-1", "0.5", "1e9"),
]


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text(max_size=40))
def test_whatever_the_text_it_is_a_query_or_an_error(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as mistake:
        found = mistake.what
        assert "\n    " in found, "it shows the text"
    else:
        compile_query(query)
