from pathlib import Path

import pytest

from pybernetes.cluster import snapshot, tokens
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import BadOption, BadState
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import SystemClock
from pybernetes.storage.sqlite import open_sqlite


async def filled(root: Path, *keys: str) -> StateDirectory:
    state = StateDirectory(root)
    state.create(ClusterConfig())
    storage = open_sqlite(snapshot.store_file(state), SystemClock())
    for key in keys:
        await storage.put(key, b"{}")
    await storage.close()
    return state


async def keys_in(state: StateDirectory) -> list[str]:
    storage = open_sqlite(snapshot.store_file(state), SystemClock())
    try:
        return [entry.key for entry in (await storage.range("/")).entries]
    finally:
        await storage.close()


async def test_a_restored_cluster_holds_what_was_saved(tmp_path: Path) -> None:
    state = await filled(tmp_path / "a", "/registry/x/1", "/registry/x/2")
    assert snapshot.save(state, ClusterConfig(), tmp_path / "s") == 2
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600

    other = await filled(tmp_path / "b", "/registry/y/9")
    assert snapshot.restore(other, ClusterConfig(), tmp_path / "s") == 2
    assert await keys_in(other) == ["/registry/x/1", "/registry/x/2"]


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00" + b"\x00" * 200])
async def test_what_is_no_snapshot_is_refused_and_nothing_is_lost(tmp_path: Path, content: bytes) -> None:
    state = await filled(tmp_path / "a", "/registry/x/1")
    (tmp_path / "s").write_bytes(content)

    with pytest.raises(BadOption):
        snapshot.restore(state, ClusterConfig(), tmp_path / "s")
    assert await keys_in(state) == ["/registry/x/1"]


async def test_a_cluster_in_memory_has_nothing_to_save(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "a")
    state.create(ClusterConfig(storage="memory"))

    with pytest.raises(BadState, match="memory"):
        snapshot.save(state, ClusterConfig(storage="memory"), tmp_path / "s")


def test_tokens_have_upstreams_form() -> None:
    token = tokens.generate()
    assert tokens.TOKEN.fullmatch(token)
    document = tokens.secret(token, None, "", ("g",))
    assert document["metadata"]["name"] == f"bootstrap-token-{token[:6]}"
    assert "expiration" not in document["stringData"]
    with pytest.raises(BadOption):
        tokens.secret("short", None, "", ())


def test_durations_are_read_as_go_writes_them() -> None:
    life = tokens.parse_ttl("1h30m")
    assert life is not None
    assert life.total_seconds() == 5400
    assert tokens.parse_ttl("0") is None
    for text in ("", "soon", "5 hours", "h"):
        with pytest.raises(BadOption):
            tokens.parse_ttl(text)
