from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import defaults, field_ownership, normalize, registry
from pybernetes.api.registry import Resource
from pybernetes.machinery.errors import BadRequest, Conflict, StatusError

Json = dict[str, Any]
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def resource(kind: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.kind == kind and r.group == group)


DEPLOYMENTS, CONFIG_MAPS, SERVICES = resource("Deployment", "apps"), resource("ConfigMap"), resource("Service")


def stored(what: Resource, document: Json) -> Json:
    return defaults.apply(normalize.normalize(document, what.type_alias), what)


def written(what: Resource, live: Json | None, document: Json, manager: str, *, now: datetime = NOW) -> Json:
    new = stored(what, document)
    entries = field_ownership.track(what, "", live, new, manager, now)
    return {**new, "metadata": {**new["metadata"], "managedFields": entries}}


def applied(
    what: Resource, live: Json | None, document: Json, manager: str, *, force: bool = False, now: datetime = NOW
) -> Json:
    body = {"apiVersion": what.api_version, "kind": what.kind, **document}
    merged = field_ownership.apply_patch(what, "", live, body, manager, now, force=force)
    entries = merged["metadata"]["managedFields"]
    result = stored(what, merged)
    return {**result, "metadata": {**result["metadata"], "managedFields": entries}}


def owners(document: Json) -> dict[str, Any]:
    return {f"{e['manager']}/{e['operation']}": e["fieldsV1"] for e in document["metadata"]["managedFields"]}


def config(**data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "n"}, "data": data}


