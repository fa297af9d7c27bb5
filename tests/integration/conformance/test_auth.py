"""What the official suite asks of certificates, service accounts and access reviews."""

from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integration.conformance.suite import Json, Suite, made, pod_spec
from support.encoding import base64_text

pytestmark = pytest.mark.asyncio(loop_scope="module")

CERTIFICATES = "/apis/certificates.k8s.io/v1"
REQUESTS = f"{CERTIFICATES}/certificatesigningrequests"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
ROOT_CA = "kube-root-ca.crt"


def signing_request(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made_ = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return base64_text(made_.public_bytes(serialization.Encoding.PEM))


@pytest.mark.conformance("Certificates API should support CSR API operations")
async def test_the_life_of_a_signing_request(suite: Suite) -> None:
    signer = f"{suite.namespace}.example.com/e2e"
    selected = {"fieldSelector": f"spec.signerName={signer}"}
    resources = {row["name"] for row in (await suite.get(CERTIFICATES))["resources"]}
    assert resources >= {f"certificatesigningrequests{sub}" for sub in ("", "/approval", "/status")}
    request = signing_request("e2e-example")
    spec = {"request": request, "signerName": signer, "expirationSeconds": 3600, "usages": ["digital signature"]}
    names = []
    for _ in range(3):
        body = {"metadata": {"generateName": "e2e-example-csr-"}, "spec": spec}
        created = await suite.create(REQUESTS, body)
        names.append(created["metadata"]["name"])
        assert created["spec"]["username"] == "admin"
        assert "system:masters" in created["spec"]["groups"]
        assert created["spec"]["expirationSeconds"] == 3600
    assert sorted(await suite.names(REQUESTS, **selected)) == sorted(names)
    path = f"{REQUESTS}/{names[0]}"
    async with suite.watch(REQUESTS, await suite.get(REQUESTS), **selected) as events:
        patched = await suite.patch(path, {"metadata": {"annotations": {"patched": "true"}}})
        patched["metadata"]["annotations"]["updated"] = "true"
        await suite.update(path, patched)
        assert await events.types(2) == ["MODIFIED", "MODIFIED"]

        approval = await suite.get(f"{path}/approval")
        condition = {"type": "Approved", "status": "True", "reason": "E2E", "message": "Set from an e2e test"}
        approval["status"]["conditions"] = [condition]
        approval["status"]["certificate"] = base64_text(b"ignored here")
        approved = await suite.update(f"{path}/approval", approval)
        assert approved["status"]["conditions"][0].items() >= condition.items()
        assert "certificate" not in approved["status"]
        note = {"metadata": {"annotations": {"patchedapproval": "true"}}}
        await suite.patch(f"{path}/approval", note)

        status = await suite.get(f"{path}/status")
        authority = suite.served.ca.certificate.read_bytes()
        status["status"]["certificate"] = base64_text(authority)
        written = await suite.update(f"{path}/status", status)
        assert written["status"]["certificate"] == base64_text(authority)
        failed = {"type": "Failed", "status": "True", "reason": "E2E", "message": "Set from an e2e test"}
        rows = [*written["status"]["conditions"], failed]
        written = await suite.patch(f"{path}/status", {"status": {"conditions": rows}})
        assert [row["type"] for row in written["status"]["conditions"]] == ["Approved", "Failed"]
        assert written["spec"] == approved["spec"]

        await suite.delete(path)
        assert (await events.until("DELETED"))["metadata"]["name"] == names[0]
    await suite.delete(REQUESTS, **selected)
    await suite.empty(REQUESTS, **selected)


# ── service accounts ──


@pytest.mark.conformance("ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace")
async def test_the_root_certificate_comes_back(suite: Suite) -> None:
    path = suite.core("configmaps", ROOT_CA)
    wanted = (await suite.get(path))["data"]
    assert wanted == {"ca.crt": suite.served.ca.certificate.read_text()}
    first = await suite.delete(path)
    await suite.becomes(
        suite.core("configmaps"),
        lambda found: any(
            item["metadata"]["name"] == ROOT_CA and item["metadata"]["uid"] != first["details"]["uid"]
            for item in found["items"]
        ),
    )
    await suite.patch(path, {"data": {"ca.crt": ""}})
    await suite.becomes(path, lambda found: found["data"] == wanted)


@pytest.mark.conformance("ServiceAccounts should allow opting out of API token automount")
async def test_a_pod_decides_before_its_account_whether_a_token_is_mounted(suite: Suite) -> None:
    accounts: dict[str, bool | None] = {"defaultsa": None, "mount": True, "nomount": False}
    for name, choice in accounts.items():
        body = made(name) if choice is None else made(name, automountServiceAccountToken=choice)
        await suite.create(suite.core("serviceaccounts"), body)
    for account, default in accounts.items():
        for wanted in (None, True, False):
            more: Json = {} if wanted is None else {"automountServiceAccountToken": wanted}
            body = {"metadata": {"generateName": "pod-"}, "spec": pod_spec(serviceAccountName=account, **more)}
            created = await suite.create(suite.core("pods"), body)
            (container,) = created["spec"]["containers"]
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
            mounted = "/var/run/secrets/kubernetes.io/serviceaccount" in mounts
            expected = wanted if wanted is not None else default if default is not None else True
            assert mounted is expected, (account, wanted)


def cluster_role(name: str) -> Json:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}


