"""The API server: its parts put together, its sockets, and the tasks that live as long as it does.

ApiServer(config, storage, …)    one server in this process, on any port or none
run(config, storage, …)          the process entry point: serve until cancelled
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Self

from pybernetes.api import printing
from pybernetes.apiserver import process_metrics, tuning
from pybernetes.apiserver.admission.chain import Chain
from pybernetes.apiserver.admission.index import Neighbours, chain
from pybernetes.apiserver.admission.metrics import AdmissionMetrics
from pybernetes.apiserver.admission.resource_quota.ledger import Ledger
from pybernetes.apiserver.admission.resource_quota.status import publish
from pybernetes.apiserver.aggregation.aggregator import Aggregator
from pybernetes.apiserver.aggregation.remotes import Remotes
from pybernetes.apiserver.allocators.ledger import SERVICES, IpAddresses
from pybernetes.apiserver.allocators.repair import Repair
from pybernetes.apiserver.allocators.services import ServiceAllocator
from pybernetes.apiserver.audit import policy as audit_policy
from pybernetes.apiserver.audit.log import AuditLog
from pybernetes.apiserver.audit.pipeline import AuditedPipeline
from pybernetes.apiserver.authn import request_header
from pybernetes.apiserver.authn.legacy_tokens import DATE, LegacyUsage
from pybernetes.apiserver.bootstrap.reconcile import Bootstrap, Settings, advertised
from pybernetes.apiserver.cache.watch_cache import WatchCache
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.context import Core
from pybernetes.apiserver.discovery import Discovery
from pybernetes.apiserver.encryption.config import UnusableEncryption
from pybernetes.apiserver.encryption.config import load as load_encryption
from pybernetes.apiserver.encryption.storage import EncryptedStorage, by_prefix
from pybernetes.apiserver.extensions.owner import Owner
from pybernetes.apiserver.flowcontrol import metrics as flow_metrics
from pybernetes.apiserver.flowcontrol.fairness import Fairness
from pybernetes.apiserver.flowcontrol.keeper import Keeper
from pybernetes.apiserver.form_choice import Forms
from pybernetes.apiserver.health import ENDPOINTS, Health
from pybernetes.apiserver.http.protocol import HttpProtocol
from pybernetes.apiserver.http.tls import server_context
from pybernetes.apiserver.inprocess import ADMIN, InProcessClient
from pybernetes.apiserver.interfaces import Admission, Authenticator, Authorizer, Documents
from pybernetes.apiserver.metrics import Metrics
from pybernetes.apiserver.nonresource import NonResourceDocuments, fairness_dumps, issuer_documents
from pybernetes.apiserver.openapi.documents import OpenApi
from pybernetes.apiserver.pipeline import Pipeline
from pybernetes.apiserver.request import User
from pybernetes.apiserver.resources.kubelets import Kubelets
from pybernetes.apiserver.scheme import ROOT, STORED_ELSEWHERE, Scheme, storage_prefix
from pybernetes.apiserver.security import assemble
from pybernetes.apiserver.store import ObjectStore
from pybernetes.apiserver.watches import Watches
from pybernetes.apiserver.webhooks.client import WebhookClient
from pybernetes.effects import Chance, Clock, Ids, SystemClock
from pybernetes.storage.interface import Revision, Storage, StoreFailed

log = logging.getLogger("pybernetes.apiserver")

BACKLOG = 1024
IDLE_SWEEP_SECONDS = 30.0
IDLE_SWEEPS = 6
"""A connection without a request for this many sweeps is closed: about three minutes, as upstream's clients expect."""
RECEIVING_SWEEPS = 2
"""A request that has not come whole after this many sweeps loses its connection, as upstream's read deadline does."""
RELOAD_SECONDS = 60.0
"""How often the encryption configuration is read again. Follows: encryptionconfig/controller, once a minute."""
DRAIN_SECONDS = 2.0
"""At stop, requests under way get this long."""


@dataclass(slots=True)
class Parts:
    """What the server is made of besides the store; None takes the default."""

    authenticator: Authenticator | None = None
    authorizer: Authorizer | None = None
    admission: Admission | None = None
    documents: Documents | None = None
    clock: Clock = field(default_factory=SystemClock)
    chance: Chance = field(default_factory=Chance)
    ids: Ids = field(default_factory=Ids)