def deployment(replicas: int | None = None, *containers: Json, **labels: str) -> Json:
    spec: Json = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers) or [C]}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    metadata = {"name": "d", "namespace": "n", **({"labels": labels} if labels else {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


C = {"name": "c", "image": "i"}
D = {"name": "d", "image": "i"}


def test_a_creator_owns_what_it_wrote_and_what_defaults_added() -> None:
    found = owners(written(DEPLOYMENTS, None, deployment(3), "kubectl-create"))["kubectl-create/Update"]
    assert "f:metadata" not in found
    spec = found["f:spec"]
    assert spec["f:replicas"] == {}
    assert spec["f:selector"] == {}
    assert spec["f:strategy"]["f:rollingUpdate"] == {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}
    template = spec["f:template"]
    assert template["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    containers = template["f:spec"]["f:containers"]
    assert "." not in containers
    assert containers['k:{"name":"c"}']["."] == {}
    assert containers['k:{"name":"c"}']["f:resources"] == {}


def test_the_next_writer_takes_what_it_changes() -> None:
    live = written(CONFIG_MAPS, None, config(a="1", b="1"), "one")
    live = written(CONFIG_MAPS, live, config(a="2", b="1"), "two", now=LATER)
    assert owners(live) == {
        "one/Update": {"f:data": {".": {}, "f:b": {}}},
        "two/Update": {"f:data": {"f:a": {}}},
    }
    assert [e["time"] for e in live["metadata"]["managedFields"]] == ["2024-01-02T03:04:05Z", "2024-01-02T03:05:05Z"]


def test_removed_fields_have_no_owner() -> None:
    live = written(CONFIG_MAPS, None, config(a="1", b="1"), "one")
    live = written(CONFIG_MAPS, live, config(a="1"), "two")
    assert owners(live) == {"one/Update": {"f:data": {".": {}, "f:a": {}}}}


def test_a_write_that_changes_nothing_changes_no_owner() -> None:
    live = written(CONFIG_MAPS, None, config(a="1"), "one")
    again = written(CONFIG_MAPS, live, config(a="1"), "two", now=LATER)
    assert again["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_one_empty_entry_clears_all_owners() -> None:
    live = written(CONFIG_MAPS, None, config(a="1"), "one")
    new = {**config(a="1"), "metadata": {"name": "m", "namespace": "n", "managedFields": [{}]}}
    assert field_ownership.track(CONFIG_MAPS, "", live, new, "two", NOW) == []


def test_status_belongs_to_the_status_door() -> None:
    live = written(DEPLOYMENTS, None, deployment(1), "one")
    new = {**live, "status": {"replicas": 3}}
    entries = field_ownership.track(DEPLOYMENTS, "status", live, new, "controller", NOW)
    mine = next(e for e in entries if e["manager"] == "controller")
    assert (mine["subresource"], mine["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})
    through_main = field_ownership.track(DEPLOYMENTS, "", live, new, "other", NOW)
    assert all(e["manager"] != "other" for e in through_main)


def test_too_many_updaters_are_folded_together() -> None:
    live = written(CONFIG_MAPS, None, config(), "zero")
    for number in range(15):
        data = {f"k{index}": "1" for index in range(number + 1)}
        live = written(CONFIG_MAPS, live, config(**data), f"m{number:02}", now=NOW + timedelta(seconds=number))
    names = [e["manager"] for e in live["metadata"]["managedFields"]]
    assert "ancient-changes" in names
    assert len(names) <= 11


def test_apply_creates() -> None:
    live = applied(CONFIG_MAPS, None, config(a="1"), "kubectl")
    assert live["data"] == {"a": "1"}
    assert owners(live) == {"kubectl/Apply": {"f:data": {"f:a": {}}}}


def test_apply_owns_only_what_it_says() -> None:
    live = applied(DEPLOYMENTS, None, deployment(3), "kubectl")
    found = owners(live)["kubectl/Apply"]["f:spec"]
    assert set(found) == {"f:replicas", "f:selector", "f:template"}
    container = found["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert container == {".": {}, "f:name": {}, "f:image": {}}


def test_what_is_no_longer_declared_goes() -> None:
    live = applied(CONFIG_MAPS, None, config(a="1", b="1"), "kubectl")
    live = applied(CONFIG_MAPS, live, config(a="1"), "kubectl")
    assert live["data"] == {"a": "1"}


def test_what_somebody_else_declares_stays() -> None:
    live = applied(CONFIG_MAPS, None, config(a="1", b="1"), "one")
    live = applied(CONFIG_MAPS, live, config(b="1"), "two")
    live = applied(CONFIG_MAPS, live, config(a="1"), "one")
    assert live["data"] == {"a": "1", "b": "1"}
    assert owners(live) == {"one/Apply": {"f:data": {"f:a": {}}}, "two/Apply": {"f:data": {"f:b": {}}}}


def test_a_container_goes_with_its_defaults() -> None:
    live = applied(DEPLOYMENTS, None, deployment(1, C, D), "kubectl")
    live = applied(DEPLOYMENTS, live, deployment(1, C), "kubectl")
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["c"]


def test_containers_of_several_appliers_live_together() -> None:
    live = applied(DEPLOYMENTS, None, deployment(1, C), "one")
    other = {"metadata": {"name": "d", "namespace": "n"}, "spec": {"template": {"spec": {"containers": [D]}}}}
    live = applied(DEPLOYMENTS, live, other, "two")
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["c", "d"]
    live = applied(DEPLOYMENTS, live, deployment(1, C), "one")
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["c", "d"]


def test_another_value_of_somebody_elses_field_is_a_conflict() -> None:
    live = written(DEPLOYMENTS, None, deployment(3), "kubectl-create")
    with pytest.raises(Conflict) as error:
        applied(DEPLOYMENTS, live, deployment(5), "kubectl")
    assert error.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas'
    )
    assert error.value.causes == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-create" using apps/v1',
            "field": ".spec.replicas",
        }
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    live = applied(DEPLOYMENTS, None, deployment(3), "one")
    other = deployment(4, {"name": "c", "image": "j"})
    with pytest.raises(Conflict) as error:
        applied(DEPLOYMENTS, live, other, "two")
    assert error.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="c"].image'
    )


def test_force_takes_the_field() -> None:
    live = applied(DEPLOYMENTS, None, deployment(3), "one")
    live = applied(DEPLOYMENTS, live, deployment(5), "two", force=True)
    assert live["spec"]["replicas"] == 5
    assert "f:replicas" not in owners(live)["one/Apply"]["f:spec"]
    assert "f:replicas" in owners(live)["two/Apply"]["f:spec"]


def test_the_same_value_is_shared() -> None:
    live = applied(DEPLOYMENTS, None, deployment(3), "one")
    live = applied(DEPLOYMENTS, live, deployment(3), "two")
    assert all("f:replicas" in fields["f:spec"] for fields in owners(live).values())


def test_zero_is_a_value_like_any_other() -> None:
    live = applied(DEPLOYMENTS, None, deployment(0), "one")
    assert live["spec"]["replicas"] == 0
    assert "f:replicas" in owners(live)["one/Apply"]["f:spec"]


def test_nulls_in_data_without_a_type_are_values() -> None:
    what = resource("ControllerRevision", "apps")
    data = {"metadata": {"name": "r", "namespace": "n"}, "revision": 1, "data": {"a": [1, {"b": None}]}}
    assert applied(what, None, data, "me")["data"] == {"a": [1, {"b": None}]}


def test_applying_the_same_again_changes_nothing() -> None:
    live = applied(DEPLOYMENTS, None, deployment(3), "one")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment(3)}
    again = field_ownership.apply_patch(DEPLOYMENTS, "", live, body, "one", LATER, force=False)
    assert again is live


def test_ports_are_named_by_number_and_protocol() -> None:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "x"}]}
    live = applied(SERVICES, None, {"metadata": {"name": "s", "namespace": "n"}, "spec": spec}, "one")
    assert 'k:{"port":80,"protocol":"TCP"}' in owners(live)["one/Apply"]["f:spec"]["f:ports"]


