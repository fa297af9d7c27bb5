from pybernetes.api import registry
from pybernetes.api.registry import GroupVersion


def find(group: str, plural: str) -> registry.Resource:
    return next(r for r in registry.built_in() if (r.group, r.plural) == (group, plural))


def test_pods_have_their_subresources_and_short_name() -> None:
    pods = find("", "pods")
    assert pods.short_names == ("po",)
    assert pods.subresources["eviction"].group_version == GroupVersion("policy", "v1")
    assert pods.type_alias == "core.v1.Pod"


def test_every_stored_resource_has_a_row_in_the_type_table() -> None:
    types = registry.load_data("types.json")["types"]
    missing = [r.qualified_name for r in registry.built_in() if r.storage_version and r.type_alias not in types]
    assert missing == []


def test_group_versions_read_as_they_are_written() -> None:
    for text in ("v1", "apps/v1", "rbac.authorization.k8s.io/v1"):
        assert str(GroupVersion.parse(text)) == text
