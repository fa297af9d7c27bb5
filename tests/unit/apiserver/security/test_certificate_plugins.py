import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
)
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.bootstrap import notation
from pybernetes.apiserver.request import Document
from pybernetes.machinery.errors import Forbidden
from support.security import ALICE, Objects, meta, request

GROUP = "certificates.k8s.io"


def signing_request(organization: str, signer: str = "kubernetes.io/kube-apiserver-client") -> Document:
    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, "eve"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
    ]
    key = ec.generate_private_key(ec.SECP256R1())
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    text = base64.b64encode(built.public_bytes(serialization.Encoding.PEM)).decode()
    return {"metadata": meta("c"), "spec": {"request": text, "signerName": signer}}


def test_nobody_becomes_a_superuser_by_a_certificate() -> None:
    asked = request("CREATE", "certificatesigningrequests", signing_request("system:masters"), group=GROUP)
    with pytest.raises(Forbidden, match="signer with system:masters group is not allowed"):
        CertificateSubjectRestriction().validate(asked)
    for harmless in (signing_request("team"), signing_request("system:masters", "example.com/other")):
        asked = request("CREATE", "certificatesigningrequests", harmless, group=GROUP)
        CertificateSubjectRestriction().validate(asked)


@pytest.mark.parametrize(
    ("names", "allowed"), [("[example.com/a]", True), ("[example.com/*]", True), ("[example.com/b]", False)]
)
def test_approving_and_signing_need_the_signers_permission(names: str, allowed: bool) -> None:
    objects = Objects()
    role = notation.cluster_role("r", f"approve,sign certificates.k8s.io signers {names}")
    objects.put(notation.RBAC, "clusterroles", role)
    objects.put(notation.RBAC, "clusterrolebindings", notation.binding("b", "r", f"User:{ALICE.name}"))
    authorizer = Authorizer(objects)
    authorizer.follow()
    old = {"metadata": meta("c"), "spec": {"signerName": "example.com/a"}}
    new = {**old, "status": {"certificate": "x"}}
    approval, signing = CertificateApproval(authorizer), CertificateSigning(authorizer)
    for plugin, subresource in ((approval, "approval"), (signing, "status")):
        asked = request("UPDATE", "certificatesigningrequests", new, old=old, group=GROUP, subresource=subresource)
        if allowed:
            plugin.validate(asked)
        else:
            with pytest.raises(Forbidden, match=r'requests with signerName "example\.com/a"'):
                plugin.validate(asked)