class ApiServer:
    """One API server over one store."""

    def __init__(self, config: Config, storage: Storage, parts: Parts | None = None) -> None:
        parts = parts or Parts()
        self.config = config
        scheme = Scheme.built_in(all_versions=config.all_api_versions)
        self._encrypted: EncryptedStorage | None = None
        if config.encryption_provider_config:
            prefixes = {served.prefix: (served.resource.group, served.resource.plural) for served in scheme}
            prefixes |= {storage_prefix(*owner): owner for owner in STORED_ELSEWHERE.values()}
            encryption = load_encryption(config.encryption_provider_config)
            storage = self._encrypted = EncryptedStorage(storage, encryption, by_prefix(prefixes, ROOT))
        self.storage = storage
        cache = WatchCache(storage, scheme)
        security = assemble(config, cache, parts.clock, parts.ids)
        self._ledger = Ledger(cache, parts.clock)
        webhooks = WebhookClient(cache, parts.clock, parts.chance)
        admission_metrics = AdmissionMetrics()
        neighbours = Neighbours(
            reader=cache,
            authorizer=security.authorizer,
            clock=parts.clock,
            chance=parts.chance,
            ledger=self._ledger,
            ids=parts.ids,
            scheme=scheme,
            webhooks=webhooks,
            metrics=admission_metrics,
        )
        self.core = Core(
            config=config,
            scheme=scheme,
            store=ObjectStore(storage, cache, scheme),
            cache=cache,
            watches=Watches(cache, parts.clock),
            forms=Forms(printing, parts.clock.now),
            metrics=Metrics(),
            clock=parts.clock,
            chance=parts.chance,
            ids=parts.ids,
            authenticator=parts.authenticator or security.authenticator,
            authorizer=parts.authorizer or security.authorizer,
            admission=parts.admission or chain(neighbours, config.disabled_admission_plugins),
            documents=parts.documents,
            security=security,
            allocator=ServiceAllocator(config.service_cidr, parts.chance, config.service_node_ports),
            kubelets=Kubelets(config.kubelet, cache),
            webhooks=webhooks,
            remotes=Remotes(config, cache, parts.chance),
            fairness=Fairness(
                parts.clock,
                config.max_requests_inflight + config.max_mutating_requests_inflight,
                config.request_timeout_seconds,
            ),
        )
        fairness = self.core.fairness
        fairness.measure = lambda info: len(cache.cache_for(info.group, info.resource).objects)
        self.core.metrics.more += [
            admission_metrics.lines,
            process_metrics.lines,
            lambda: flow_metrics.lines(fairness),
        ]
        self._bootstrapped = False
        self._loaded = False
        self._stopping = False
        self._store_failure = ""
        self.core.metrics.gauges.update(
            apiserver_storage_objects=lambda: _by_resource(cache.statistics()),
            apiserver_registered_watchers=lambda: _by_resource(self.core.watches.counts()),
        )
        self.health = Health()
        self.health.add("log", str)
        for name, endpoints in (("etcd", ENDPOINTS), ("etcd-readiness", ("readyz",))):
            self.health.add(name, lambda: self._store_failure, endpoints)
        self.health.add("informer-sync", lambda: "" if self._loaded else "not loaded", ("readyz",))
        self.health.add("shutdown", lambda: "shutting down" if self._stopping else "", ("readyz",))
        for name in ("scheduling/bootstrap-system-priority-classes", "priority-and-fairness-config-producer"):
            self.health.add(f"poststarthook/{name}", lambda: "" if self._bootstrapped else "not finished", ("readyz",))
        self.health.add(
            "poststarthook/rbac/bootstrap-roles", lambda: "" if self._bootstrapped else "not finished", ("readyz",)
        )
        self.documents = NonResourceDocuments(
            Discovery(
                lambda: scheme.resources,
                lambda: scheme.generation + self.core.remotes.generation,
                remotes=self.core.remotes.rows.values,
            ),
            self.health,
            self.core.metrics,
        )
        openapi = OpenApi(
            lambda: scheme.resources,
            lambda: scheme.generation + self.core.remotes.generation,
            remotes=self.core.remotes.rows.values,
        )
        self.documents.add(lambda request: openapi.answer(request.path, request.query_text, request.header("accept")))
        self.documents.add(fairness_dumps(self.core.fairness, parts.clock))
        if security.keys is not None:
            self.documents.add(issuer_documents(security.keys, config.service_account_issuer))
        if self.core.documents is None:
            self.core.documents = self.documents
        self._audit_log: AuditLog | None = None
        self.pipeline = Pipeline(self.core)
        if config.audit_policy_file and config.audit_log_path:
            self._audit_log = AuditLog(
                config.audit_log_path,
                parts.clock,
                max_bytes=config.audit_log_max_size_megabytes * 1024 * 1024,
                max_days=config.audit_log_max_age_days,
                max_backups=config.audit_log_max_backups,
            )
            policy = audit_policy.load(config.audit_policy_file)
            self.pipeline = AuditedPipeline(self.core, policy, self._audit_log)
        self._bootstrap = Bootstrap(cache, self.client(), parts.clock)
        self.flow_control = Keeper(fairness, cache, self.client(), self._bootstrap, parts.clock)
        self._definitions = Owner(self.core, self.client())
        self._aggregator = Aggregator(cache, scheme, self.core.remotes, self.client(), parts.clock)
        self.health.add(
            "autoregister-completion", lambda: "" if self._aggregator.registered else "not finished", ("readyz",)
        )
        self.connections: set[HttpProtocol] = set()
        self._listener: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port it listens on; 0 when it does not."""
        if self._listener is None or not self._listener.sockets:
            return 0
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        scheme = "https" if self.config.tls_certificate else "http"
        return f"{scheme}://{self.config.bind_address}:{self.port}"

    def client(self, user: User = ADMIN) -> InProcessClient:
        """A client in this process, as `user`; no sockets."""
        return InProcessClient(self.pipeline, user)

    async def load(self) -> None:
        """Read the store and follow it from now on; serves callers in the same process from here on."""
        await self.core.cache.load()
        self.storage.subscribe(self.core.cache.apply)
        self.core.security.authorizer.follow()
        if isinstance(self.core.admission, Chain):
            self.core.admission.follow()
        ledger = IpAddresses(self.client())
        self.core.allocator.follow(self.core.cache, ledger)
        self.core.store.after_delete[SERVICES] = lambda service: self.core.allocator.service_deleted(service.document)
        addresses, ports = self.core.allocator.addresses, self.core.allocator.node_ports
        repair = Repair(self.core.cache, self.client(), ledger, addresses, ports, self.core.clock)
        repair.follow()
        usage = LegacyUsage(self.client(), self.core.clock)
        self.core.security.authenticator.on_legacy_use = usage.note
        self._ledger.follow()
        self.core.fairness.follow(self.core.cache)
        self._definitions.follow()
        self._aggregator.follow()
        for name, task in (
            ("apiserver/watches", self.core.watches.run()),
            ("apiserver/timeouts", self.pipeline.run()),
            ("apiserver/quota-status", publish(self._ledger, self.core.cache, self.client(), self.core.clock)),
            ("apiserver/service-repair", repair.run()),
            ("apiserver/legacy-token-usage", usage.run()),
            ("apiserver/definitions", self._definitions.run()),
            ("apiserver/flow-control", self.flow_control.run()),
            ("apiserver/aggregation", self._aggregator.run()),
            ("apiserver/compaction", self._compact()),
            ("apiserver/idle-connections", self._close_idle()),
            ("apiserver/store-health", self._watch_store()),
        ):
            self._tasks.append(asyncio.create_task(task, name=name))
        if self._audit_log is not None:
            self._tasks.append(asyncio.create_task(self._audit_log.run(), name="apiserver/audit-log"))
        if self._encrypted is not None and self.config.encryption_reload:
            self._tasks.append(asyncio.create_task(self._reload_keys(), name="apiserver/encryption"))
        self._loaded = True

    async def bootstrap(self) -> None:
        """Bring in what every cluster has: namespaces, roles, flow control, the server's own Service.

        Raises:
            StatusError: the server refuses one of its own objects.
        """
        config = self.config
        settings = Settings(
            cluster_ip=self.core.allocator.addresses.api_service,
            service_cidr=config.service_cidr,
            advertise_address=advertised(config),
            port=self.port or config.port,
            client_ca_file=config.client_ca,
            today=self.core.clock.now().strftime(DATE),
            request_header=request_header.settings(config.request_header),
        )
        await self._bootstrap.run(settings)
        self._bootstrapped = True
        self.flow_control.begin()
        self._aggregator.begin()

    async def listen(self) -> None:
        """Open the socket.

        Raises:
            OSError: the address cannot be had.
            TlsFilesUnusable.
        """
        config = self.config
        context = (
            server_context(config.tls_certificate, config.tls_key, config.client_ca, config.request_header.client_ca)
            if config.tls_certificate
            else None
        )
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: HttpProtocol(self.pipeline, self.connections),
            [config.bind_address, *config.more_addresses],
            config.port,
            ssl=context,
            backlog=BACKLOG,
            reuse_address=True,
        )
        log.info("serving url=%s", self.url)

    async def start(self) -> None:
        """Load, listen, and bring in what every cluster has; ready after that."""
        await self.load()
        await self.listen()
        await self.bootstrap()

    async def stop(self) -> None:
        """End watches, let requests under way finish, close connections. The store stays open: it is the caller's."""
        self._stopping = True
        if self._listener is not None:
            self._listener.close()
        self.core.watches.end_all()
        pending = [connection.task for connection in self.connections if connection.task is not None]
        if pending:
            await asyncio.wait(pending, timeout=DRAIN_SECONDS)
        for connection in list(self.connections):
            connection.close()
        pending += self._tasks
        for task in pending:
            task.cancel()
        for task in pending:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        self.core.webhooks.close()
        if self._audit_log is not None:
            self._audit_log.close()
        if self._listener is not None:
            await self._listener.wait_closed()
            self._listener = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ── tasks ──

    async def _watch_store(self) -> None:
        """Tell those who ask after the server's health when the store has failed; `run` ends the process then."""
        try:
            await self.storage.wait_failed()
        except StoreFailed:
            self._store_failure = "the store has failed"

    async def _compact(self) -> None:
        """Forget history that is older than one interval, as kube-apiserver asks etcd to."""
        last = self.storage.revision
        while True:
            await self.core.clock.sleep(self.config.compaction_interval_seconds)
            current = self.storage.revision
            if last > 1:
                await self.storage.compact(Revision(last))
                log.info("compacted revision=%s", last)
            last = current

    async def reload_encryption(self) -> None:
        """Use the keys of the file as it is now; what cannot be used changes nothing."""
        if self._encrypted is None:
            return
        try:
            found = await asyncio.to_thread(load_encryption, self.config.encryption_provider_config)
        except UnusableEncryption as error:
            log.warning("encryption configuration not reloaded error=%s", error)
        else:
            self._encrypted.configure(found)

    async def _reload_keys(self) -> None:
        while True:
            await self.core.clock.sleep(RELOAD_SECONDS)
            await self.reload_encryption()

    async def _close_idle(self) -> None:
        while True:
            await self.core.clock.sleep(IDLE_SWEEP_SECONDS)
            for connection in list(self.connections):
                if not connection.idle:
                    if connection.task is None:
                        connection.sweeps_receiving += 1
                        if connection.sweeps_receiving > RECEIVING_SWEEPS:
                            connection.close()
                    continue
                connection.sweeps_idle += 1
                if connection.sweeps_idle >= IDLE_SWEEPS:
                    connection.close()


def _by_resource(counts: dict[str, int]) -> list[tuple[str, float]]:
    """Counts by prefix as metrics with a resource label; 0 says nothing and is left out."""
    return [(f'resource="{p.removeprefix(ROOT).rstrip("/")}"', count) for p, count in sorted(counts.items()) if count]


async def run(config: Config, storage: Storage, parts: Parts | None = None) -> None:
    """Serve until cancelled, or until the store fails: then the process ends, and starts anew from what is durable.

    Raises:
        OSError, TlsFilesUnusable, StoreFailed.
    """
    tuning.tune_malloc()
    server = ApiServer(config, storage, parts)
    await server.start()
    tuning.tune_interpreter()
    try:
        await storage.wait_failed()
    finally:
        await server.stop()