async def token(suite: Suite, account: str, **spec: Any) -> str:
    path = suite.core("serviceaccounts", f"{account}/token")
    answer = await suite.create(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
    found: str = answer["status"]["token"]
    return found


@pytest.mark.conformance("ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview")
async def test_a_token_is_reviewed_with_its_user_and_audience(suite: Suite) -> None:
    await suite.create(suite.core("serviceaccounts"), made("e2e-sa"))
    text = await token(suite, "e2e-sa")
    review = await suite.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": text}})
    assert review["status"]["authenticated"] is True
    assert review["status"].get("error", "") == ""
    user = review["status"]["user"]
    assert user["username"] == f"system:serviceaccount:{suite.namespace}:e2e-sa"
    assert set(user["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{suite.namespace}",
        "system:authenticated",
    }
    assert review["status"]["audiences"] == ["https://kubernetes.default.svc.cluster.local"]
    other = {"spec": {"token": text, "audiences": ["https://elsewhere.example.com"]}}
    review = await suite.create("/apis/authentication.k8s.io/v1/tokenreviews", other)
    assert not review["status"].get("authenticated", False)


@pytest.mark.conformance(
    "ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer"
)
async def test_anybody_with_an_account_can_check_tokens_by_the_issuers_documents(suite: Suite) -> None:
    """As the suite's pod does: with the token of a service account that is bound to the discovery role."""
    role = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:service-account-issuer-discovery",
    }
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": suite.namespace}
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    await suite.create(bindings, made(f"discovery-{suite.namespace}", roleRef=role, subjects=[subject]))
    text = await token(suite, "default", audiences=["oidc-discovery-test"])
    bearer = await token(suite, "default")
    async with suite.anonymous() as anonymous:
        configuration = await anonymous.raw(
            "GET", "/.well-known/openid-configuration", Authorization=f"Bearer {bearer}"
        )
        assert configuration.status == 200
        document = configuration.document
        claims = jwt.decode(text, options={"verify_signature": False})
        assert document["issuer"] == claims["iss"]
        assert document["jwks_uri"].endswith("/openid/v1/jwks")
        keys = await anonymous.raw("GET", "/openid/v1/jwks", Authorization=f"Bearer {bearer}")
    (key,) = keys.document["keys"]
    assert key["kid"] == jwt.get_unverified_header(text)["kid"]
    verified = jwt.decode(
        text,
        jwt.PyJWK(key),
        algorithms=document["id_token_signing_alg_values_supported"],
        audience="oidc-discovery-test",
    )
    assert verified["sub"] == f"system:serviceaccount:{suite.namespace}:default"
    await suite.delete(f"{bindings}/discovery-{suite.namespace}")


# ── reviews ──


@pytest.mark.conformance("SubjectReview should support SubjectReview API operations")
async def test_reviews_agree_with_what_an_account_may_do(suite: Suite) -> None:
    await suite.create(suite.core("serviceaccounts"), made("e2e"))
    user = f"system:serviceaccount:{suite.namespace}:e2e"
    resource = {"verb": "list", "resource": "configmaps", "version": "v1", "namespace": suite.namespace}
    question = {"spec": {"user": user, "resourceAttributes": resource}}
    local = suite.group("authorization.k8s.io", "localsubjectaccessreviews")

    async def answers() -> tuple[bool, bool, int]:
        whole = await suite.create(f"{AUTHORIZATION}/subjectaccessreviews", question)
        here = await suite.create(local, question)
        tried = await suite.raw("GET", suite.core("configmaps"), Impersonate_User=user)
        return whole["status"]["allowed"], here["status"]["allowed"], tried.status

    assert await answers() == (False, False, 403)
    role = cluster_role("view")
    subject = {"kind": "ServiceAccount", "name": "e2e", "namespace": suite.namespace}
    binding = made("e2e", roleRef=role, subjects=[subject])
    await suite.create(suite.group("rbac.authorization.k8s.io", "rolebindings"), binding)
    assert await answers() == (True, True, 200)
    elsewhere = {"spec": {"user": user, "resourceAttributes": {**resource, "namespace": "kube-system"}}}
    assert (await suite.raw("POST", local, elsewhere)).status == 400
