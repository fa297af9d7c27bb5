"""Images without a registry, and from one on loopback."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters import Cluster, fetch, free_port, wait
from pybernetes.cluster.images.build import File, Runtime, archive
from pybernetes.cluster.images.demo import DEMO_IMAGE

pytestmark = [pytest.mark.root, pytest.mark.kubectl]


def test_a_loaded_image_runs(running: Cluster, tmp_path: Path) -> None:
    program = Path("/usr/bin/catatonit").read_bytes()
    (tmp_path / "own.tar").write_bytes(
        archive("localhost/own:1", [File("init", program, 0o755)], Runtime(command=("/init", "-P")))
    )
    assert "loaded localhost/own:1" in running.pybernetes("image load", str(tmp_path / "own.tar")).stdout

    running.kubectl("run", "own", "--image=localhost/own:1", "--image-pull-policy=Never", "--restart=Never")
    wait("the pod to run", 30, lambda: running.get("pod", "own")["status"]["phase"] == "Running")
    running.kubectl("delete", "pod", "own", "--now")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b broken gzip"])
def test_a_bad_archive_is_told_and_the_node_is_as_before(running: Cluster, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tar").write_bytes(content)
    done = running.pybernetes("image load", str(tmp_path / "bad.tar"), code=1)
    assert "is not a complete tar archive" in done.stderr
    assert "docker save" in done.stderr


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[int]:
    """Debian's docker-registry on loopback; its port."""
    port = free_port()
    settings = tmp_path / "registry.yaml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n"
    )
    with subprocess.Popen(
        ["docker-registry", "serve", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait("the registry", 20, lambda: fetch(f"http://127.0.0.1:{port}/v2/"))
            yield port
        finally:
            process.terminate()


def test_pulling_from_a_registry_on_loopback(running: Cluster, registry: int) -> None:
    name = f"127.0.0.1:{registry}/demo:1"
    socket = str(running.root / "run/containerd.sock")
    for words in (
        ("images", "tag", DEMO_IMAGE, name),
        ("images", "push", "--plain-http", name),
        ("images", "rm", name),
    ):
        subprocess.run(["ctr", "-a", socket, "-n", "k8s.io", *words], check=True, capture_output=True)

    running.kubectl("run", "pulled", f"--image={name}", "--image-pull-policy=Always", "--restart=Never", "--", "true")
    wait("the pod to end well", 60, lambda: running.get("pod", "pulled")["status"]["phase"] == "Succeeded")
    assert "Successfully pulled image" in running.kubectl("describe", "pod", "pulled")
    running.kubectl("delete", "pod", "pulled", "--now")
