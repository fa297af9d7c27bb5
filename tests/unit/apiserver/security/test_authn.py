import base64
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pybernetes.apiserver.authn import certificate, static_tokens
from pybernetes.apiserver.authn.authenticator import DEFAULT_ISSUER, Authenticator
from pybernetes.apiserver.authn.keys import TokenKeys, UnusableKey
from pybernetes.apiserver.authn.reviews import TokenIssuer, review_token, user_info
from pybernetes.apiserver.authn.static_tokens import UnusableTokenFile
from pybernetes.apiserver.request import Document
from pybernetes.effects import Chance, Ids, VirtualClock, format_time
from pybernetes.machinery.errors import BadRequest, Conflict, Invalid, NotFound, Unauthorized
from support.security import Objects, meta


class Cluster:
    def __init__(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> None:
        self.objects = Objects()
        self.clock = VirtualClock()
        self.keys = TokenKeys(key or ec.generate_private_key(ec.SECP256R1()))
        self.authenticator = Authenticator(self.objects, self.clock, self.keys)
        self.issuer = TokenIssuer(self.objects, self.keys, self.clock, Ids(Chance(1)), self.authenticator)
        self.objects.put("", "serviceaccounts", {"metadata": meta("web", "shop")})
        self.objects.put("", "nodes", {"metadata": meta("n1")})
        pod = {"metadata": meta("web-0", "shop"), "spec": {"serviceAccountName": "web", "nodeName": "n1"}}
        self.objects.put("", "pods", pod)

    def request(self, **spec: object) -> Document:
        return self.issuer.issue("shop", "web", {"spec": spec})

    def token(self, **spec: object) -> str:
        found: str = self.request(**spec)["status"]["token"]
        return found

    def pod_token(self) -> str:
        return self.token(boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "web-0"}, expirationSeconds=3607)

    def accepts(self, token: str) -> bool:
        try:
            return self.authenticator.identify(f"Bearer {token}") is not None
        except Unauthorized:
            return False


def test_a_certificate_names_user_and_groups() -> None:
    subject = ((("organizationName", "system:masters"),), (("commonName", "admin"),))
    user = certificate.user_of({"subject": subject}, b"der")
    assert user is not None
    assert (user.name, user.groups) == ("admin", ("system:masters", "system:authenticated"))
    assert certificate.user_of({"subject": ((("organizationName", "x"),),)}) is None


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_a_bound_token_says_who_where_and_for_which_pod(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    cluster = Cluster(key)
    user = cluster.authenticator.identify(f"Bearer {cluster.pod_token()}")
    assert user is not None
    info = user_info(user)
    assert info["username"] == "system:serviceaccount:shop:web"
    assert info["uid"] == "uid-web"
    assert info["groups"] == ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]
    extra = {key.split("/")[1]: value for key, value in info["extra"].items()}
    assert extra["pod-name"] == ["web-0"]
    assert extra["node-uid"] == ["uid-n1"]
    assert extra["credential-id"][0].startswith("JTI=")


Break = Callable[[Cluster], object]
BROKEN: dict[str, Break] = {
    "the pod is gone": lambda c: c.objects.remove("", "pods", "shop", "web-0"),
    "another pod has its name": lambda c: c.objects.put(
        "", "pods", {"metadata": {**meta("web-0", "shop"), "uid": "2"}}
    ),
    "the account is gone": lambda c: c.objects.remove("", "serviceaccounts", "shop", "web"),
    "another account has its name": lambda c: c.objects.put(
        "", "serviceaccounts", {"metadata": {**meta("web", "shop"), "uid": "2"}}
    ),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_token_is_worth_nothing_once(change: Break) -> None:
    cluster = Cluster()
    token = cluster.pod_token()
    assert cluster.accepts(token)
    change(cluster)
    assert not cluster.accepts(token)


async def test_a_token_expires_but_that_of_a_kubelet_lives_on_for_clients_that_never_reread_it() -> None:
    cluster = Cluster()
    short, kubelets = cluster.token(expirationSeconds=600), cluster.pod_token()
    await cluster.clock.advance(599)
    assert cluster.accepts(short)
    await cluster.clock.advance(24 * 3600)
    assert not cluster.accepts(short)
    assert cluster.accepts(kubelets)
    assert cluster.request(expirationSeconds=3607)["status"]["expirationTimestamp"] == format_time(
        cluster.clock.now().replace(hour=1, minute=10, second=6)
    )


def test_a_token_signed_by_another_cluster_is_refused() -> None:
    assert not Cluster().accepts(Cluster().token())


def test_a_token_for_another_audience_is_refused_here_and_accepted_by_a_review_that_asks_for_it() -> None:
    cluster = Cluster()
    token = cluster.token(audiences=["vault"])
    assert not cluster.accepts(token)
    review = review_token({"spec": {"token": token, "audiences": ["vault", "other"]}}, cluster.authenticator)
    assert review["status"]["authenticated"] is True
    assert review["status"]["audiences"] == ["vault"]
    refused = review_token({"spec": {"token": token}}, cluster.authenticator)["status"]
    assert "authenticated" not in refused
    assert "invalid for the target audiences" in refused["error"]


def test_a_review_names_the_user_and_says_why_a_token_is_not_good() -> None:
    cluster = Cluster()
    good = review_token({"spec": {"token": cluster.token()}}, cluster.authenticator)["status"]
    assert good["user"]["username"] == "system:serviceaccount:shop:web"
    assert good["audiences"] == [DEFAULT_ISSUER]
    assert review_token({"spec": {"token": "x"}}, cluster.authenticator)["status"]["error"] == "invalid bearer token"


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"expirationSeconds": 60}, Invalid),
        ({"expirationSeconds": 1 << 33}, Invalid),
        ({"boundObjectRef": {"kind": "Deployment", "apiVersion": "apps/v1", "name": "x"}}, BadRequest),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "other"}}, NotFound),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web-0", "uid": "old"}}, Conflict),
    ],
)
def test_a_token_request_is_refused_when(spec: Document, error: type[Exception]) -> None:
    with pytest.raises(error):
        Cluster().request(**spec)


