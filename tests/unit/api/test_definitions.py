"""What definitions may say, and what their status says of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api import definitions
from pybernetes.api.registry import built_in
from pybernetes.api.validation import validate_create, validate_update

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
CRD = next(resource for resource in built_in() if resource.kind == "CustomResourceDefinition")


def version(**more: Any) -> Json:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "object"}}}}
    return {"name": "v1", "served": True, "storage": True, "schema": schema, **more}


def definition(group: str = "g.example.com", plural: str = "foos", names: Json | None = None, **spec: Any) -> Json:
    kinds = {"plural": plural, "singular": "foo", "kind": "Foo", "listKind": "FooList", **(names or {})}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": kinds,
            "versions": [version()],
            "conversion": {"strategy": "None"},
            **spec,
        },
        "status": {"acceptedNames": {"plural": "", "kind": ""}, "storedVersions": ["v1"], "conditions": []},
    }


def told(document: Json) -> list[str]:
    return [str(error) for error in validate_create(CRD, document)]


def test_a_good_definition_is_accepted() -> None:
    assert told(definition()) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (definition("nodot"), 'spec.group: Invalid value: "nodot": should be a domain with at least one dot'),
        (definition(scope="Both"), 'spec.scope: Unsupported value: "Both": supported values: "Cluster", "Namespaced"'),
        (
            definition(names={"kind": "foo_bar"}),
            'spec.names.kind: Invalid value: "foo_bar": may have mixed case, but should otherwise match: ',
        ),
        (definition(names={"listKind": "Foo"}), "spec.names.listKind: Invalid value: "),
        (definition(names={"shortNames": ["A"]}), 'spec.names.shortNames[0]: Invalid value: "A": '),
        (definition(versions=[version(storage=False)]), "spec.versions: Invalid value: "),
        (
            definition(versions=[version(), version(name="v2", storage=False, schema={})]),
            "spec.versions[1].schema.openAPIV3Schema: Required value",
        ),
        (
            definition(versions=[version(deprecationWarning="x")]),
            'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions',
        ),
        (
            definition(versions=[version(additionalPrinterColumns=[{"name": "a", "type": "text", "jsonPath": ".a"}])]),
            'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,',
        ),
        (
            definition(versions=[version(additionalPrinterColumns=[{"name": "a", "type": "string", "jsonPath": "a"}])]),
            'spec.versions[0].additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path',
        ),
        (
            definition(versions=[version(selectableFields=[{"jsonPath": ".b"}])]),
            'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".b": must point to a field of type',
        ),
        (
            definition(versions=[version(selectableFields=[{"jsonPath": ".c"}])]),
            'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".c": is an invalid path: does not refer to',
        ),
        (
            definition(
                versions=[
                    version(
                        subresources={"scale": {"specReplicasPath": ".a", "statusReplicasPath": ".status.replicas"}}
                    )
                ]
            ),
            'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".a": should be a json path',
        ),
        (
            definition(conversion={"strategy": "Webhook"}),
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            definition("x.k8s.io"),
            "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval",
        ),
        (
            definition(preserveUnknownFields=True),
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true",
        ),
    ],
)
def test_bad_definitions(document: Json, expected: str) -> None:
    found = told(document)
    assert any(text.startswith(expected) for text in found), found


def test_what_is_stored_under_a_name_cannot_change() -> None:
    old = definition()
    old["status"] = definitions.next_status(old, [], NOW)
    old["metadata"]["resourceVersion"] = "1"
    new = {**definition(scope="Cluster", names={"kind": "Bar"}), "status": old["status"]}
    found = [error.field for error in validate_update(CRD, "", new, old)]
    assert found == ["spec.scope", "spec.names.kind"]


def test_names_are_accepted_one_by_one() -> None:
    other = definition(plural="bars", names={"singular": "bar", "kind": "Foo", "listKind": "BarList"})
    other["status"]["acceptedNames"] = other["spec"]["names"]
    mine = definition(names={"shortNames": ["f"]})
    names, conflict = definitions.accepted_names(mine, [other])
    assert conflict == ("KindConflict", '"Foo" is already in use')
    assert names == {"plural": "foos", "singular": "foo", "kind": "", "listKind": "FooList", "shortNames": ["f"]}


def test_conditions_keep_their_time_until_they_change() -> None:
    stored = definition()
    stored["status"] = definitions.next_status(stored, [], NOW)
    assert definitions.next_status(stored, [], LATER) == stored["status"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("", ("False", "MissingAnnotation")),
        ("unapproved, experimental", ("False", "UnapprovedAnnotation")),
        ("https://github.com/kubernetes/kubernetes/pull/1", ("True", "ApprovedAnnotation")),
        ("maybe", ("False", "InvalidAnnotation")),
    ],
)
def test_apis_of_the_community_need_approval(annotation: str, expected: tuple[str, str]) -> None:
    document = definition("x.k8s.io")
    document["metadata"]["annotations"] = {definitions.APPROVED_ANNOTATION: annotation}
    status = definitions.next_status(document, [], NOW)
    found = definitions.condition({"status": status}, definitions.APPROVAL)
    assert found is not None
    assert (found["status"], found["reason"]) == expected


def test_the_first_deletion_marks_the_definition() -> None:
    marked = definitions.marked_for_deletion(definition(), NOW)
    assert marked["metadata"]["finalizers"] == [definitions.CLEANUP_FINALIZER]
    assert definitions.is_true(marked, definitions.TERMINATING)
    assert definitions.marked_for_deletion(marked, LATER) == marked
