"""Waivers of a failed gate, on a real Dagster instance: who may, for what, and forgeries."""

import hashlib
import hmac

import dagster as dg
import pytest
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from cv_pipeline.errors import GateRefused, WaiverRefused
from cv_pipeline.provenance import EventLog, pinned, require_passing, results_on, verdicts_on
from cv_pipeline.provenance.event_log import observations
from cv_pipeline.provenance.waivers import SIGNATURE, WAIVER, give_waiver, waiver_key, waivers_on

REASON = "The copies are of the lamp alone, and no fruit is on them."
CHECKS = ["leakage", "coverage", "colour", "never_run"]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def make_candidate(instance):
    """Materialize a candidate on which leakage and coverage fail, and colour only warns."""

    @dg.asset(key_prefix="p", code_version="1")
    def dataset_candidate() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("same content"))

    @dg.multi_asset_check(
        specs=[dg.AssetCheckSpec(name, asset=dataset_candidate) for name in CHECKS[:3]]
    )
    def checks(context: dg.AssetCheckExecutionContext):
        target = EventLog(context.instance).in_run("p/dataset_candidate", context.run.run_id)
        for name in CHECKS[:3]:
            warns = name == "colour"
            result = dg.AssetCheckResult(
                passed=False,
                asset_key=dataset_candidate.key,
                check_name=name,
                severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
                description=f"{name} failed",
            )
            yield pinned(result, target)

    def make():
        dg.materialize([dataset_candidate, checks], instance=instance, raise_on_error=False)
        return EventLog(instance).latest("p/dataset_candidate")

    return make


@pytest.fixture
def give(instance, home):
    def give(candidate, checks, **changed):
        given = {"reason": REASON, "actor": "ada", "role": "admin", "roles": ["admin"]} | changed
        results = results_on(instance, candidate, CHECKS)
        return give_waiver(instance, candidate, results, checks=checks, home=home, **given)

    return give


def gate(instance, home, candidate, roles=("admin",)):
    waivers = waivers_on(instance, candidate, roles=roles, home=home)
    require_passing(candidate, verdicts_on(instance, candidate, CHECKS[:3]), waivers)


def test_a_waiver_lets_exactly_its_candidate_through(instance, home, make_candidate, give):
    candidate = make_candidate()
    with pytest.raises(GateRefused, match="2 of 3 checks did not pass"):
        gate(instance, home, candidate)
    given = give(candidate, ["leakage"])
    with pytest.raises(GateRefused, match=r"1 of 3 checks did not pass\.\n  coverage"):
        gate(instance, home, candidate)  # a waiver of one check is none of another
    give(candidate, ["coverage"])
    gate(instance, home, candidate)
    found = waivers_on(instance, candidate, roles=["admin"], home=home)
    assert [w.checks for w in found] == [("leakage",), ("coverage",)]
    assert (found[0], found[0].reason, found[0].actor) == (given, REASON, "ada")
    assert found[0].summaries == {"leakage": "leakage failed"}

    again = make_candidate()  # the same content and the same failures, but another event
    assert again.version == candidate.version
    with pytest.raises(GateRefused, match="2 of 3"):
        gate(instance, home, again)


def test_a_waiver_changes_neither_the_candidate_nor_its_history(instance, make_candidate, give):
    candidate = make_candidate()
    give(candidate, ["leakage", "coverage"])
    assert EventLog(instance).latest("p/dataset_candidate") == candidate
    told = next(observations(instance, "p/dataset_candidate"))
    assert told.tags[DATA_VERSION_TAG] == candidate.version
    assert told.description.startswith("ada (admin) waived coverage, leakage of candidate")


REFUSED = [
    # a role that may not, in a project that lets admins or nobody
    (["leakage"], {"role": "engineer"}, "'engineer' may not .* only admin may"),
    (["leakage"], {"roles": []}, "nobody may in this project"),
    # a reason that is missing, says nothing, or is a flood
    (["leakage"], {"reason": ""}, "needs a reason of 10 to 2,000 characters, not 0"),
    (["leakage"], {"reason": "   ok     "}, "not 2"),
    (["leakage"], {"reason": "x" * 2001}, "not 2,001"),
    # nothing that failed, that stops it, or that anybody ran
    ([], {}, "names no check"),
    (["leakage", "colour"], {}, "colour does not stop"),
    (["never_run"], {}, "never_run was never run on this candidate"),
    (["leekage"], {}, "no check 'leekage'. Did you mean 'leakage'"),
]


def test_incomplete_waivers_are_refused(instance, make_candidate, give):
    candidate = make_candidate()
    for checks, changed, message in REFUSED:
        with pytest.raises(WaiverRefused, match=message):
            give(candidate, checks, **changed)
    assert list(observations(instance, "p/dataset_candidate")) == []


def forge(instance, candidate, waiver, signature):
    instance.report_runless_asset_event(
        dg.AssetObservation(
            dg.AssetKey(["p", "dataset_candidate"]),
            tags={DATA_VERSION_TAG: candidate.version},
            metadata={WAIVER: waiver, SIGNATURE: signature},
        )
    )


def test_forged_waivers_are_none(instance, home, make_candidate, give):
    """Anybody who reaches Dagster's webserver can report an observation."""
    earlier = make_candidate()
    given = give(earlier, ["leakage"])
    good = next(observations(instance, "p/dataset_candidate")).metadata[SIGNATURE].value
    candidate = make_candidate()
    whole = given.model_copy(
        update={"storage_id": candidate.storage_id, "checks": ("coverage", "leakage")}
    ).signed()
    other_key = hmac.new(b"x" * 32, whole.digest.encode(), hashlib.sha256).hexdigest()
    told = whole.model_dump(mode="json")
    forge(instance, candidate, told, "")
    forge(instance, candidate, told, other_key)
    # the digest and signature of a true one, over more than it was given for
    forge(instance, candidate, told | {"digest": given.digest}, good)
    # a true one, told again beside another candidate; and one that is no waiver at all
    forge(instance, candidate, given.model_dump(mode="json"), good)
    forge(instance, candidate, {"checks": "everything"}, good)
    assert waivers_on(instance, candidate, roles=["admin"], home=home) == []
    with pytest.raises(GateRefused, match="2 of 3"):
        gate(instance, home, candidate)


def test_a_role_that_may_not_any_more_has_waived_nothing(instance, home, make_candidate, give):
    candidate = make_candidate()
    give(candidate, ["leakage", "coverage"], role="engineer", roles=["engineer", "admin"])
    gate(instance, home, candidate, roles=("engineer", "admin"))
    with pytest.raises(GateRefused):
        gate(instance, home, candidate)


def test_without_the_key_nothing_is_waived(instance, home, make_candidate, give):
    candidate = make_candidate()
    give(candidate, ["leakage", "coverage"])
    path = home / "inspector" / "waivers.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert waiver_key(home, create=True) == path.read_bytes()  # a key that is there stays
    path.unlink()
    with pytest.raises(GateRefused):
        gate(instance, home, candidate)


def test_a_damaged_key_is_named_and_what_to_do_about_it(instance, home, make_candidate, give):
    candidate = make_candidate()
    give(candidate, ["leakage", "coverage"])
    path = home / "inspector" / "waivers.key"
    path.write_bytes(b"half of it")
    with pytest.raises(GateRefused):
        gate(instance, home, candidate)
    with pytest.raises(WaiverRefused, match=r"damaged: .*waivers\.key") as refused:
        give(candidate, ["leakage"])
    assert "backup" in refused.value.do
    path.unlink()
    give(candidate, ["leakage", "coverage"])
    gate(instance, home, candidate)
