import base64
import json

import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet.image_names import (
    Credentials,
    InvalidImageName,
    credentials_from,
    matching,
    repository,
    with_default_tag,
)


@pytest.mark.parametrize(
    ("image", "pulled"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:1", "busybox:1"),
        ("reg.io:5000/a/b", "reg.io:5000/a/b:latest"),
        ("a@sha256:" + "0" * 64, "a@sha256:" + "0" * 64),
    ],
)
def test_an_image_without_tag_means_latest(image: str, pulled: str) -> None:
    assert with_default_tag(image) == pulled


@pytest.mark.parametrize(
    ("image", "why"),
    [("Busybox", "repository name must be lowercase"), ("a b", "invalid reference format"), ("", "invalid reference")],
)
def test_what_names_no_image_is_refused(image: str, why: str) -> None:
    with pytest.raises(InvalidImageName, match=why):
        with_default_tag(image)


@pytest.mark.parametrize(
    ("image", "where"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("me/app:1", "docker.io/me/app"),
        ("localhost/app:1", "localhost/app"),
        ("reg.io:5000/a/b:2", "reg.io:5000/a/b"),
        ("reg.io/a@sha256:" + "0" * 64, "reg.io/a"),
    ],
)
def test_the_repository_of_an_image(image: str, where: str) -> None:
    assert repository(image) == where


def secret(auths: dict[str, dict[str, str]]) -> core_v1.Secret:
    data = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return core_v1.Secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": data})


def test_the_most_specific_credentials_come_first() -> None:
    token = base64.b64encode(b"user:pass").decode()
    known = credentials_from(
        [
            secret(
                {
                    "reg.io": {"username": "all", "password": "1"},
                    "https://reg.io/team/": {"auth": token},
                    "*.example.com": {"username": "star", "password": "2"},
                    "https://index.docker.io/v1/": {"username": "hub", "password": "3"},
                }
            )
        ]
    )
    assert matching("reg.io/team/app:1", known) == [Credentials("user", "pass"), Credentials("all", "1")]
    assert matching("reg.io/other:1", known) == [Credentials("all", "1")]
    assert matching("a.example.com/x", known) == [Credentials("star", "2")]
    assert matching("a.b.example.com/x", known) == []
    assert matching("busybox", known) == [Credentials("hub", "3")]


def test_credentials_are_never_printed() -> None:
    assert "pass" not in repr(Credentials("user", "pass"))


def test_secrets_that_cannot_be_read_are_passed_over() -> None:
    broken = core_v1.Secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": "?"})
    assert credentials_from([broken, core_v1.Secret()]) == []
