"""Who may approve and sign which certificates, and that nobody becomes a superuser by one.

Follows: kubernetes plugin/pkg/admission/certificates/{approval,signing,subjectrestriction,ctbattest}.
"""

import base64
import binascii
from typing import ClassVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from pybernetes.apiserver.admission.plugin import CREATE, UPDATE, Kinds, Plugin, deny, spec_of
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.request import MASTERS_GROUP, AdmissionRequest, RequestInfo

GROUP = "certificates.k8s.io"
REQUESTS: Kinds = frozenset({(GROUP, "certificatesigningrequests")})
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def _may(authorizer: Authorizer, request: AdmissionRequest, verb: str, signer: str) -> bool:
    """Follows: plugin/pkg/admission/certificates/util.go, IsAuthorizedForSignerName: the name, else `domain/*`."""
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        info = RequestInfo(verb, "", is_resource=True, group=GROUP, version="*", resource="signers", name=name)
        if authorizer.authorize(request.user, info).allowed:
            return True
    return False


class CertificateApproval(Plugin):
    NAME = "CertificateApproval"
    KINDS = REQUESTS
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({UPDATE})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({"approval"})

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validate(self, request: AdmissionRequest) -> None:
        signer = ((request.old or {}).get("spec") or {}).get("signerName", "")
        if not _may(self._authorizer, request, "approve", signer):
            raise deny(request, f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(Plugin):
    NAME = "CertificateSigning"
    KINDS = REQUESTS
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({UPDATE})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({"status"})

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validate(self, request: AdmissionRequest) -> None:
        old, new = (request.old or {}).get("status") or {}, (request.object or {}).get("status") or {}
        same_conditions = (old.get("conditions") or []) == (new.get("conditions") or [])
        if old.get("certificate") == new.get("certificate") and same_conditions:
            return
        signer = ((request.old or {}).get("spec") or {}).get("signerName", "")
        if not _may(self._authorizer, request, "sign", signer):
            raise deny(request, f'user not permitted to sign requests with signerName "{signer}"')


class ClusterTrustBundleAttest(Plugin):
    NAME = "ClusterTrustBundleAttest"
    KINDS: ClassVar[Kinds | None] = frozenset({(GROUP, "clustertrustbundles")})
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validate(self, request: AdmissionRequest) -> None:
        signer = spec_of(request).get("signerName", "")
        if signer and not _may(self._authorizer, request, "attest", signer):
            raise deny(request, f'user not permitted to attest for signerName "{signer}"')


class CertificateSubjectRestriction(Plugin):
    NAME = "CertificateSubjectRestriction"
    KINDS = REQUESTS

    def validate(self, request: AdmissionRequest) -> None:
        spec = spec_of(request)
        if spec.get("signerName") != CLIENT_SIGNER:
            return
        try:
            parsed = x509.load_pem_x509_csr(base64.b64decode(spec.get("request", "")))
        except (ValueError, binascii.Error) as error:
            raise deny(request, f"failed to parse CSR: {error}") from error
        groups = [row.value for row in parsed.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        if MASTERS_GROUP in groups:
            raise deny(request, f"use of {CLIENT_SIGNER} signer with {MASTERS_GROUP} group is not allowed")
