from pathlib import Path

import pytest
import yaml

from pybernetes.cluster import kubeconfig_file
from pybernetes.cluster.errors import BadOption


def ours(server: str = "https://127.0.0.1:6443") -> kubeconfig_file.Document:
    return {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "c", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "current-context": "c",
    }


OTHERS = """
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters: [{name: work, cluster: {server: https://work}}]
users: [{name: me, user: {token: secret}}]
contexts: [{name: work, context: {cluster: work, user: me}}]
current-context: work
"""


def test_our_context_joins_others_and_leaves_again(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)

    assert kubeconfig_file.add(path, ours())
    content = yaml.safe_load(path.read_text())
    assert content["current-context"] == "c"
    assert [entry["name"] for entry in content["clusters"]] == ["work", "c"]
    assert content["preferences"] == {"colors": True}
    assert path.stat().st_mode & 0o777 == 0o600
    assert not kubeconfig_file.add(path, ours())

    assert kubeconfig_file.remove(path, ours())
    left = yaml.safe_load(path.read_text())
    assert left["users"] == [{"name": "me", "user": {"token": "secret"}}]
    assert left["current-context"] == ""


def test_a_changed_server_replaces_the_old_entry(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config"
    kubeconfig_file.add(path, ours())
    kubeconfig_file.add(path, ours("https://127.0.0.1:7443"))

    assert [entry["cluster"]["server"] for entry in kubeconfig_file.read(path)["clusters"]] == [
        "https://127.0.0.1:7443"
    ]


@pytest.mark.parametrize("text", ["[1, 2]", "clusters: 7", "kind: Pod", "{", "clusters: [{cluster: {}}]", "\x00"])
def test_what_is_no_kubeconfig_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(BadOption) as caught:
        kubeconfig_file.add(path, ours())
    assert "--kubeconfig" in caught.value.hint
    assert path.read_text() == text


def test_the_default_is_where_kubectl_looks() -> None:
    assert kubeconfig_file.default_path({"KUBECONFIG": ":/a/b:/c"}) == Path("/a/b")
    assert kubeconfig_file.default_path({}).name == "config"
