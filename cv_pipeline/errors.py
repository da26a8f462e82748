"""Every error that a user can meet.

Each says what happened, to which thing, and what to do next.

    CVPipelineError
    ├── SettingsError            the environment is not set up
    ├── ProjectError             a project.yaml is wrong
    ├── SourceError              where data come from cannot be read
    ├── StorageError
    │   ├── ObjectNotFound       a key is not in the object store
    │   ├── ObjectCorrupt        bytes do not hash to their name
    │   └── ObjectTakenOut       an image was taken out, and its pixels are gone
    ├── CatalogError             a Lance table is missing, or was compacted away
    │   └── QueryError           a query cannot be understood
    ├── ImageError               one file is not a usable image
    ├── AnnotationError          an annotation export cannot be read at all
    ├── LabelingError            work in the annotation tool cannot be planned or done like that
    │   ├── ToolUnavailable      the tool does not answer, or not as it should
    │   ├── ToolDenied           the tool does not accept the token, or not for this
    │   └── PushRefused          a batch may not be pushed yet
    ├── OntologyError            a version of the ontology or guideline is not what it was
    ├── DatasetError             a dataset version cannot be built or found
    │   ├── GateRefused          its candidate has no passing verdict
    │   └── WaiverRefused        failed checks cannot be waived like that
    ├── TrainingError            a training or prediction process failed
    ├── PluginError              a plug-in is not there, or does not keep to its interface
    ├── CorrectiveError          a corrective run cannot be declared or launched
    ├── EvaluationError          predictions and ground truth do not fit together
    └── ProvenanceError          a reference cannot be resolved in the event log
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CVPipelineError(Exception):
    """Base of every error of this project: a sentence, and the next thing to do.

    Args:
        what: what happened, and to which thing, as one sentence.
        do: what to do next: a command to type or a thing to change.
    """

    def __init__(self, what: str, *, do: str = "") -> None:
        self.what = what
        self.do = do
        super().__init__(f"{what} {do}".strip())


class SettingsError(CVPipelineError):
    """The environment is not set up for this command."""


class ProjectError(CVPipelineError):
    """A ``project.yaml`` is missing, unreadable or does not validate."""


class SourceError(CVPipelineError):
    """A folder, bucket, archive or file that a project names cannot be read."""


class StorageError(CVPipelineError):
    """The object store failed."""


class ObjectNotFound(StorageError):
    """A key is not in the object store."""


class ObjectCorrupt(StorageError):
    """Stored bytes do not hash to the name that they are stored under."""


class ObjectTakenOut(StorageError):
    """An image was taken out on request: its pixels are gone, and a tombstone says why."""


class CatalogError(CVPipelineError):
    """A catalogue table is missing, or a version of it no longer exists."""


class QueryError(CatalogError):
    """A query of the datalake cannot be understood; the message shows where."""


class ImageError(CVPipelineError):
    """One file is not a usable image; the caller quarantines it and goes on.

    Args:
        what: what is wrong with the file, as one sentence.
        reason: machine-readable kind, such as ``corrupt_image``.
    """

    def __init__(self, what: str, *, reason: str, do: str = "") -> None:
        self.reason = reason
        super().__init__(what, do=do)


class AnnotationError(CVPipelineError):
    """An annotation export cannot be read at all; bad rows are quarantined instead."""


class LabelingError(CVPipelineError):
    """Work in the annotation tool cannot be planned, or cannot be done like that."""


class ToolUnavailable(LabelingError):
    """The annotation tool does not answer, or not as it should; trying again may help."""


class ToolDenied(LabelingError):
    """The annotation tool does not accept the token, or not for this."""


class PushRefused(LabelingError):
    """A batch may not be pushed yet; the message names everything that is missing."""


class OntologyError(CVPipelineError):
    """Classes or a guideline changed under a version that labels were made under."""


class DatasetError(CVPipelineError):
    """A dataset version cannot be built, found or verified."""


class GateRefused(DatasetError):
    """A dataset version was refused: its candidate has no passing verdict."""


class WaiverRefused(DatasetError):
    """Failed checks of a candidate cannot be waived: not by that role, or not in that way."""


class TrainingError(CVPipelineError):
    """A training or prediction process failed."""


class PluginError(CVPipelineError):
    """A plug-in is not installed, failed, or gave what its interface does not allow."""


class CorrectiveError(CVPipelineError):
    """A corrective run cannot be declared, found or launched."""


class EvaluationError(CVPipelineError):
    """Predictions and ground truth cannot be evaluated together."""


class ProvenanceError(CVPipelineError):
    """A reference is unknown, ambiguous, or its record is not in the event log."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a phrase that names the nearest known names, for an error message."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(repr(c) for c in close) + "?"
    if not options:
        return "None are known."
    shown = ", ".join(options[:12]) + (", …" if len(options) > 12 else "")
    return f"Known: {shown}."
