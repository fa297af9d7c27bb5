"""What the scheduler carries: decisions per second by number of nodes, and pods per second through an API server.

decisions    columns and plugins alone: filter, score, choose, assume
end to end   API server, store in memory and scheduler in one process: pods created first, then bound
p99          of one decision, in milliseconds

python bench/scheduler.py [NODES …]      1000 and 5000 when none is given
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from pybernetes.api import core_v1, meta_v1
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.server import ApiServer
from pybernetes.effects import Chance, SystemClock
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.cycle import Placement, choose
from pybernetes.scheduler.plugins.index import FILTERS, SCORES
from pybernetes.scheduler.pod_info import pod_info
from pybernetes.scheduler.scheduler import Scheduler, SchedulerConfig
from pybernetes.storage.memory import open_memory

DECISIONS = 2000
PODS = 2000
ZONES = 3
AT_ONCE = 200


def node(number: int) -> core_v1.Node:
    labels = {"kubernetes.io/hostname": f"n{number}", "topology.kubernetes.io/zone": f"z{number % ZONES}"}
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=f"n{number}", labels=labels),
        status=core_v1.NodeStatus(allocatable={"cpu": "16", "memory": "64Gi", "pods": "110"}),
    )


def pod(number: int, **spec: Any) -> core_v1.Pod:
    requests = core_v1.ResourceRequirements(requests={"cpu": "100m", "memory": "64Mi"})
    container = core_v1.Container(name="c", image="i", resources=requests)
    metadata = meta_v1.ObjectMeta(name=f"p{number}", namespace="default", uid=f"u{number}", labels={"app": "web"})
    return core_v1.Pod(metadata=metadata, spec=core_v1.PodSpec(containers=[container], **spec))


SELECTOR = meta_v1.LabelSelector(matchLabels={"app": "web"})


def plain(number: int) -> core_v1.Pod:
    return pod(number)


def spread_over_zones(number: int) -> core_v1.Pod:
    constraint = core_v1.TopologySpreadConstraint(
        maxSkew=1,
        topologyKey="topology.kubernetes.io/zone",
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=SELECTOR,
    )
    return pod(number, topologySpreadConstraints=[constraint])


def apart_per_host(number: int) -> core_v1.Pod:
    term = core_v1.PodAffinityTerm(topologyKey="kubernetes.io/hostname", labelSelector=SELECTOR)
    apart = core_v1.PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term])
    return pod(number, affinity=core_v1.Affinity(podAntiAffinity=apart))


KINDS: tuple[Callable[[int], core_v1.Pod], ...] = (plain, spread_over_zones, apart_per_host)


def decisions(nodes: int, make: Callable[[int], core_v1.Pod]) -> tuple[float, float]:
    """Decisions per second, and p99 of one in milliseconds."""
    columns = Columns()
    for number in range(nodes):
        columns.set_node(node(number))
    chance = Chance(1)
    pods = [make(number) for number in range(min(DECISIONS, nodes))]
    took = []
    for one in pods:
        began = time.perf_counter()
        info = pod_info(one)
        answer = choose(info, columns, FILTERS, SCORES, chance)
        assert isinstance(answer, Placement)
        columns.place(info, answer.node_name)
        took.append(time.perf_counter() - began)
    return len(took) / sum(took), statistics.quantiles(took, n=100)[98] * 1000


async def create(client: InProcessClient, objects: list[core_v1.Node] | list[core_v1.Pod]) -> None:
    for start in range(0, len(objects), AT_ONCE):
        await asyncio.gather(*(client.create(one) for one in objects[start : start + AT_ONCE]))


async def end_to_end(nodes: int, make: Callable[[int], core_v1.Pod]) -> float:
    """Pods bound per second by a scheduler that starts on a full queue."""
    clock = SystemClock()
    storage = open_memory(clock)
    async with ApiServer(Config(port=0), storage) as server:
        client = server.client()
        account = meta_v1.ObjectMeta(name="default", namespace="default")
        await client.create(core_v1.ServiceAccount(metadata=account))
        await create(client, [node(number) for number in range(nodes)])
        for one in (await client.list(core_v1.Node)).items:  # what the node lifecycle controller does for ready nodes
            await client.update(msgspec.structs.replace(one, spec=core_v1.NodeSpec()))
        count = min(PODS, nodes)
        await create(client, [make(number) for number in range(count)])
        scheduler = Scheduler(client, clock, Chance(1), SchedulerConfig())
        began = time.perf_counter()
        running = asyncio.create_task(scheduler.run())
        while scheduler.statistics.scheduled < count:
            await clock.sleep(0.01)
            if running.done():
                running.result()
        took = time.perf_counter() - began
        running.cancel()
        await asyncio.wait((running,))
    await storage.close()
    return count / took


def main() -> None:
    print(f"{'nodes':>6} {'pods':18} {'decisions/s':>11} {'p99 ms':>7} {'end to end/s':>12}")
    for nodes in [int(word) for word in sys.argv[1:]] or [1000, 5000]:
        for make in KINDS:
            rate, p99 = decisions(nodes, make)
            bound = asyncio.run(end_to_end(nodes, make))
            print(f"{nodes:6} {make.__name__:18} {rate:11.0f} {p99:7.2f} {bound:12.0f}", flush=True)


if __name__ == "__main__":
    main()
