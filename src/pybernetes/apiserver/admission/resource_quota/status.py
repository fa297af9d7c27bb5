"""Writes what is used into the status of quotas, where people and controllers read it."""

import logging
from typing import Protocol

import orjson

from pybernetes.apiserver.admission.resource_quota.ledger import Account, Ledger
from pybernetes.apiserver.request import ObjectReader
from pybernetes.effects import Clock
from pybernetes.machinery.errors import StatusError

log = logging.getLogger("pybernetes.apiserver.quota")

GATHER_SECONDS = 0.1
"""Changes within this time become one write; arbitrary."""


class Requests(Protocol):
    """The part of a client that is needed."""

    async def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json", accept: str = ""
    ) -> bytes: ...


async def publish(ledger: Ledger, reader: ObjectReader, client: Requests, clock: Clock) -> None:
    """Keep every quota's status as the ledger has it, until cancelled."""
    while True:
        for account in await ledger.wait_changed():
            await _write(account, reader, client)
        await clock.sleep(GATHER_SECONDS)


async def _write(account: Account, reader: ObjectReader, client: Requests) -> None:
    stored = reader.get("", "resourcequotas", account.namespace, account.name)
    status = account.status()
    if stored is None or stored.get("status") == status:
        return
    path = f"/api/v1/namespaces/{account.namespace}/resourcequotas/{account.name}/status"
    patch = orjson.dumps([{"op": "add", "path": "/status", "value": status}])
    try:
        await client.request("PATCH", path, body=patch, content_type="application/json-patch+json")
    except StatusError as error:  # deleted meanwhile, or changed: the next change of the quota marks it again
        log.info("status not written quota=%s/%s error=%s", account.namespace, account.name, error.message)
