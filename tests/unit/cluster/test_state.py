from pathlib import Path

import pytest

from pybernetes.cluster.config import ClusterConfig, changed, check, free_cidr
from pybernetes.cluster.errors import BadOption, BadState, NotRunning
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import SystemClock


def test_what_was_created_is_read_back(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "c")
    config = ClusterConfig(name="c", port=7443, simulated_nodes=3)
    state.create(config)

    assert state.exists()
    assert state.load_config() == config
    assert state.root.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")

    with pytest.raises(BadState, match="not empty and holds no cluster"):
        StateDirectory(tmp_path).exists()


def test_another_layout_version_is_refused_and_untouched(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "c")
    state.create(ClusterConfig())
    state.version_file.write_text("99\n")

    with pytest.raises(BadState, match="state layout '99'") as caught:
        state.load_config()
    assert "nothing was changed" in caught.value.hint
    assert state.version_file.read_text() == "99\n"


def test_no_cluster_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotRunning) as caught:
        StateDirectory(tmp_path / "none").load_config()
    assert "pybernetes up" in caught.value.hint


def test_damaged_settings_are_reported_with_what_to_do(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "c")
    state.create(ClusterConfig())
    state.config_file.write_text('{"port": "many"}')

    with pytest.raises(BadState, match="damaged"):
        state.load_config()


def test_one_command_at_a_time(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "c")
    state.create(ClusterConfig())
    with state.lock(SystemClock()):
        pass
    with state.lock(SystemClock()):
        assert state.exists()


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (ClusterConfig(name="Web"), "--name"),
        (ClusterConfig(name="x" * 41), "--name"),
        (ClusterConfig(port=0), "--port"),
        (ClusterConfig(port=70000), "--port"),
        (ClusterConfig(nodes=2), "--nodes"),
        (ClusterConfig(simulated_nodes=-1), "--simulated-nodes"),
        (ClusterConfig(storage="oracle"), "--storage"),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(config: ClusterConfig, word: str) -> None:
    with pytest.raises(BadOption, match=word) as caught:
        check(config)
    assert caught.value.hint


def test_only_given_options_change() -> None:
    config = ClusterConfig(port=7000, simulated_nodes=5)

    assert changed(config, {"port": None, "simulated_nodes": 0}) == ClusterConfig(port=7000)


def test_a_second_cluster_gets_the_next_free_pod_network() -> None:
    assert free_cidr("10.244.0.0/16", [], 8) == "10.244.0.0/16"
    assert free_cidr("10.244.0.0/16", ["10.244.3.0/24", "10.245.0.0/16", "192.168.0.0/16"], 8) == "10.246.0.0/16"
