"""Checks of CustomResourceDefinitions: names, versions, schemas, columns, selectable fields, conversion.

Follows: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go. The public API of definitions is v1;
where upstream names a path by its internal form (`webhookClientConfig`), so do we.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509

from pybernetes.api import definitions
from pybernetes.api.structural import cel_rules, default_rules, field_paths, rules, shape_rules
from pybernetes.api.structural.schema import Structural
from pybernetes.api.validation import common, extensions
from pybernetes.api.validation.common import Errors
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

MAX_SELECTABLE_FIELDS: Final = 8
MAX_WARNING_CHARACTERS: Final = 256
COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS: Final = (
    "binary",
    "bsonobjectid",
    "byte",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "double",
    "duration",
    "email",
    "float",
    "hexcolor",
    "hostname",
    "int32",
    "int64",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
)
REVIEW_VERSIONS: Final = ("v1", "v1beta1")
_AT_STATUS_ROOT: Final = {
    "description": "Description",
    "type": "Type",
    "format": "Format",
    "title": "Title",
    "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum",
    "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength",
    "minLength": "MinLength",
    "pattern": "Pattern",
    "maxItems": "MaxItems",
    "minItems": "MinItems",
    "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf",
    "required": "Required",
    "items": "Items",
    "properties": "Properties",
    "externalDocs": "ExternalDocs",
    "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
"""What a schema may say at its root when there is a status subresource, with the names upstream's text has for it."""


def definition(errors: Errors, document: Json) -> None:
    """A new definition."""
    _name(errors, document)
    _spec(errors, document.get("spec") or {}, established=False)
    _status(errors, document)
    _approval(errors, document, None)
    _preserve(errors, document, None)


def definition_update(errors: Errors, new: Json, old: Json) -> None:
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    established = definitions.is_true(old, definitions.ESTABLISHED)
    _spec(errors, spec, established=established, old=stored)
    kinds, before = spec.get("names") or {}, stored.get("names") or {}
    if established:
        common.immutable(errors, "spec.scope", spec.get("scope"), stored.get("scope"))
        common.immutable(errors, "spec.names.kind", kinds.get("kind"), before.get("kind"))
    common.immutable(errors, "spec.group", spec.get("group"), stored.get("group"))
    common.immutable(errors, "spec.names.plural", kinds.get("plural"), before.get("plural"))
    _status(errors, new)
    _approval(errors, new, old)
    _preserve(errors, new, old)


