"""Point 4: each of our processes is killed in turn; the cluster does not notice for long, its containers not at all."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Self

import pytest

from clusters import CLOCK, Cluster, fetch, is_ready, restarts, wait

pytestmark = [pytest.mark.root, pytest.mark.kubectl]

BACK_SECONDS = 15
PROCESSES = ("apiserver", "control", "node", "containerd", "supervisor")


class Traffic:
    """Asks a pod directly, without pause; counts what was not answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered = self.failed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _ask(self) -> None:
        while not self._stop.wait(0.05):
            if fetch(self.url):
                self.answered += 1
            else:
                self.failed += 1


@pytest.fixture
def traffic(web: Cluster) -> Iterator[Traffic]:
    with Traffic(f"http://{web.get('service', 'web')['spec']['clusterIP']}:8080/healthz") as asked:
        yield asked


@pytest.mark.parametrize("victim", PROCESSES)
def test_a_killed_process_is_back_in_seconds_and_nothing_is_lost(web: Cluster, traffic: Traffic, victim: str) -> None:
    before = {pod["metadata"]["uid"]: pod for pod in web.pods()}
    objects = {row["metadata"]["uid"] for row in web.get("all,configmaps,secrets", "-A")["items"]}
    pid = web.processes()[victim]["pid"]

    os.kill(pid, signal.SIGKILL)
    began = CLOCK.monotonic()

    def back() -> bool:
        row = web.processes().get(victim, {})
        return bool(row.get("running")) and row["pid"] != pid

    wait(f"{victim} to be back", BACK_SECONDS, back)
    wait("the API to be ready", BACK_SECONDS, lambda: web.pybernetes("status", code=None).returncode == 0)
    wait("the control loops to work", 30, lambda: round_trip(web))
    assert CLOCK.monotonic() - began < 45

    after = {pod["metadata"]["uid"]: pod for pod in web.pods()}
    assert set(after) == set(before), "no pod lost, none made twice"
    wait("the pods to be ready", 20, lambda: all(map(is_ready, web.pods())))
    for uid, pod in after.items():
        assert restarts(pod) == restarts(before[uid])
        assert container(pod) == container(before[uid]), "the container was never replaced"
    left = {row["metadata"]["uid"] for row in web.get("all,configmaps,secrets", "-A")["items"]}
    assert objects <= left
    assert traffic.answered > 0
    assert traffic.failed == 0, "containers and their Service answered all the time"


def container(pod: dict[str, object]) -> tuple[str, str]:
    status = pod["status"]["containerStatuses"][0]  # type: ignore[index]
    return status["containerID"], status["state"]["running"]["startedAt"]


def round_trip(cluster: Cluster) -> bool:
    """Whether a change still goes all the way: a new pod runs and goes away again."""
    cluster.kubectl("delete", "pod", "probe", "--ignore-not-found", "--now")
    cluster.kubectl("run", "probe", "--image=localhost/demo:1", "--restart=Never", "--", "true")

    def succeeded() -> bool:
        return bool(cluster.get("pod", "probe")["status"]["phase"] == "Succeeded")

    wait("the probe pod to end well", 20, succeeded)
    cluster.kubectl("delete", "pod", "probe", "--now")
    return True
