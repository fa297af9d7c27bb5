import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from pybernetes.client.kubeconfig import KubeconfigError, load


def good() -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443/"}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
    }


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "config"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_data_in_the_file_wins_over_files(tmp_path: Path) -> None:
    content = good()
    content["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(b"pem").decode()
    content["clusters"][0]["cluster"]["certificate-authority"] = "absent.crt"
    connection = load(written(tmp_path, content))
    assert connection.ca_pem == b"pem"
    assert connection.server == "https://127.0.0.1:6443"
    assert "secret-token" not in repr(connection)


def test_relative_files_lie_beside_the_kubeconfig(tmp_path: Path) -> None:
    content = good()
    content["users"][0]["user"] = {"tokenFile": "token"}
    (tmp_path / "token").write_text("abc\n")
    assert load(written(tmp_path, content)).token == "abc"


def broken(change: str) -> object:
    content = good()
    match change:
        case "not yaml":
            return "a: [b"
        case "a list":
            return "- a"
        case "no context chosen":
            del content["current-context"]
        case "context missing":
            content["current-context"] = "there"
        case "user missing":
            content["users"] = []
        case "clusters is a mapping":
            content["clusters"] = {"c": {}}
        case "no server":
            del content["clusters"][0]["cluster"]["server"]
        case "broken base64":
            content["clusters"][0]["cluster"]["certificate-authority-data"] = "%%%"
        case "exec":
            content["users"][0]["user"] = {"exec": {"command": "aws"}}
        case "file missing":
            content["users"][0]["user"] = {"client-certificate": "absent.crt"}
        case _:
            raise AssertionError(change)
    return content


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("not yaml", "is no YAML"),
        ("a list", "is no kubeconfig"),
        ("no context chosen", "use-context"),
        ("context missing", "has no context 'there'"),
        ("user missing", "has no user 'u'"),
        ("clusters is a mapping", "clusters is no list"),
        ("no server", "names no server"),
        ("broken base64", "certificate-authority-data is no base64"),
        ("exec", "signs in by exec"),
        ("file missing", "absent.crt cannot be read"),
    ],
)
def test_a_broken_file_is_explained(tmp_path: Path, change: str, says: str) -> None:
    with pytest.raises(KubeconfigError, match=says):
        load(written(tmp_path, broken(change)))


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="--kubeconfig"):
        load(tmp_path / "absent")
