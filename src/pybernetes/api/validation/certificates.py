"""Checks of trust bundles, candidates for leases and migrations of stored versions.

Follows: pkg/apis/certificates/validation, ValidateClusterTrustBundle; pkg/apis/coordination/validation;
pkg/apis/storagemigration/validation.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from cryptography import x509

from pybernetes.api.validation import access, common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

MAX_BUNDLE_BYTES: Final = 1024 * 1024
_BEGIN: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_VERSION: Final = re.compile(r"v?([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:[-+].*)?", re.ASCII)
OLDEST: Final = "OldestEmulationVersion"


def trust_bundle(errors: Errors, document: Json) -> None:
    """The name tells the signer, and the content is certificates of authorities."""
    name, spec = (document.get("metadata") or {}).get("name", ""), document.get("spec") or {}
    signer = spec.get("signerName", "")
    if signer:
        access.signer_name(errors, "spec.signerName", signer)
        prefix = f"{signer.replace('/', ':')}:"
        if not name.startswith(prefix):
            text = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
            errors.append(fe.invalid_value("metadata.name", name, text))
        else:
            add_invalid(errors, "metadata.name", name, names.dns_subdomain(name.removeprefix(prefix)))
    elif ":" in name:
        text = 'ClusterTrustBundle without signer name must not have ":" in its name'
        errors.append(fe.invalid_value("metadata.name", name, text))
    else:
        add_invalid(errors, "metadata.name", name, names.dns_subdomain(name))
    _anchors(errors, "spec.trustBundle", spec.get("trustBundle", ""))


def _anchors(errors: Errors, path: str, text: str) -> None:
    data = text.encode()
    if len(data) > MAX_BUNDLE_BYTES:
        errors.append(fe.too_long(path, MAX_BUNDLE_BYTES))
        return
    seen: dict[bytes, int] = {}
    for index, (kind, block) in enumerate(_blocks(data)):
        if kind != "CERTIFICATE":
            errors.append(fe.invalid_value(path, "<value omitted>", f"entry {index} has bad block type: {kind}"))
            continue
        try:
            anchor = x509.load_pem_x509_certificate(block)
        except ValueError:
            errors.append(fe.invalid_value(path, "<value omitted>", f"entry {index} does not parse as X.509"))
            continue
        if not _is_authority(anchor):
            errors.append(fe.invalid_value(path, "<value omitted>", f"entry {index} does not have the CA bit set"))
        first = seen.setdefault(anchor.tbs_certificate_bytes, index)
        if first != index:
            text = f"duplicate trust anchor (indices [{first} {index}])"
            errors.append(fe.invalid_value(path, "<value omitted>", text))
    if not seen:
        errors.append(fe.invalid_value(path, "<value omitted>", "at least one trust anchor must be provided"))


def _blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Kind and text of each PEM block up to the first that does not end, so that the work grows with the length."""
    start = _BEGIN.search(data)
    while start is not None:
        footer = b"-----END " + start[1] + b"-----"
        end = data.find(footer, start.end())
        if end < 0:
            return
        yield start[1].decode(), data[start.start() : end + len(footer)]
        start = _BEGIN.search(data, end + len(footer))


def _is_authority(anchor: x509.Certificate) -> bool:
    try:
        return anchor.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def trust_bundle_update(errors: Errors, new: Json, old: Json) -> None:
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    if spec.get("trustBundle") != stored.get("trustBundle"):
        trust_bundle(errors, new)
    common.immutable(errors, "spec.signerName", spec.get("signerName", ""), stored.get("signerName", ""))


def lease_candidate(errors: Errors, document: Json) -> None:
    """Which lease, by which strategy, and of which versions the candidate is."""
    spec = document.get("spec") or {}
    for field in ("leaseName", "binaryVersion"):
        if not spec.get(field):
            errors.append(fe.required(f"spec.{field}"))
    strategy = spec.get("strategy", "")
    if not strategy:
        errors.append(fe.required("spec.strategy"))
    elif strategy == OLDEST and not spec.get("emulationVersion"):
        text = f"must be specified when `strategy` is '{OLDEST}'"
        errors.append(fe.required("spec.emulationVersion", text))
    read: dict[str, tuple[int, ...]] = {}
    for field in ("binaryVersion", "emulationVersion"):
        found = _VERSION.fullmatch(spec.get(field, ""))
        if found:
            read[field] = tuple(int(part or 0) for part in found.groups())
        elif spec.get(field):
            errors.append(fe.invalid_value(f"spec.{field}", spec[field], "must be a version, such as 1.36.0"))
    if len(read) == 2 and read["binaryVersion"] < read["emulationVersion"]:
        text = "must be greater than or equal to `emulationVersion`"
        errors.append(fe.invalid_value("spec.binaryVersion", spec["binaryVersion"], text))


def lease_candidate_update(errors: Errors, new: Json, old: Json) -> None:
    lease_candidate(errors, new)
    now, before = ((d.get("spec") or {}).get("leaseName") for d in (new, old))
    common.immutable(errors, "spec.leaseName", now, before)


def migration(errors: Errors, document: Json) -> None:
    if not ((document.get("spec") or {}).get("resource") or {}).get("resource"):
        errors.append(fe.required("spec.resource.resource", "resource is required"))


def migration_update(errors: Errors, new: Json, old: Json) -> None:
    migration(errors, new)
    common.immutable(errors, "spec", new.get("spec"), old.get("spec"))