def test_undeclared_fields_are_refused() -> None:
    with pytest.raises(StatusError) as error:
        applied(CONFIG_MAPS, None, {**config(), "foo": 1}, "one")
    assert error.value.message == (
        "failed to create typed patch object (n/m; v1, Kind=ConfigMap): .foo: field not declared in schema"
    )


def test_duplicate_items_are_refused() -> None:
    with pytest.raises(StatusError, match=r'duplicate entries for key \[name="c"\]'):
        applied(DEPLOYMENTS, applied(DEPLOYMENTS, None, deployment(1, D), "one"), deployment(1, C, C), "one")


def annotated(document: Json, last: Json) -> Json:
    annotations = {field_ownership.LAST_APPLIED: orjson.dumps(last).decode()}
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def test_kubectl_takes_over_what_client_side_apply_declared() -> None:
    live = written(CONFIG_MAPS, None, annotated(config(a="1"), config(a="1")), "kubectl-client-side-apply")
    live = applied(CONFIG_MAPS, live, config(a="2"), "kubectl")
    assert live["data"] == {"a": "2"}
    last = orjson.loads(live["metadata"]["annotations"][field_ownership.LAST_APPLIED])
    assert last["data"] == {"a": "2"}


def test_kubectl_does_not_take_over_what_others_changed_since() -> None:
    live = written(CONFIG_MAPS, None, annotated(config(a="1"), config(a="1")), "kubectl-client-side-apply")
    live = written(CONFIG_MAPS, live, annotated(config(a="5"), config(a="1")), "other")
    with pytest.raises(Conflict, match=r'conflict with "other" using v1: \.data\.a'):
        applied(CONFIG_MAPS, live, config(a="2"), "kubectl")


def test_managed_fields_may_not_be_applied() -> None:
    body = {**config(), "metadata": {"name": "m", "managedFields": [{"manager": "x"}]}}
    with pytest.raises(BadRequest, match=r"metadata.managedFields must be nil"):
        applied(CONFIG_MAPS, None, body, "one")


TOY = Resource("example.com", "v1", "Toy", "toys", "toy", namespaced=True, verbs=(), list_kind="ToyList")


def test_custom_resources_are_owned_key_by_key() -> None:
    body = {"metadata": {"name": "t"}, "spec": {"a": {"b": 1}, "list": [1, 2]}}
    live = field_ownership.apply_patch(TOY, "", None, body, "one", NOW, force=False)
    found = live["metadata"]["managedFields"][0]["fieldsV1"]
    assert found["f:spec"]["f:a"]["f:b"] == {}
    assert found["f:spec"]["f:list"] == {}


data = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), data), min_size=1, max_size=6))
def test_the_last_forced_apply_of_each_manager_holds(rounds: list[tuple[str, dict[str, str]]]) -> None:
    live: Json | None = None
    wanted: dict[str, dict[str, str]] = {}
    for manager, values in rounds:
        live = applied(CONFIG_MAPS, live, config(**values), manager, force=True)
        wanted = {other: {k: v for k, v in theirs.items() if values.get(k, v) == v} for other, theirs in wanted.items()}
        wanted[manager] = values
    assert live is not None
    expected: dict[str, str] = {}
    for values in wanted.values():
        expected.update(values)
    assert live.get("data", {}) == expected


@given(data, data)
def test_two_writers_never_own_the_same_field(first: dict[str, str], second: dict[str, str]) -> None:
    live = written(CONFIG_MAPS, None, config(**first), "one")
    live = written(CONFIG_MAPS, live, config(**second), "two")
    seen: list[str] = []
    for fields in owners(live).values():
        seen += [step for step in fields.get("f:data", {}) if step != "."]
    assert len(seen) == len(set(seen))
    assert set(seen) <= {f"f:{key}" for key in second}


def test_the_writers_name_comes_from_the_user_agent() -> None:
    assert field_ownership.manager_name("", "kubectl/v1.36.0 (linux/amd64)") == "kubectl"
    assert field_ownership.manager_name("mine", "kubectl/v1") == "mine"
