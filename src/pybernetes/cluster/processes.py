"""What each process of a cluster does: its components, their identities and their settings from the cluster's own.

    apiserver   API server and store          control   controllers and scheduler
    node        kubelet, service proxy, DNS   simnode   simulated nodes
    stop-pods   ends every container of the node, before the runtime is stopped

Components are imported here and nowhere else in `cluster`, one process's at a time: start-up time is import time.
"""
# ruff: noqa: PLC0415

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pybernetes.cluster import service
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.snapshot import store_file
from pybernetes.cluster.state import StateDirectory, write_private
from pybernetes.effects import Chance, SystemClock

if TYPE_CHECKING:
    from pybernetes.client.rest import RestClient
    from pybernetes.kubelet.config import KubeletConfig
    from pybernetes.storage.interface import Storage

log = logging.getLogger("pybernetes.cluster")

Main = Callable[[StateDirectory, ClusterConfig], Coroutine[Any, Any, None]]

PATIENCE_SECONDS = {"apiserver": 0.1, "control": 0.6, "node": 1.1, "simnode": 1.6}
"""How long each waits for another to bring a dead supervisor back."""
STOP_CONCURRENCY = 6
STOP_GRACE_SECONDS = 2
RUNTIME_POLL_SECONDS = 0.05
MAX_PODS = 250
"""Of the real node: a /24 has addresses for 253."""


def run(name: str, state: StateDirectory) -> int:
    """Be the process of this name until told to stop; the exit code."""
    config = state.load_config()
    return service.run(_with_parent(name, MAINS[name], state, config))


async def _with_parent(name: str, main: Main, state: StateDirectory, config: ClusterConfig) -> None:
    patience = PATIENCE_SECONDS.get(name)
    if patience is None:
        await main(state, config)
        return
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(main(state, config), name=name)
        tasks.create_task(service.keep_parent(state, SystemClock(), patience), name=f"{name}/supervisor")


@contextlib.asynccontextmanager
async def client_as(identity: str, state: StateDirectory, config: ClusterConfig) -> AsyncIterator["RestClient"]:
    """A client of the cluster's API server with the certificate of `identity`, once the server is ready."""
    from pybernetes.client.connection import Connection
    from pybernetes.client.rest import RestClient

    pki = state.pki
    certificate, key = pki / f"{identity}.crt", pki / f"{identity}.key"
    agent = f"pybernetes/{identity}"
    connection = Connection(config.server, pki / "ca.crt", certificate, key, user_agent=agent)
    async with RestClient(connection) as client:
        await service.wait_for_api(client, SystemClock())
        yield client


async def apiserver(state: StateDirectory, config: ClusterConfig) -> None:
    """The API server with its store."""
    from pybernetes.apiserver.config import Config, KubeletClientConfig, RequestHeaderConfig
    from pybernetes.apiserver.server import run as serve

    pki = state.pki
    settings = Config(
        port=config.port,
        more_addresses=(config.machine_ip,) if config.nodes else (),
        tls_certificate=str(pki / "apiserver.crt"),
        tls_key=str(pki / "apiserver.key"),
        client_ca=str(pki / "ca.crt"),
        service_account_signing_key=str(pki / "sa.key"),
        proxy_client_certificate=str(pki / "front-proxy-client.crt"),
        proxy_client_key=str(pki / "front-proxy-client.key"),
        request_header=RequestHeaderConfig(
            client_ca=str(pki / "front-proxy-ca.crt"), allowed_names=("front-proxy-client",)
        ),
        service_cidr=config.service_cidr,
        advertise_address=config.machine_ip if config.nodes else "",
        kubelet=KubeletClientConfig(
            client_certificate=str(pki / "apiserver-kubelet-client.crt"),
            client_key=str(pki / "apiserver-kubelet-client.key"),
            certificate_authority=str(pki / "ca.crt") if config.nodes else "",
        ),
    )
    storage = open_store(state, config)
    try:
        await serve(settings, storage)
    finally:
        await storage.close()


def open_store(state: StateDirectory, config: ClusterConfig) -> "Storage":
    """The store the settings name."""
    if config.storage == "memory":
        from pybernetes.storage.memory import open_memory

        return open_memory(SystemClock())
    from pybernetes.storage.sqlite import open_sqlite

    return open_sqlite(store_file(state), SystemClock())