def definition_status(errors: Errors, new: Json, _old: Json) -> None:
    """Through /status."""
    _names(errors, (new.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames")


def _name(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    name = (document.get("metadata") or {}).get("name", "")
    if name and name != f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}":
        errors.append(fe.invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))


def _spec(errors: Errors, spec: Json, *, established: bool, old: Json | None = None) -> None:
    group, versions = spec.get("group", ""), spec.get("versions") or []
    if not group:
        errors.append(fe.required("spec.group"))
    elif complaints := names.dns_subdomain(group):
        errors.append(fe.invalid_value("spec.group", group, ",".join(complaints)))
    elif "." not in group:
        errors.append(fe.invalid_value("spec.group", group, "should be a domain with at least one dot"))
    common.one_of(errors, "spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    for index, version in enumerate(versions):
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            errors.append(fe.required(f"spec.versions[{index}].schema.openAPIV3Schema"))
    before = {version["name"]: version for version in (old or {}).get("versions") or ()}
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name", "")
        if complaints := names.dns_1035_label(name):
            errors.append(fe.invalid_value(f"{path}.name", name, ",".join(complaints)))
        _version(errors, version, path, before.get(name))
    _version_set(errors, versions)
    kinds = spec.get("names") or {}
    for field in ("plural", "singular", "kind", "listKind"):
        if not kinds.get(field):
            errors.append(fe.required(f"spec.names.{field}"))
    _names(errors, kinds, "spec.names")
    _conversion(errors, spec.get("conversion"), established=established, old=(old or {}).get("conversion"))


def _version_set(errors: Errors, versions: list[Json]) -> None:
    found = [version.get("name", "") for version in versions]
    shown = versions
    if len(set(found)) != len(found):
        errors.append(fe.invalid_value("spec.versions", shown, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "must have exactly one version marked as storage version"
        errors.append(fe.invalid_value("spec.versions", shown, text))


def _names(errors: Errors, kinds: Json, path: str) -> None:
    for field in ("plural", "singular"):
        value = kinds.get(field, "")
        if value and (complaints := names.dns_1035_label(value)):
            errors.append(fe.invalid_value(f"{path}.{field}", value, ",".join(complaints)))
    for field in ("kind", "listKind"):
        value = kinds.get(field, "")
        if value and (complaints := names.dns_1035_label(value.lower())):
            text = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
            errors.append(fe.invalid_value(f"{path}.{field}", value, text))
    for index, value in enumerate(kinds.get("shortNames") or ()):
        if complaints := names.dns_1035_label(value):
            errors.append(fe.invalid_value(f"{path}.shortNames[{index}]", value, ",".join(complaints)))
    if kinds.get("kind") and kinds["kind"] == kinds.get("listKind"):
        text = "kind and listKind may not be the same"
        errors.append(fe.invalid_value(f"{path}.listKind", kinds["listKind"], text))
    for index, value in enumerate(kinds.get("categories") or ()):
        if complaints := names.dns_1035_label(value):
            errors.append(fe.invalid_value(f"{path}.categories[{index}]", value, ",".join(complaints)))


# ── one version ──


def _version(errors: Errors, version: Json, path: str, old: Json | None) -> None:
    _deprecation(errors, version, path)
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    subresources = version.get("subresources") or {}
    if schema is not None:
        has_status = subresources.get("status") is not None
        unchanged = old is not None and (old.get("schema") or {}).get("openAPIV3Schema") == schema
        _schema(errors, schema, f"{path}.schema", has_status=has_status, unchanged=unchanged)
    if subresources.get("scale") is not None:
        _scale(errors, subresources["scale"], f"{path}.subresources")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        _column(errors, column, f"{path}.additionalPrinterColumns[{index}]")
    fields = version.get("selectableFields") or []
    if fields and schema is not None:
        kept = old is not None and (old.get("selectableFields") or []) == fields
        _selectable(errors, fields, schema, f"{path}.selectableFields", kept=kept)


def _deprecation(errors: Errors, version: Json, path: str) -> None:
    text = version.get("deprecationWarning")
    if text is None:
        return
    place = f"{path}.deprecationWarning"
    if not version.get("deprecated"):
        errors.append(fe.invalid_value(place, text, "can only be set for deprecated versions"))
        return
    if len(text.encode()) > MAX_WARNING_CHARACTERS:
        errors.append(fe.invalid_value(place, text, f"must be <= {MAX_WARNING_CHARACTERS} characters long"))
    if not text:
        errors.append(fe.invalid_value(place, text, "must not be an empty string"))
    bad = next((index for index, character in enumerate(text) if not character.isprintable()), None)
    if bad is not None:
        why = f"must only contain printable UTF-8 characters; non-printable character found at index {bad}"
        errors.append(fe.invalid_value(place, text, why))


def _schema(errors: Errors, schema: Json, path: str, *, has_status: bool, unchanged: bool) -> None:
    place = f"{path}.openAPIV3Schema"
    found: Errors = []
    if has_status:
        _status_root(found, schema, path)
    if schema.get("nullable"):
        found.append(fe.forbidden_value(f"{place}.nullable", "nullable cannot be true at the root"))
    not_structural = rules.check(schema, place)
    wrong_defaults: Errors = []
    if not not_structural:
        wrong_defaults = default_rules.check(Structural(schema), place, _default_rules)
    found += not_structural or wrong_defaults
    # Only of a structural schema with good defaults can expressions be compiled.
    static = cel_rules.StaticRules(unchanged=unchanged)
    found += shape_rules.check(schema, place, None if not_structural or wrong_defaults else static)
    errors.extend([*found, *static.together(place)])


def _default_rules(value: Any, schema: Structural, path: str) -> Errors:
    """What the rules of a place say of its default: unchanged, and as something new."""
    node = cel_rules.compiled(schema, root=False)
    if node is None:
        return []
    evaluation = cel_rules.Evaluation()
    evaluation.run(node, value, value, path)
    if not evaluation.errors:
        evaluation.run(node, value, None, path)
    return evaluation.errors


def _status_root(errors: Errors, schema: Json, path: str) -> None:
    """The status is also checked alone, so nothing at the root may speak about it."""
    for field in schema:
        if field == "type" and schema["type"] != "object":
            text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
            errors.append(fe.invalid_value(f"{path}.openAPIV3Schema.type", schema["type"], text))
            return
        if field not in _AT_STATUS_ROOT:
            shown = " ".join(_AT_STATUS_ROOT.values())
            text = f"only [{shown}] fields are allowed at the root of the schema if the status subresource is enabled"
            errors.append(fe.invalid_value(f"{path}.openAPIV3Schema", schema, text))
            return


def _scale(errors: Errors, scale: Json, path: str) -> None:
    for field, prefix in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value, place = scale.get(field, ""), f"{path}.scale.{field}"
        if not value:
            errors.append(fe.required(place))
        elif _simple_path(errors, value, place) and not value.startswith(prefix):
            text = f"should be a json path under {prefix[:-1]}"
            errors.append(fe.invalid_value(place, value, text))
    value, place = scale.get("labelSelectorPath") or "", f"{path}.scale.labelSelectorPath"
    if value and _simple_path(errors, value, place) and not value.startswith((".spec.", ".status.")):
        errors.append(fe.invalid_value(place, value, "should be a json path under either .spec or .status"))


def _simple_path(errors: Errors, value: str, place: str) -> bool:
    if value.startswith("."):
        return True
    errors.append(fe.invalid_value(place, value, "must be a simple json path starting with ."))
    return False


def _column(errors: Errors, column: Json, path: str) -> None:
    if not column.get("name"):
        errors.append(fe.required(f"{path}.name"))
    kind, form = column.get("type", ""), column.get("format", "")
    text = f"must be one of {','.join(COLUMN_TYPES)}"
    if not kind:
        errors.append(fe.required(f"{path}.type", text))
    elif kind not in COLUMN_TYPES:
        errors.append(fe.invalid_value(f"{path}.type", kind, text))
    if form and form not in COLUMN_FORMATS:
        errors.append(fe.invalid_value(f"{path}.format", form, f"must be one of {','.join(COLUMN_FORMATS)}"))
    if not column.get("jsonPath"):
        errors.append(fe.required(f"{path}.JSONPath"))
    else:
        _simple_path(errors, column["jsonPath"], f"{path}.JSONPath")


def _selectable(errors: Errors, fields: list[Json], schema: Json, path: str, *, kept: bool) -> None:
    tree, seen = Structural(schema), set()
    for index, row in enumerate(fields):
        value, place = row.get("jsonPath", ""), f"{path}[{index}].jsonPath"
        if not value:
            errors.append(fe.required(place))
            continue
        try:
            found = field_paths.find(value, tree, arrays=False)
        except field_paths.FieldPathError as error:
            errors.append(fe.invalid_value(place, value, f"is an invalid path: {error}"))
            continue
        if found.names[:1] == ("metadata",):
            errors.append(fe.invalid_value(place, value, "must not point to fields in metadata"))
        if found.schema is None or found.schema.type not in {"string", "boolean", "integer"}:
            text = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed."
            )
            errors.append(fe.invalid_value(place, value, text))
        if found.path in seen:
            errors.append(fe.duplicate(place, value))
        seen.add(found.path)
    if len(seen) > MAX_SELECTABLE_FIELDS and not kept:
        errors.append(fe.too_many(path, len(seen), MAX_SELECTABLE_FIELDS))


# ── conversion, status, approval ──


def _conversion(errors: Errors, conversion: Json | None, *, established: bool, old: Json | None) -> None:
    if conversion is None:
        return
    strategy, webhook = conversion.get("strategy", ""), conversion.get("webhook") or {}
    common.one_of(errors, "spec.conversion.strategy", strategy, ("None", "Webhook"))
    config, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    path, place = "spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions"
    if strategy != "Webhook":
        if config is not None:
            errors.append(fe.forbidden_value(path, "should not be set when strategy is not set to Webhook"))
        if versions:
            errors.append(fe.forbidden_value(place, "should not be set when strategy is not set to Webhook"))
        return
    if config is None:
        errors.append(fe.required(path, "required when strategy is set to Webhook"))
    else:
        extensions.client_config(errors, path, config)
        bundle, before = config.get("caBundle"), _client_config_of(old).get("caBundle")
        # A definition nobody uses yet, or which was wrong before, may wait for its bundle.
        if bundle and established and not _holds_certificates(bundle) and (not before or _holds_certificates(before)):
            text = "unable to load root certificates: data does not contain any valid RSA or ECDSA certificates"
            errors.append(fe.invalid_value(f"{path}.caBundle", bundle, text))
    _review_versions(errors, versions, place, _review_versions_of(old))


def _client_config_of(conversion: Json | None) -> Json:
    return ((conversion or {}).get("webhook") or {}).get("clientConfig") or {}


def _holds_certificates(bundle: str) -> bool:
    try:
        return bool(x509.load_pem_x509_certificates(base64.b64decode(bundle)))
    except ValueError:
        return False


def _review_versions_of(conversion: Json | None) -> list[str]:
    found: list[str] = ((conversion or {}).get("webhook") or {}).get("conversionReviewVersions") or []
    return found


def _review_versions(errors: Errors, versions: list[str], place: str, old: list[str]) -> None:
    if not versions:
        errors.append(fe.required(place))
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            errors.append(fe.invalid_value(f"{place}[{index}]", version, "duplicate version"))
        else:
            common.add_invalid(errors, f"{place}[{index}]", version, names.dns_1035_label(version))
    required = not old or bool(set(old) & set(REVIEW_VERSIONS))
    if required and not set(versions) & set(REVIEW_VERSIONS):
        text = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        errors.append(fe.invalid_value(place, versions, text))


def _status(errors: Errors, document: Json) -> None:
    status = document.get("status") or {}
    _names(errors, status.get("acceptedNames") or {}, "status.acceptedNames")
    stored, path = status.get("storedVersions") or [], "status.storedVersions"
    if not stored:
        errors.append(fe.invalid_value(path, stored, "must have at least one stored version"))
        return
    listed = (document.get("spec") or {}).get("versions") or ()
    versions: Mapping[str, Json] = {version["name"]: version for version in listed if "name" in version}
    for name, version in versions.items():
        if version.get("storage") and name not in stored:
            errors.append(fe.invalid_value(path, stored, f"must have the storage version {name}"))
    for index, name in enumerate(stored):
        if name not in versions:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            errors.append(fe.invalid_value(f"{path}[{index}]", name, text))


def _approval(errors: Errors, new: Json, old: Json | None) -> None:
    if not definitions.is_protected((new.get("spec") or {}).get("group", "")):
        return
    _, reason, message = definitions.approval(new)
    if old is not None and definitions.approval(old)[1] == reason:
        return
    path = f"metadata.annotations[{definitions.APPROVED_ANNOTATION}]"
    if reason == "MissingAnnotation":
        errors.append(fe.required(path, message))
    elif reason == "InvalidAnnotation":
        annotation = new["metadata"]["annotations"][definitions.APPROVED_ANNOTATION]
        errors.append(fe.invalid_value(path, annotation, message))


def _preserve(errors: Errors, new: Json, old: Json | None) -> None:
    if old is not None and (old.get("spec") or {}).get("preserveUnknownFields"):
        return
    if (new.get("spec") or {}).get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        errors.append(fe.invalid_value("spec.preserveUnknownFields", True, text))
