"""Where a webhook is: a `clientConfig` read into a URL to show, an address to connect to and a name to verify.

    url        https://hooks.example.com:8443/path      connect there, verify that host
    service    default/hooks, port 443, /path           connect to a ready endpoint, verify `hooks.default.svc`

A Service is resolved to one of its endpoints right here, so that a webhook also works where nobody routes ClusterIPs.

Follows: apiserver pkg/util/webhook/client.go, hookClientConfig; apiserver pkg/util/proxy/proxy.go, ResolveEndpoint.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from pybernetes.apiserver.request import ObjectReader
from pybernetes.effects import Chance

DEFAULT_PORT = 443
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Unresolvable(Exception):
    """There is nobody to connect to; the text says why, in upstream's words."""


@dataclass(frozen=True, slots=True)
class Location:
    """What a `clientConfig` says, before anybody is looked up."""

    authority: str
    """`host:port` as URL and Host header show it."""
    path: str
    server_name: str
    """Whose certificate it must be."""
    port: int
    service: tuple[str, str] | None = None
    """Namespace and name, when a Service is meant."""
    ca_bundle: bytes = b""
    """PEM; empty trusts what this machine trusts."""

    def url(self, seconds: int) -> str:
        """The address errors show, with the time the webhook is given."""
        return f"https://{self.authority}{self.path}?timeout={seconds}s"


def locate(config: Mapping[str, Any]) -> Location:
    """Read a `clientConfig`.

    Raises:
        Unresolvable: it names neither URL nor Service, or cannot be read.
    """
    try:
        ca_bundle = base64.b64decode(config.get("caBundle") or "", validate=True)
    except (binascii.Error, ValueError):
        raise Unresolvable("unable to load root certificates: caBundle is not base64") from None
    service = config.get("service")
    if service:
        name, namespace = service.get("name", ""), service.get("namespace", "")
        port = service.get("port") or DEFAULT_PORT
        server_name = f"{name}.{namespace}.svc"
        path = str(service.get("path") or "").lstrip("/")
        return Location(f"{server_name}:{port}", _safe(f"/{path}"), server_name, port, (namespace, name), ca_bundle)
    if not config.get("url"):
        raise Unresolvable("webhook configuration must have either service or URL")
    try:
        parts = urlsplit(str(config["url"]))
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
    except ValueError as error:
        raise Unresolvable(f"Unparsable URL: {error}") from None
    return Location(parts.netloc, _safe(parts.path or "/"), host, port, None, ca_bundle)


def _safe(path: str) -> str:
    """The path as a request line may carry it: nothing in it ends the line."""
    return quote(path, safe="/%:@!$&'()*+,;=~-._")


def resolve(location: Location, reader: ObjectReader, chance: Chance) -> tuple[str, int]:
    """Address and port to connect to; of several endpoints any.

    Raises:
        Unresolvable: the Service is not there, or nobody stands behind it.
    """
    if location.service is None:
        return location.server_name, location.port
    namespace, name = location.service
    service = reader.get("", "services", namespace, name)
    if service is None:
        raise Unresolvable(f'service "{name}" not found')
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName")), location.port
    port_name = next((p.get("name") or "" for p in spec.get("ports") or () if p.get("port") == location.port), None)
    if port_name is None:
        raise Unresolvable(f'no service port {location.port} found for service "{name}"')
    found = _endpoints(reader, namespace, name, port_name)
    if not found:
        raise Unresolvable(f'no endpoints available for service "{name}"')
    return chance.choice(sorted(found))


def _endpoints(reader: ObjectReader, namespace: str, name: str, port_name: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for document in reader.list("discovery.k8s.io", "endpointslices", namespace):
        if (document["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) != name:
            continue
        ports = [p.get("port") for p in document.get("ports") or () if (p.get("name") or "") == port_name]
        if not ports or not ports[0]:
            continue
        found.extend(
            (str(endpoint["addresses"][0]), int(ports[0]))
            for endpoint in document.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("addresses")
        )
    return found
