"""Checks of the volumes of a pod. Follows: pkg/apis/core/validation/validation.go, ValidateVolumes."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api.validation import environment
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]
Check = Callable[[Errors, str, Json], None]

FILE_MODE: Final = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES: Final = (
    *("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"),
)
_MIN_TOKEN_SECONDS: Final = 600
_MAX_TOKEN_SECONDS: Final = 2**32


def volumes(errors: Errors, path: str, items: list[Json]) -> dict[str, Json]:
    """The volumes by name, those without complaint about the name."""
    found: dict[str, Json] = {}
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        name = item.get("name", "")
        before = len(errors)
        if not name:
            errors.append(fe.required(f"{place}.name"))
        elif complaints := names.dns_label(name):
            add_invalid(errors, f"{place}.name", name, complaints)
        if name in found:
            errors.append(fe.duplicate(f"{place}.name", name))
        if len(errors) == before:
            found[name] = item
        _source(errors, place, item)
    return found


def _source(errors: Errors, path: str, item: Json) -> None:
    count = 0
    for kind, source in item.items():
        if kind == "name" or type(source) is not dict:
            continue
        count += 1
        if count > 1:
            errors.append(fe.forbidden_value(f"{path}.{kind}", "may not specify more than 1 volume type"))
            continue
        check = _SOURCES.get(kind)
        if check is not None:
            check(errors, f"{path}.{kind}", source)
    if not count:
        errors.append(fe.required(path, "must specify a volume type"))


def _required(*fields: str) -> Check:
    def check(errors: Errors, path: str, source: Json) -> None:
        errors.extend(fe.required(f"{path}.{field}") for field in fields if not source.get(field))

    return check


def mode(errors: Errors, path: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= 0o777:
        errors.append(fe.invalid_value(path, value, FILE_MODE))


def descending_path(errors: Errors, path: str, target: str) -> None:
    """Relative and without steps back."""
    if target.startswith("/"):
        errors.append(fe.invalid_value(path, target, "must be a relative path"))
    no_steps_back(errors, path, target)


def no_steps_back(errors: Errors, path: str, target: str) -> None:
    if ".." in target and ".." in target.split("/"):
        errors.append(fe.invalid_value(path, target, "must not contain '..'"))


def _file_path(errors: Errors, path: str, target: str) -> None:
    if not target:
        errors.append(fe.required(path))
        return
    descending_path(errors, path, target)
    if target.startswith("..") and not target.startswith("../"):
        errors.append(fe.invalid_value(path, target, "must not start with '..'"))


def _items(errors: Errors, path: str, source: Json) -> None:
    for index, item in enumerate(source.get("items") or ()):
        place = f"{path}.items[{index}]"
        if not item.get("key"):
            errors.append(fe.required(f"{place}.key"))
        _file_path(errors, f"{place}.path", item.get("path", ""))
        mode(errors, f"{place}.mode", item.get("mode"))


def _empty_dir(errors: Errors, path: str, source: Json) -> None:
    if str(source.get("sizeLimit", "")).startswith("-"):
        text = "SizeLimit field must be a valid resource quantity"
        errors.append(fe.forbidden_value(f"{path}.sizeLimit", text))


def host_path(errors: Errors, path: str, source: Json) -> None:
    if not source.get("path"):
        errors.append(fe.required(f"{path}.path"))
    else:
        no_steps_back(errors, f"{path}.path", source["path"])
    if source.get("type", "") not in _HOST_PATH_TYPES:
        errors.append(fe.not_supported(f"{path}.type", source["type"], _HOST_PATH_TYPES))


def _secret(errors: Errors, path: str, source: Json) -> None:
    if not source.get("secretName"):
        errors.append(fe.required(f"{path}.secretName"))
    mode(errors, f"{path}.defaultMode", source.get("defaultMode"))
    _items(errors, path, source)


def _config_map(errors: Errors, path: str, source: Json) -> None:
    if not source.get("name"):
        errors.append(fe.required(f"{path}.name"))
    mode(errors, f"{path}.defaultMode", source.get("defaultMode"))
    _items(errors, path, source)


def _downward(errors: Errors, path: str, source: Json) -> None:
    mode(errors, f"{path}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        place = f"{path}.items[{index}]"
        _file_path(errors, f"{place}.path", item.get("path", ""))
        environment.downward_source(errors, place, item)
        mode(errors, f"{place}.mode", item.get("mode"))


def _token(errors: Errors, path: str, source: Json) -> None:
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_TOKEN_SECONDS:
        text = "may not specify a duration less than 10 minutes"
        errors.append(fe.invalid_value(f"{path}.expirationSeconds", seconds, text))
    elif seconds is not None and seconds > _MAX_TOKEN_SECONDS:
        text = "may not specify a duration larger than 2^32 seconds"
        errors.append(fe.invalid_value(f"{path}.expirationSeconds", seconds, text))
    _file_path(errors, f"{path}.path", source.get("path", ""))


def _projected(errors: Errors, path: str, source: Json) -> None:
    mode(errors, f"{path}.defaultMode", source.get("defaultMode"))
    taken: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        place = f"{path}.sources[{index}]"
        kinds = [kind for kind, value in part.items() if type(value) is dict]
        for kind in kinds[1:]:
            errors.append(fe.forbidden_value(f"{place}.{kind}", "may not specify more than 1 volume type"))
        if not kinds:
            errors.append(fe.required(place, "must specify a volume type"))
            continue
        kind, value = kinds[0], part[kinds[0]]
        match kind:
            case "secret" | "configMap":
                if not value.get("name"):
                    errors.append(fe.required(f"{place}.{kind}.name"))
                _items(errors, f"{place}.{kind}", value)
                targets = [item.get("path", "") for item in value.get("items") or ()]
            case "downwardAPI":
                _downward(errors, f"{place}.{kind}", value)
                targets = [item.get("path", "") for item in value.get("items") or ()]
            case "serviceAccountToken":
                _token(errors, f"{place}.{kind}", value)
                targets = [value.get("path", "")]
            case _:
                targets = [value.get("path", "")] if "path" in value else []
        for target in targets:
            if target and target in taken:
                errors.append(fe.invalid_value(place, target, "conflicting duplicate paths"))
            taken.add(target)


def _nfs(errors: Errors, path: str, source: Json) -> None:
    _required("server", "path")(errors, path, source)
    if source.get("path") and not source["path"].startswith("/"):
        errors.append(fe.invalid_value(f"{path}.path", source["path"], "must be an absolute path"))


def _ephemeral(errors: Errors, path: str, source: Json) -> None:
    if "volumeClaimTemplate" not in source:
        errors.append(fe.required(f"{path}.volumeClaimTemplate"))


_SOURCES: Final[Mapping[str, Check]] = {
    "emptyDir": _empty_dir,
    "hostPath": host_path,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
    "persistentVolumeClaim": _required("claimName"),
    "nfs": _nfs,
    "csi": _required("driver"),
    "ephemeral": _ephemeral,
    "iscsi": _required("targetPortal", "iqn"),
    "rbd": _required("monitors", "image"),
    "cephfs": _required("monitors"),
    "glusterfs": _required("endpoints", "path"),
    "flexVolume": _required("driver"),
    "gcePersistentDisk": _required("pdName"),
    "awsElasticBlockStore": _required("volumeID"),
    "cinder": _required("volumeID"),
    "azureFile": _required("secretName", "shareName"),
    "azureDisk": _required("diskName", "diskURI"),
    "gitRepo": _required("repository"),
}


def source_of_persistent_volume(errors: Errors, path: str, spec: Json, kinds: frozenset[str]) -> None:
    """Exactly one of the sources a PersistentVolume may have."""
    present = [kind for kind in spec if kind in kinds]
    for kind in present[1:]:
        errors.append(fe.forbidden_value(f"{path}.{kind}", "may not specify more than 1 volume type"))
    if not present:
        errors.append(fe.required(path, "must specify a volume type"))
        return
    check = _SOURCES.get(present[0])
    if check is not None:
        check(errors, f"{path}.{present[0]}", spec[present[0]])
