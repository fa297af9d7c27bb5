from pathlib import Path

import pytest

from pybernetes.cli.main import COMMANDS, main


def test_without_a_command_the_list_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_a_mistyped_command_is_told_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delte"]) == 2
    assert "did you mean: pybernetes delete" in capsys.readouterr().err


def test_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pybernetes ")


@pytest.mark.parametrize("command", ["down", "status", "kubeconfig"])
def test_commands_on_no_cluster_say_how_to_make_one(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--data-dir", str(tmp_path / "none")]) == 1
    shown = capsys.readouterr().err
    assert "there is no cluster" in shown
    assert "pybernetes up" in shown
    assert not (tmp_path / "none").exists()


def test_delete_of_nothing_is_no_failure(tmp_path: Path) -> None:
    assert main(["delete", "--data-dir", str(tmp_path / "none")]) == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--port", "0"], "--port"),
        (["--port", "70000"], "--port"),
        (["--simulated-nodes", "-1"], "--simulated-nodes"),
        (["--nodes", "7"], "--nodes"),
        (["--nodes", "0", "--simulated-nodes", "0"], "nodes"),
        (["--storage", "oracle"], "--storage"),
        (["--kubeconfig", ""], "--kubeconfig"),
        (["--name", "Not A Name"], "--name"),
    ],
)
def test_up_refuses_what_cannot_be_meant_and_leaves_nothing(
    arguments: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "c"
    assert main(["up", "--data-dir", str(root), *arguments]) == 1
    assert word in capsys.readouterr().err
    assert not (root / "VERSION").exists()


def test_up_refuses_a_broken_kubeconfig_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "config"
    broken.write_text("clusters: {a: [")
    arguments = ["--data-dir", str(tmp_path / "c"), "--kubeconfig", str(broken), "--simulated-nodes", "1"]

    assert main(["up", *arguments]) == 1
    assert "is no YAML" in capsys.readouterr().err
    assert broken.read_text() == "clusters: {a: ["
    assert not (tmp_path / "c" / "VERSION").exists()


def test_up_refuses_a_directory_with_other_things(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("data")

    assert main(["up", "--data-dir", str(tmp_path), "--simulated-nodes", "1"]) == 1
    assert "holds no cluster" in capsys.readouterr().err
    assert main(["delete", "--data-dir", str(tmp_path)]) == 1
    assert (tmp_path / "precious").read_text() == "data"
