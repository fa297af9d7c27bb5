"""What a CertificateSigningRequest asks for, and which of the built-in signers may answer. Pure.

    kubernetes.io/kube-apiserver-client           any client of the API server
    kubernetes.io/kube-apiserver-client-kubelet   kubelets as clients: O=system:nodes, CN=system:node:NAME, no more
    kubernetes.io/kubelet-serving                 kubelets as servers: the same subject, with DNS names or addresses
    kubernetes.io/legacy-unknown                  anything, trusted by nobody in particular

Follows: kubernetes 1.36 pkg/apis/certificates/helpers.go; pkg/controller/certificates/signer/signer.go,
getCSRVerificationFuncForSignerName; pkg/controller/certificates/certificate_controller_utils.go.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from pybernetes.api import certificates_v1

CSR = certificates_v1.CertificateSigningRequest

CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING: Final = "kubernetes.io/kubelet-serving"
LEGACY_UNKNOWN: Final = "kubernetes.io/legacy-unknown"
SIGNERS: Final = frozenset({CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY_UNKNOWN})

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"

NODES: Final = "system:nodes"
NODE_PREFIX: Final = "system:node:"
_ENCIPHERMENT: Final = "key encipherment"
_CLIENT_USAGES: Final = frozenset({"digital signature", _ENCIPHERMENT, "client auth"})
_SERVING_USAGES: Final = frozenset({"digital signature", _ENCIPHERMENT, "server auth"})


class NotAllowed(ValueError):
    """The signer must not sign this; the text is the message of the Failed condition."""


class Unreadable(ValueError):
    """`spec.request` holds no certificate request."""


@dataclass(frozen=True, slots=True)
class Names:
    """Who a certificate would be for."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def parse(request: str) -> x509.CertificateSigningRequest:
    """The request in base64 of PEM, as `spec.request` holds it.

    Raises:
        Unreadable.
    """
    try:
        return x509.load_pem_x509_csr(base64.b64decode(request, validate=True))
    except (ValueError, binascii.Error) as error:
        raise Unreadable(f"unable to parse csr: {error}") from None


def names_of(parsed: x509.CertificateSigningRequest) -> Names:
    """The subject and the alternative names.

    Raises:
        Unreadable: the alternative names make no sense.
    """
    subject = parsed.subject
    common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = tuple(str(row.value) for row in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    common_name = str(common[0].value) if common else ""
    try:
        found = parsed.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return Names(common_name, organizations)
    except (ValueError, x509.DuplicateExtension) as error:
        raise Unreadable(f"unable to parse csr: {error}") from None
    assert isinstance(found, x509.SubjectAlternativeName)
    return Names(
        common_name,
        organizations,
        tuple(found.get_values_for_type(x509.DNSName)),
        tuple(str(address) for address in found.get_values_for_type(x509.IPAddress)),
        tuple(found.get_values_for_type(x509.RFC822Name)),
        tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def check(signer: str, names: Names, usages: list[str]) -> None:
    """Refuse what a signer must not sign.

    Raises:
        NotAllowed.
    """
    if signer == KUBELET_SERVING:
        check_kubelet_serving(names, usages)
    elif signer == KUBELET_CLIENT:
        check_kubelet_client(names, usages)
    elif signer == CLIENT and not ("client auth" in usages and _CLIENT_USAGES.issuperset(usages)):
        raise NotAllowed(f"invalid usages for client certificate: {_shown(usages)}")


def check_kubelet_client(names: Names, usages: list[str]) -> None:
    """A kubelet's certificate as a client names the node and nothing else.

    Raises:
        NotAllowed.
    """
    _check_node(names)
    for kind, values in (("DNS", names.dns_names), ("email", names.emails), ("IP", names.addresses)):
        if values:
            raise NotAllowed(f"{kind} subjectAltNames are not allowed")
    if names.uris:
        raise NotAllowed("URI subjectAltNames are not allowed")
    _check_prefix(names)
    _check_usages(usages, _CLIENT_USAGES)


def check_kubelet_serving(names: Names, usages: list[str]) -> None:
    """A kubelet's certificate as a server names the node, and where it is reached.

    Raises:
        NotAllowed.
    """
    _check_node(names)
    if not names.dns_names and not names.addresses:
        raise NotAllowed("DNS or IP subjectAltName is required")
    if names.emails:
        raise NotAllowed("email subjectAltNames are not allowed")
    if names.uris:
        raise NotAllowed("URI subjectAltNames are not allowed")
    _check_usages(usages, _SERVING_USAGES)
    _check_prefix(names)


def _check_node(names: Names) -> None:
    if names.organizations != (NODES,):
        raise NotAllowed("subject organization is not system:nodes")


def _check_prefix(names: Names) -> None:
    if not names.common_name.startswith(NODE_PREFIX):
        raise NotAllowed("subject common name does not begin with system:node: ")


def _check_usages(usages: list[str], required: frozenset[str]) -> None:
    if set(usages) not in (required, required - {_ENCIPHERMENT}):
        raise NotAllowed(f"usages did not match {_shown(sorted(required))}")


def _shown(usages: list[str]) -> str:
    return f"[{' '.join(usages)}]"


def has(request: CSR, kind: str) -> bool:
    """Whether a condition of this type is there. Approved and Denied hold whatever their status says."""
    conditions = request.status.conditions
    return any(c.type == kind and (kind != FAILED or c.status in {"", "True"}) for c in conditions)


def is_self_renewal(request: CSR, names: Names) -> bool:
    """A kubelet asks for another certificate like the one it presents."""
    return request.spec.username == names.common_name
