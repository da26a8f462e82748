"""A YAML file of settings: its values as plain Python, and the line that each comes from.

Whatever the file holds, reading it gives the values or a :class:`ProjectError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from cv_pipeline.errors import ProjectError


@dataclass(frozen=True)
class YAMLFile:
    """What a YAML file holds.

    Attributes:
        values: its mapping, of plain dicts, lists, text, numbers, booleans and None.
        nodes: the same as ruamel.yaml keeps it, with lines.
    """

    values: dict[str, Any]
    nodes: CommentedMap

    def line(self, keys: Sequence[str | int]) -> int:
        """1-based line of the deepest of nested ``keys`` that the file has."""
        node, line = self.nodes, 1
        for key in keys:
            if isinstance(node, CommentedMap) and key in node:
                line = node.lc.key(key)[0] + 1
            elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
                line = node.lc.item(key)[0] + 1
            else:
                break
            node = node[key]
        return line


def parse_yaml(text: str, path: Path) -> YAMLFile:
    """Parse the text of a file.

    Args:
        text: what it holds.
        path: the file, to name it in errors.

    Raises:
        ProjectError: it is not YAML, or no mapping of keys; the line is named where it is known.
    """
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        nodes = yaml.load(text)
        values = _plain(nodes)
    except ReaderError as error:
        # the reader knows where in the text it is, but not in which line
        line = text.count("\n", 0, error.position) + 1
        raise ProjectError(
            f"{path}, line {line}: not valid YAML: it has the control character"
            f" U+{error.character:04X}.",
            do="Remove that character.",
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise ProjectError(
            f"{path}{where}: not valid YAML: {error.problem}.", do="Mend that line."
        ) from error
    except (YAMLError, ValueError, TypeError, LookupError, RecursionError) as error:
        # from making a value, such as !!int x, which does not know where it is
        raise ProjectError(
            f"{path}: not valid YAML: {error}.", do="Write every value as plain text or a number."
        ) from error
    if not isinstance(nodes, CommentedMap):
        raise ProjectError(f"{path}: expected a mapping of keys, found {type(nodes).__name__}.")
    return YAMLFile(values, nodes)


class _Constructor(RoundTripConstructor):
    """Leaves dates the text that they are: validation says what is wrong with 2025-13-01."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_yaml_str)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    return str(value)
