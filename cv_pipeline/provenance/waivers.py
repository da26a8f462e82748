"""Waivers of failed checks, recorded in Dagster's event log beside the candidate that they are of.

A waiver is an observation of the candidate's asset, signed with a key that lies in ``CV_HOME``: the
webserver of Dagster lets anybody report an observation, and one without the signature is none.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dagster import AssetKey, AssetObservation, DagsterInstance
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from pydantic import ValidationError

from cv_pipeline.datasets.waiver import Waiver
from cv_pipeline.errors import WaiverRefused, nearest
from cv_pipeline.provenance.event_log import Materialization, observations
from cv_pipeline.provenance.verdicts import CheckResult
from cv_pipeline.settings import cv_home

WAIVER, SIGNATURE = "waiver", "signature"
"""Names of the metadata entries of an observation that is a waiver."""
LEAST_REASON = 10
"""Characters that a reason has at least; fewer say nothing to those who read it later."""
LONGEST_REASON = 2000

_KEY_BYTES = 32
_logger = logging.getLogger(__name__)


def give_waiver(
    instance: DagsterInstance,
    candidate: Materialization,
    results: Sequence[CheckResult],
    *,
    checks: Sequence[str],
    reason: str,
    actor: str,
    role: str,
    roles: Sequence[str],
    now: datetime | None = None,
    home: Path | None = None,
) -> Waiver:
    """Waive failed checks of one very candidate, and record that in the event log.

    Args:
        instance: the Dagster instance.
        candidate: the materialization that the waiver is for.
        results: the newest result of each check on it.
        checks: names of the failed checks to waive.
        reason: why, in words.
        actor: who waives them.
        role: in which role.
        roles: the roles that may, as the project says.
        now: the present; the clock's by default.
        home: ``CV_HOME``, where the key lies; by default that of the environment.

    Raises:
        WaiverRefused: the role may not, the reason says nothing, or a check did not fail on this
            candidate, does not stop it, or was never run.
    """
    _require_role(role, roles)
    reason = reason.strip()
    if not LEAST_REASON <= len(reason) <= LONGEST_REASON:
        raise WaiverRefused(
            f"A waiver needs a reason of {LEAST_REASON} to {LONGEST_REASON:,} characters, not"
            f" {len(reason):,}.",
            do="Say why the failure does no harm, for those who will read it in a year.",
        )
    named = sorted(set(checks))
    if not named:
        raise WaiverRefused("A waiver names no check.", do="Name those that failed.")
    known = {result.verdict.check: result for result in results}
    for name in named:
        _require_failed(name, known.get(name), known)
    waiver = Waiver(
        project=candidate.project,
        candidate=candidate.version,
        storage_id=candidate.storage_id,
        checks=tuple(named),
        summaries={name: known[name].verdict.summary for name in named},
        actor=actor,
        role=role,
        reason=reason,
        at=now or datetime.now(UTC),
    ).signed()
    home = home or cv_home()
    key = waiver_key(home, create=True)
    if key is None:
        raise WaiverRefused(
            f"The key that waivers are signed with is damaged: {_key_path(home)} does not hold"
            f" {_KEY_BYTES} bytes.",
            do="Restore it from a backup, so that earlier waivers count again; or delete it: the"
            " next waiver makes another, and waivers that were signed with the old one count no"
            " more.",
        )
    instance.report_runless_asset_event(_observation(candidate.key, waiver, key))
    return waiver


def waivers_on(
    instance: DagsterInstance,
    candidate: Materialization,
    *,
    roles: Sequence[str],
    home: Path | None = None,
) -> list[Waiver]:
    """The waivers of exactly this materialization, oldest first.

    Whatever is not signed, was changed, is of another candidate, or was given in a role that may
    not any more, is no waiver: it is left out, and the log of the process says so.

    Args:
        instance: the Dagster instance.
        candidate: the materialization.
        roles: the roles that may give one, as the project says now.
        home: ``CV_HOME``, where the key lies; by default that of the environment.
    """
    key: bytes | None = None
    found: dict[str, Waiver] = {}
    for observation in observations(instance, candidate.key):
        told = observation.metadata.get(WAIVER)
        if told is None:
            continue
        key = key or waiver_key(home or cv_home(), create=False)
        signature = observation.metadata.get(SIGNATURE)
        waiver = _read(told.value, str(signature.value) if signature else "", key)
        if waiver is None or waiver.project != candidate.project or waiver.role not in roles:
            _logger.warning("%s: an observation that is no valid waiver is ignored", candidate.key)
            continue
        if (waiver.storage_id, waiver.candidate) == (candidate.storage_id, candidate.version):
            found[waiver.digest] = waiver
    return sorted(found.values(), key=lambda w: (w.at, w.digest))


def waiver_key(home: Path, *, create: bool) -> bytes | None:
    """The key that waivers are signed with.

    Args:
        home: ``CV_HOME``.
        create: make one where there is none.

    Returns:
        The key; None where there is none or it is damaged, so that no waiver can be valid.
    """
    path = _key_path(home)
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(made, path)  # of several at once, one succeeds, and its key is whole
        except FileExistsError:
            pass
        finally:
            made.unlink()
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == _KEY_BYTES else None


def _key_path(home: Path) -> Path:
    return home / "inspector" / "waivers.key"


def _require_role(role: str, roles: Sequence[str]) -> None:
    if role not in roles:
        may = f"only {', '.join(roles)} may" if roles else "nobody may"
        raise WaiverRefused(
            f"The role {role!r} may not waive failed checks: {may} in this project.",
            do="access.waiver_roles of its project.yaml says who may.",
        )


def _require_failed(name: str, result: CheckResult | None, known: dict[str, CheckResult]) -> None:
    if result is None:
        raise WaiverRefused(f"There is no check {name!r}.", do=nearest(name, known))
    if result.at is None:
        raise WaiverRefused(
            f"The check {name} was never run on this candidate, so nobody knows what would be"
            " waived.",
            do="Run it first, from the candidate's page in Dagster.",
        )
    if not result.verdict.blocks:
        raise WaiverRefused(
            f"The check {name} does not stop this candidate: there is nothing to waive.",
            do="Name only checks that failed.",
        )


def _observation(key: str, waiver: Waiver, secret: bytes | None) -> AssetObservation:
    assert secret is not None
    names = ", ".join(waiver.checks)
    return AssetObservation(
        asset_key=AssetKey.from_user_string(key),
        description=f"{waiver.actor} ({waiver.role}) waived {names} of candidate"
        f" {waiver.candidate[:16]} (event {waiver.storage_id}): {waiver.reason}",
        tags={DATA_VERSION_TAG: waiver.candidate},
        metadata={
            WAIVER: waiver.model_dump(mode="json"),
            SIGNATURE: _signature(waiver.digest, secret),
        },
    )


def _read(told: object, signature: str, key: bytes | None) -> Waiver | None:
    """The waiver that an observation tells of; None where it is none."""
    try:
        waiver = Waiver.model_validate(told)
    except ValidationError:
        return None
    if key is None or waiver.digest != waiver.content_digest:
        return None
    good = hmac.compare_digest(_signature(waiver.digest, key), signature)
    return waiver if good else None


def _signature(digest: str, key: bytes) -> str:
    return hmac.new(key, digest.encode(), hashlib.sha256).hexdigest()
