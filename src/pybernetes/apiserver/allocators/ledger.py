"""IPAddress objects: who has which cluster IP, written through the server's own API like any client's.

Follows: kubernetes pkg/registry/core/service/ipallocator/ipallocator.go, createIPAddress, release.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import orjson

from pybernetes.apiserver.allocators.addresses import NETWORKING, family_of
from pybernetes.apiserver.request import Document

CONTROLLER: Final = "ipallocator.k8s.io"
FAMILY_LABEL: Final = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY_LABEL: Final = "ipaddress.kubernetes.io/managed-by"
PATH: Final = f"/apis/{NETWORKING}/v1/ipaddresses"
SERVICES: Final = "/registry/services/specs/"
"""Where Services lie in the store."""


class Requests(Protocol):
    """The part of a client that is needed."""

    def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json", accept: str = ""
    ) -> Coroutine[Any, Any, bytes]: ...


def labels(address: str) -> dict[str, str]:
    return {FAMILY_LABEL: family_of(address), MANAGED_BY_LABEL: CONTROLLER}


def ip_address(address: str, service: Document) -> Document:
    """The object that says that a Service has an address."""
    metadata = service["metadata"]
    parent = {"resource": "services", "namespace": metadata["namespace"], "name": metadata["name"]}
    return {
        "apiVersion": f"{NETWORKING}/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": labels(address)},
        "spec": {"parentRef": parent},
    }


class IpAddresses:
    """A `services.Ledger` over the API."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def create(self, address: str, service: Document) -> None:
        """Raises: AlreadyExists, StatusError."""
        await self._ask("POST", PATH, orjson.dumps(ip_address(address, service)))

    async def delete(self, address: str) -> None:
        """Raises: NotFound, StatusError."""
        await self._ask("DELETE", f"{PATH}/{address}")

    async def _ask(self, method: str, path: str, body: bytes = b"") -> None:
        # A task of its own: the pipeline keeps one deadline per task, and the caller's runs on.
        name = f"apiserver/ipaddress-{method.lower()}"
        await asyncio.create_task(self._client.request(method, path, body=body), name=name)
