"""What is remembered about specs must never differ from what looking at them would give."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api import field_ownership, normalize, registry, validation, warnings
from pybernetes.api.defaults import apply
from pybernetes.effects import format_time
from pybernetes.machinery.managed_fields import managers
from pybernetes.machinery.managed_fields.managers import UPDATE, Manager, Ownership
from unit.api.validation.builders import make, resource
from unit.api.validation.test_every_kind import GOOD, KINDS, fresh

Json = dict[str, Any]
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
POD = next(r for r in registry.built_in() if (r.group, r.kind) == ("", "Pod"))


def document(kind: str, group: str) -> Json:
    what = resource(kind, group)
    metadata = {"name": "x", "labels": {"a": "b"}, "finalizers": ["example.com/f"]}
    return {"apiVersion": what.api_version, "kind": kind, **fresh(GOOD[kind, group]), "metadata": metadata}


def pod(**spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}


@KINDS
def test_a_creator_owns_the_same_whether_its_content_is_known_or_not(kind: str, group: str) -> None:
    what = resource(kind, group)
    new = apply(normalize.normalize(document(kind, group), what.type_alias), what)
    looked = Ownership()
    who = Manager("m", UPDATE, "", what.api_version)
    empty = normalize.normalize({}, what.type_alias)
    plan, ignored = field_ownership.plan_of(what), field_ownership.reset_fields(what, "")
    managers.track_update(looked, empty, new, who, plan, now=format_time(NOW), ignored=ignored)
    for _ in range(2):
        assert field_ownership.track(what, "", None, new, "m", NOW) == looked.write()


@KINDS
def test_a_known_spec_has_the_same_normal_form_and_belongs_to_the_caller(kind: str, group: str) -> None:
    what = resource(kind, group)
    first = normalize.normalize(document(kind, group), what.type_alias)
    again = normalize.normalize(document(kind, group), what.type_alias)
    assert again == first
    assert list(again) == list(first)
    if "spec" in again:
        again["spec"].clear()
        assert normalize.normalize(document(kind, group), what.type_alias) == first


def test_unknown_fields_are_told_each_time() -> None:
    for _ in range(3):
        dropped: list[str] = []
        normalize.normalize(pod(containers=[{"name": "c", "colour": "red"}]), POD.type_alias, dropped)
        assert dropped == ["colour"]


def test_a_wrong_type_is_told_each_time() -> None:
    for _ in range(2):
        with pytest.raises(normalize.TypeMismatch):
            normalize.normalize(pod(containers="none"), POD.type_alias)


def test_complaints_about_a_spec_are_made_each_time() -> None:
    spoiled = make(POD, {"spec": {"containers": [{"name": "C!", "image": "i"}]}})
    first = [str(error) for error in validation.validate_create(POD, spoiled)]
    assert first
    assert [str(error) for error in validation.validate_create(POD, spoiled)] == first


def test_advice_is_given_each_time_and_depends_on_annotations_too() -> None:
    talked_about = make(POD, {"spec": {"containers": [{"name": "c", "image": "i"}], "nodeSelector": {"a": "b"}}})
    for expected in (0, 1, 0):
        annotations = {"scheduler.alpha.kubernetes.io/critical-pod": ""} if expected else {}
        talked_about["metadata"]["annotations"] = annotations
        found: list[str] = []
        warnings.on_create(found, POD, talked_about)
        assert len(found) == expected
    old_name = make(POD, {"spec": {"containers": [{"name": "c"}], "nodeSelector": {"beta.kubernetes.io/os": "linux"}}})
    for _ in range(2):
        found = []
        warnings.on_create(found, POD, old_name)
        assert len(found) == 1
