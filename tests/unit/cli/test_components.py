import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cli import component
from pybernetes.cli.components import COMPONENTS, kubelet_settings
from pybernetes.cli.main import main
from pybernetes.cluster.errors import BadOption


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def parsed(name: str, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.set_defaults(command=name)
    component.configure(parser)
    needed = () if name == "apiserver" else ("--kubeconfig", "k")
    return parser.parse_args([*needed, *words])


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_has_flags_with_working_defaults(name: str) -> None:
    assert parsed(name).command == name


def test_kubelet_flags_become_its_settings() -> None:
    settings = kubelet_settings(
        parsed("kubelet", "--hostname-override=n1", "--node-ip=10.0.0.1", "--node-labels=a=b,c=d", "--max-pods=7")
    )

    assert settings.node_name == "n1"
    assert settings.node_ips == ("10.0.0.1",)
    assert settings.labels == {"a": "b", "c": "d"}
    assert settings.max_pods == 7


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadOption, match="--tls-cert-file /none"):
        kubelet_settings(parsed("kubelet", "--tls-cert-file=/none"))


def test_a_label_without_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("kubelet", "--node-labels=a")
    assert "name=value" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("1", True), ("f", False)])
def test_booleans_are_written_as_in_go(text: str, value: bool) -> None:
    assert parsed("scheduler", f"--leader-elect={text}").leader_elect is value


def test_a_broken_kubeconfig_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "k").write_text("{")
    assert main(["scheduler", "--kubeconfig", str(tmp_path / "k")]) == 1
    assert "is no YAML" in capsys.readouterr().err


def test_half_a_key_pair_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apiserver", "--tls-cert-file", str(tmp_path)]) == 1
    assert "go together" in capsys.readouterr().err