async def control(state: StateDirectory, config: ClusterConfig) -> None:
    """The control loops."""
    from pybernetes.controllers import manager
    from pybernetes.controllers.options import Options
    from pybernetes.scheduler import scheduler

    clock, chance = SystemClock(), Chance()
    options = Options(
        cluster_cidr=config.pod_cidr,
        service_cidr=config.service_cidr,
        root_ca=(state.pki / "ca.crt").read_text(encoding="ascii"),
        service_account_private_key=(state.pki / "sa.key").read_bytes(),
        signing_certificate=(state.pki / "ca.crt").read_bytes(),
        signing_key=(state.pki / "ca.key").read_bytes(),
    )
    async with (
        client_as("scheduler", state, config) as scheduling,
        client_as("controller-manager", state, config) as controlling,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(manager.run(controlling, clock, chance, options), name="controllers")
        tasks.create_task(
            scheduler.run(scheduling, clock, chance, scheduler.SchedulerConfig(host=config.node_name)), name="scheduler"
        )
        service.settle_memory()


async def node(state: StateDirectory, config: ClusterConfig) -> None:
    """The node agent."""
    from pybernetes.dns import server as dns
    from pybernetes.kubelet import kubelet
    from pybernetes.proxy import proxy

    clock, chance = SystemClock(), Chance()
    await asyncio.to_thread(ensure_pause_image, state, clock)
    async with (
        client_as("node", state, config) as own,
        client_as("proxy", state, config) as proxying,
        client_as("admin", state, config) as publishing,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(kubelet.run(own, kubelet_settings(state, config), clock, chance), name="kubelet")
        tasks.create_task(
            proxy.run(
                proxying,
                proxy.ProxyConfig(
                    node_name=config.node_name,
                    cluster_cidrs=(config.pod_cidr,),
                    table=config.nft_table,
                    masquerade_pod_egress=True,
                ),
                clock,
            ),
            name="proxy",
        )
        tasks.create_task(
            dns.run(
                publishing,
                dns.DnsConfig(
                    addresses=(config.machine_ip,),
                    domain=config.domain,
                    upstream=upstream_resolvers(Path("/etc/resolv.conf")),
                    service_ip=config.dns_ip,
                    node_name=config.node_name,
                ),
                clock,
                chance,
            ),
            name="dns",
        )
        service.settle_memory()


def kubelet_settings(state: StateDirectory, config: ClusterConfig) -> "KubeletConfig":
    """The kubelet's settings, all within the cluster's own directories, cgroups and addresses."""
    from pybernetes.kubelet.config import KubeletConfig

    return KubeletConfig(
        node_name=config.node_name,
        node_ips=(config.machine_ip,),
        container_runtime_endpoint=str(state.containerd_socket),
        root_dir=state.kubelet,
        pod_logs_dir=state.root / "pod-logs",
        cluster_dns=(config.dns_ip,),
        cluster_domain=config.domain,
        max_pods=MAX_PODS,
        pod_cidr=config.node_pod_cidr,
        cgroup_root=f"{config.cgroup_root}/kubepods",
        address=config.machine_ip,
        port=config.kubelet_port,
        tls_cert_file=state.pki / "kubelet.crt",
        tls_private_key_file=state.pki / "kubelet.key",
        client_ca_file=state.pki / "ca.crt",
    )


def ensure_pause_image(state: StateDirectory, clock: SystemClock) -> None:
    """Load the pause image, unless the runtime has it; waits for the runtime."""
    from pybernetes.cluster.containerd import PAUSE_IMAGE
    from pybernetes.cluster.images.load import load_archive, present, reachable
    from pybernetes.cluster.images.pause import build_pause

    while not reachable(state):
        clock.pause(RUNTIME_POLL_SECONDS)
    if not present(state, PAUSE_IMAGE):
        archive = state.containerd / "pause.tar"
        write_private(archive, build_pause())
        load_archive(state, archive)
        log.info("loaded image=%s", PAUSE_IMAGE)


def upstream_resolvers(path: Path) -> tuple[str, ...]:
    """The name servers of this machine, to which DNS passes on what is not the cluster's."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    words = [line.split() for line in lines]
    return tuple(row[1] for row in words if len(row) > 1 and row[0] == "nameserver")


async def simnode(state: StateDirectory, config: ClusterConfig) -> None:
    """The simulated nodes. They act as administrator: one certificate for thousands of nodes."""
    from pybernetes.cluster.images.build import architecture
    from pybernetes.simnode import simnode as simulated
    from pybernetes.simnode.config import SimConfig

    async with client_as("admin", state, config) as client:
        settings = SimConfig(count=config.simulated_nodes, architecture=architecture())
        await simulated.run(client, settings, SystemClock(), Chance())


async def stop_pods(state: StateDirectory, config: ClusterConfig) -> None:
    """End every container, gently and then not, and release the pods' networks."""
    from pybernetes.kubelet.cri.api_pb2 import CONTAINER_RUNNING
    from pybernetes.kubelet.cri.channel import RuntimeChannel
    from pybernetes.kubelet.cri.errors import RuntimeFailure
    from pybernetes.kubelet.cri.runtime import CriRuntime

    del config
    channel = RuntimeChannel(str(state.containerd_socket))
    runtime = CriRuntime(channel)
    try:
        containers = await runtime.list_containers()
        sandboxes = await runtime.list_pod_sandboxes()
        places = asyncio.Semaphore(STOP_CONCURRENCY)

        async def stop(action: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
            async with places:
                try:
                    await action(*arguments)
                except RuntimeFailure as error:
                    log.warning("not stopped id=%s error=%s", arguments[0], error)

        running = [container.id for container in containers if container.state == CONTAINER_RUNNING]
        async with asyncio.TaskGroup() as tasks:
            for identifier in running:
                tasks.create_task(stop(runtime.stop_container, identifier, STOP_GRACE_SECONDS), name="stop-container")
        async with asyncio.TaskGroup() as tasks:
            for sandbox in sandboxes:
                tasks.create_task(stop(runtime.stop_pod_sandbox, sandbox.id), name="stop-sandbox")
        log.info("stopped pods=%d", len(sandboxes))
    except RuntimeFailure as error:
        log.warning("the runtime does not answer, its pods are killed error=%s", error)
    finally:
        await channel.close()


MAINS: dict[str, Main] = {
    "apiserver": apiserver,
    "control": control,
    "node": node,
    "simnode": simnode,
    "stop-pods": stop_pods,
}
