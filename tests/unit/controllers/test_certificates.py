import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pybernetes.api import certificates_v1, meta_v1
from pybernetes.controllers.certificates import issuing, requests
from pybernetes.controllers.certificates.controller import is_over
from pybernetes.controllers.certificates.requests import Names

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NODE = Names("system:node:a", ("system:nodes",))
SERVING = Names("system:node:a", ("system:nodes",), dns_names=("a",))
CLIENT_USAGES = ["digital signature", "key encipherment", "client auth"]
SERVER_USAGES = ["digital signature", "key encipherment", "server auth"]


def pem_request(*organizations: str, name: str = "jane", names: list[x509.GeneralName] | None = None) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def authority(life: timedelta = timedelta(days=3650)) -> issuing.Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return issuing.Authority(certificate.public_bytes(serialization.Encoding.PEM), private)


def signed(who: issuing.Authority, request: str, usages: list[str], life: timedelta) -> x509.Certificate:
    text = who.sign(requests.parse(request), usages, life, NOW, b"\x07" * 16)
    return x509.load_pem_x509_certificate(base64.b64decode(text))


def test_a_request_says_who_it_is_for() -> None:
    alternative: list[x509.GeneralName] = [x509.DNSName("a"), x509.RFC822Name("a@example.com")]
    found = requests.names_of(requests.parse(pem_request("system:nodes", name="system:node:a", names=alternative)))
    assert found == Names("system:node:a", ("system:nodes",), dns_names=("a",), emails=("a@example.com",))


@pytest.mark.parametrize("request_text", ["", "!", base64.b64encode(b"no request").decode()])
def test_what_is_no_request_is_unreadable(request_text: str) -> None:
    with pytest.raises(requests.Unreadable, match="unable to parse csr"):
        requests.parse(request_text)


@pytest.mark.parametrize(
    ("signer", "names", "usages"),
    [
        (requests.KUBELET_CLIENT, NODE, CLIENT_USAGES),
        (requests.KUBELET_CLIENT, NODE, ["digital signature", "client auth"]),
        (requests.KUBELET_SERVING, SERVING, SERVER_USAGES),
        (requests.CLIENT, Names("jane", ()), ["client auth"]),
        (requests.LEGACY_UNKNOWN, Names("", ()), ["any"]),
    ],
)
def test_signers_accept_what_they_are_for(signer: str, names: Names, usages: list[str]) -> None:
    requests.check(signer, names, usages)


@pytest.mark.parametrize(
    ("signer", "names", "usages", "text"),
    [
        (requests.KUBELET_CLIENT, Names("system:node:a", ()), CLIENT_USAGES, "organization is not system:nodes"),
        (requests.KUBELET_CLIENT, Names("a", ("system:nodes",)), CLIENT_USAGES, "does not begin with system:node: "),
        (requests.KUBELET_CLIENT, SERVING, CLIENT_USAGES, "DNS subjectAltNames are not allowed"),
        (requests.KUBELET_CLIENT, NODE, SERVER_USAGES, "usages did not match"),
        (requests.KUBELET_SERVING, NODE, SERVER_USAGES, "DNS or IP subjectAltName is required"),
        (requests.KUBELET_SERVING, SERVING, CLIENT_USAGES, "usages did not match"),
        (requests.CLIENT, Names("jane", ()), SERVER_USAGES, "invalid usages for client certificate"),
        (requests.CLIENT, Names("jane", ()), ["digital signature"], "invalid usages for client certificate"),
    ],
)
def test_signers_refuse_the_rest(signer: str, names: Names, usages: list[str], text: str) -> None:
    with pytest.raises(requests.NotAllowed, match=text):
        requests.check(signer, names, usages)


def test_a_certificate_has_the_names_and_usages_that_were_asked_for() -> None:
    alternative: list[x509.GeneralName] = [x509.DNSName("a.example.com")]
    request = pem_request("team", names=alternative)
    found = signed(authority(), request, SERVER_USAGES, timedelta(days=1))
    assert found.subject.rfc4514_string() == "O=team,CN=jane"
    assert found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == x509.SubjectAlternativeName(
        alternative
    )
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.key_encipherment
    assert not usage.key_cert_sign
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_certificate_lives_no_longer_than_its_authority() -> None:
    found = signed(authority(timedelta(hours=2)), pem_request(), ["client auth"], timedelta(days=1))
    assert found.not_valid_after_utc == NOW + timedelta(hours=2)
    with pytest.raises(issuing.CannotSign, match="expired"):
        signed(authority(-timedelta(hours=1)), pem_request(), ["client auth"], timedelta(days=1))


def test_only_long_lives_are_dated_back() -> None:
    long = signed(authority(), pem_request(), ["client auth"], timedelta(days=1))
    assert long.not_valid_before_utc == NOW - timedelta(minutes=5)
    short = signed(authority(), pem_request(), ["client auth"], timedelta(hours=1))
    assert (short.not_valid_before_utc, short.not_valid_after_utc) == (NOW, NOW + timedelta(hours=1))


def test_unknown_usages_are_not_signed() -> None:
    with pytest.raises(issuing.CannotSign, match="unrecognized usage values: flying"):
        signed(authority(), pem_request(), ["flying"], timedelta(days=1))


def test_the_life_asked_for_lies_between_ten_minutes_and_the_clusters_own() -> None:
    most = timedelta(days=1)
    assert issuing.life(None, most) == most
    assert issuing.life(1, most) == timedelta(minutes=10)
    assert issuing.life(3600, most) == timedelta(hours=1)
    assert issuing.life(10**9, most) == most


def request_object(
    age: timedelta, certificate: str = "", **condition: Any
) -> certificates_v1.CertificateSigningRequest:
    at = (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = []
    if condition:
        conditions = [certificates_v1.CertificateSigningRequestCondition(status="True", lastUpdateTime=at, **condition)]
    return certificates_v1.CertificateSigningRequest(
        metadata=meta_v1.ObjectMeta(name="x", creationTimestamp=at),
        status=certificates_v1.CertificateSigningRequestStatus(certificate=certificate, conditions=conditions),
    )


@pytest.mark.parametrize(
    ("request_", "over"),
    [
        (request_object(timedelta(hours=23)), False),
        (request_object(timedelta(hours=25)), True),
        (request_object(timedelta(minutes=59), type="Denied"), False),
        (request_object(timedelta(minutes=61), type="Denied"), True),
        (request_object(timedelta(minutes=61), type="Failed"), True),
        (request_object(timedelta(hours=99), type="Approved"), False),
        (request_object(timedelta(minutes=61), "c", type="Approved"), True),
        (request_object(timedelta(minutes=59), "c", type="Approved"), False),
    ],
)
def test_requests_go_when_nobody_waits_for_them(
    request_: certificates_v1.CertificateSigningRequest, *, over: bool
) -> None:
    assert is_over(request_, NOW, None) is over


def test_requests_go_with_their_certificate() -> None:
    fresh = request_object(timedelta(minutes=1), "c", type="Approved")
    assert is_over(fresh, NOW, NOW - timedelta(seconds=1))
    assert not is_over(fresh, NOW, NOW + timedelta(seconds=1))