def test_a_pod_of_another_account_gets_no_token_of_this_one() -> None:
    cluster = Cluster()
    cluster.objects.put("", "pods", {"metadata": meta("x", "shop"), "spec": {"serviceAccountName": "default"}})
    with pytest.raises(BadRequest, match="different serviceaccount name"):
        cluster.request(boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "x"})


def bootstrap_secret(**changes: str) -> Document:
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:workers",
        **changes,
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items() if value}
    metadata = meta("bootstrap-token-abcdef", "kube-system")
    return {"metadata": metadata, "type": "bootstrap.kubernetes.io/token", "data": encoded}


def test_a_bootstrap_token_is_a_bootstrapper_with_the_extra_groups() -> None:
    cluster = Cluster()
    cluster.objects.put("", "secrets", bootstrap_secret())
    user = cluster.authenticator.identify("Bearer abcdef.0123456789abcdef")
    assert user is not None
    assert user.name == "system:bootstrap:abcdef"
    assert user.groups == ("system:bootstrappers", "system:bootstrappers:workers", "system:authenticated")


@pytest.mark.parametrize(
    "changes",
    [
        {"token-secret": "0123456789abcdeX"},
        {"expiration": "2025-12-31T23:59:59Z"},
        {"expiration": "soon"},
        {"usage-bootstrap-authentication": "false"},
        {"auth-extra-groups": "system:masters"},
        {"token-id": "other1"},
    ],
)
def test_a_bootstrap_token_is_refused_with(changes: dict[str, str]) -> None:
    cluster = Cluster()
    cluster.objects.put("", "secrets", bootstrap_secret(**changes))
    assert not cluster.accepts("abcdef.0123456789abcdef")


def test_no_credentials_are_nobody_and_wrong_ones_are_refused() -> None:
    cluster = Cluster()
    assert cluster.authenticator.identify("") is None
    assert cluster.authenticator.identify("Basic YTpi") is None
    with pytest.raises(Unauthorized, match="Unauthorized"):
        cluster.authenticator.identify("Bearer nonsense")


def test_a_token_file_gives_users_and_names_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text('s3cret,bob,7,"a,b"\n')
    user = static_tokens.load(str(file)).user_of("s3cret")
    assert user is not None
    assert user.groups == ("a", "b", "system:authenticated")
    file.write_text("only,two\n")
    with pytest.raises(UnusableTokenFile, match="line 1"):
        static_tokens.load(str(file))


def test_the_key_set_holds_the_key_that_signs() -> None:
    keys = Cluster().keys
    (row,) = orjson.loads(keys.jwks())["keys"]
    assert (row["kty"], row["crv"], row["alg"]) == ("EC", "P-256", "ES256")
    document = orjson.loads(keys.configuration("https://issuer", "https://issuer/openid/v1/jwks"))
    assert document["id_token_signing_alg_values_supported"] == ["ES256"]


def test_a_key_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "sa.key").write_text("hello")
    with pytest.raises(UnusableKey, match=r"sa\.key holds no PEM key"):
        TokenKeys.load(str(tmp_path / "sa.key"))
