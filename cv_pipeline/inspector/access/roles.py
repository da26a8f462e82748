"""Roles, and what each may do.

An annotator is not a lesser viewer: an annotator sees only the images that are assigned to them.
"""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a route needs."""

    PUBLIC = "public"
    """Nothing: signing in, styles, health."""
    SIGNED_IN = "signed-in"
    """An account, whatever its roles: the list of one's projects."""
    ACCOUNT = "account"
    """One's own account: its password, sessions and tokens. It takes a session: a token that could
    make tokens would outlive itself."""
    ASSIGNED = "assigned"
    """To see images that are assigned to one, or any image for those who may view all."""
    VIEW = "view"
    """To see everything of a project."""
    COMMENT = "comment"
    """To keep investigations and queries and to comment on them."""
    REVIEW = "review"
    """To judge labels and predictions, tag images and set them aside."""
    LAUNCH = "launch"
    """To launch runs."""
    WAIVE = "waive"
    """To waive a failed gate, where the project's ``access.waiver_roles`` has the role as well."""
    ADMINISTER = "administer"
    """To give roles, take images out and read the audit log."""


class Role(StrEnum):
    """What somebody is in a project."""

    VIEWER = "viewer"
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ENGINEER = "engineer"
    ADMIN = "admin"


_VIEWER = frozenset({Permission.ASSIGNED, Permission.VIEW, Permission.COMMENT})
_REVIEWER = _VIEWER | {Permission.REVIEW, Permission.WAIVE}
_ENGINEER = _REVIEWER | {Permission.LAUNCH}
_ADMIN = _ENGINEER | {Permission.ADMINISTER}

ALLOWED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.ANNOTATOR: frozenset({Permission.ASSIGNED}),
    Role.REVIEWER: _REVIEWER,
    Role.ENGINEER: _ENGINEER,
    Role.ADMIN: _ADMIN,
}
"""What each role may do in its project, beside what needs no role."""

EVERY_PROJECT = "*"
"""In place of a project's name: a role in all of them, those to come included."""

IN_WORDS = {
    Permission.ASSIGNED: "See images that are assigned to you.",
    Permission.VIEW: "See everything of a project: metrics, images, labels, runs. Changes nothing.",
    Permission.COMMENT: "Keep investigations and saved queries, and comment on them.",
    Permission.REVIEW: "Judge labels, tag images, set them aside and assign them.",
    Permission.LAUNCH: "Launch and stop runs, which cost computing time.",
    Permission.WAIVE: "Waive a failed gate, where the project lets your role.",
    Permission.ADMINISTER: "Give roles, take images out for good, read the audit log.",
}
"""What each permission that a token can be limited to lets it do."""

SCOPES = tuple(
    permission
    for permission in Permission
    if permission not in (Permission.PUBLIC, Permission.SIGNED_IN, Permission.ACCOUNT)
)
"""Permissions that a token can be limited to."""
