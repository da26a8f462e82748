"""The expectations that ``project.yaml`` may declare on its tables, with their arguments.

Names and arguments are Great Expectations' own, repeated here because the library is too heavy to
import where a project is loaded; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cv_pipeline.errors import nearest

TABLE_NAMES = ("images", "annotations", "metadata", "near_duplicates")
"""Tables of a dataset candidate; of images also each metadata key, as ``metadata.KEY``."""

Kinds = Mapping[str, str]
"""Argument to the kind of its value; required ones end with ``!``."""

_BOUNDS = {"min_value": "bound", "max_value": "bound"}
_RANGE = {**_BOUNDS, "strict_min": "flag", "strict_max": "flag"}
_MOSTLY = {"mostly": "share"}
_PAIR = {"column_A": "column!", "column_B": "column!", **_MOSTLY, "ignore_row_if": "text"}
_SEVERAL = {"column_list": "columns!", **_MOSTLY, "ignore_row_if": "text"}


def _of_column(*names: str, **arguments: str) -> dict[str, Kinds]:
    return {f"expect_column_{name}": {"column": "column!", **arguments} for name in names}


EXPECTATIONS: Mapping[str, Kinds] = MappingProxyType(
    {
        **_of_column("to_exist"),
        **_of_column(
            "values_to_be_json_parseable",
            "values_to_be_null",
            "values_to_be_unique",
            "values_to_not_be_null",
            **_MOSTLY,
        ),
        **_of_column("value_lengths_to_be_between", "values_to_be_between", **_RANGE, **_MOSTLY),
        **_of_column("value_lengths_to_equal", value="number!", **_MOSTLY),
        **_of_column(
            "values_to_be_in_set", "values_to_not_be_in_set", value_set="list!", **_MOSTLY
        ),
        **_of_column(
            "values_to_match_regex", "values_to_not_match_regex", regex="text!", **_MOSTLY
        ),
        **_of_column(
            "value_z_scores_to_be_less_than",
            threshold="number!",
            double_sided="flag!",
            **_MOSTLY,
        ),
        **_of_column(
            "max_to_be_between",
            "mean_to_be_between",
            "median_to_be_between",
            "min_to_be_between",
            "proportion_of_non_null_values_to_be_between",
            "proportion_of_unique_values_to_be_between",
            "stdev_to_be_between",
            "sum_to_be_between",
            "unique_value_count_to_be_between",
            **_RANGE,
        ),
        **_of_column(
            "distinct_values_to_be_in_set",
            "distinct_values_to_contain_set",
            "distinct_values_to_equal_set",
            value_set="list!",
        ),
        **_of_column("most_common_value_to_be_in_set", value_set="list!", ties_okay="flag"),
        "expect_column_pair_values_a_to_be_greater_than_b": {**_PAIR, "or_equal": "flag"},
        "expect_column_pair_values_to_be_equal": _PAIR,
        "expect_column_pair_values_to_be_in_set": {**_PAIR, "value_pairs_set": "list!"},
        "expect_compound_columns_to_be_unique": _SEVERAL,
        "expect_multicolumn_sum_to_equal": {**_SEVERAL, "sum_total": "number!"},
        "expect_select_column_values_to_be_unique_within_record": _SEVERAL,
        "expect_table_row_count_to_be_between": _RANGE,
        "expect_table_row_count_to_equal": {"value": "number!"},
    }
)


def argument_mistakes(name: str, arguments: Mapping[str, object]) -> list[str]:
    """What is wrong with the arguments of an expectation, in words; empty when nothing is.

    Args:
        name: one of :data:`EXPECTATIONS`.
        arguments: its arguments, ``column`` among them.
    """
    kinds = EXPECTATIONS[name]
    found = [
        f"{name} has no argument {given!r}. {nearest(given, kinds)}"
        for given in arguments
        if given not in kinds
    ]
    found += [
        f"{name} needs {argument}"
        for argument, kind in kinds.items()
        if kind.endswith("!") and argument not in arguments
    ]
    found += [
        f"{argument} of {name} must be {_KINDS[kind]}, not {arguments[argument]!r}"
        for argument, kind in ((a, k.rstrip("!")) for a, k in kinds.items())
        if argument in arguments and not _fits(arguments[argument], kind)
    ]
    if not found and {"min_value", "max_value"} <= set(kinds):
        bounds = [b for b in ("min_value", "max_value") if arguments.get(b) is not None]
        if not bounds:
            found.append(f"{name} needs min_value or max_value")
    return found


def columns_of(name: str, arguments: Mapping[str, object]) -> list[str]:
    """The columns that an expectation looks at."""
    found: list[str] = []
    for argument, kind in EXPECTATIONS[name].items():
        given = arguments.get(argument)
        if kind == "column!":
            found.append(str(given))
        elif kind == "columns!" and isinstance(given, list | tuple):
            found += map(str, given)
    return found


_KINDS = {
    "bound": "a number or a date",
    "column": "the name of a column",
    "columns": "a list of columns",
    "flag": "true or false",
    "list": "a list",
    "number": "a number",
    "share": "a share between 0 and 1",
    "text": "a text",
}


def _fits(value: object, kind: str) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "bound":
        return is_number or isinstance(value, str)
    if kind == "share":
        return is_number and 0 <= float(str(value)) <= 1
    if kind == "columns":
        return isinstance(value, list) and len(value) > 1 and all(isinstance(v, str) for v in value)
    kinds: dict[str, type | tuple[type, ...]] = {"column": str, "text": str, "flag": bool}
    if kind == "list":
        return isinstance(value, list) and bool(value)
    return is_number if kind == "number" else isinstance(value, kinds[kind])
