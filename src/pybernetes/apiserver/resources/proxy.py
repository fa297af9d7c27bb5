"""`proxy` of pods, services and nodes: the API server as a way into the cluster's network.

    pods/[scheme:]NAME[:PORT]/proxy/PATH        the pod's address
    services/[scheme:]NAME[:PORT]/proxy/PATH    a ready endpoint of the Service, by port name or number
    nodes/[scheme:]NAME[:PORT]/proxy/PATH       the kubelet

Follows: pkg/registry/core/{pod,service,node}/…, ResourceLocation; apimachinery pkg/util/proxy/transport.go.
"""

import ipaddress
import zlib
from dataclasses import dataclass, replace

from pybernetes.apiserver.context import Context
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources.html_links import rewrite_html, rewrite_url
from pybernetes.apiserver.resources.pod_streams import admit_connection
from pybernetes.apiserver.resources.upstream import (
    HOP_HEADERS,
    Target,
    Upstream,
    answer_of,
    open_upstream,
    passed_headers,
)
from pybernetes.machinery import errors
from pybernetes.machinery.errors import BadRequest, ServiceUnavailable

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
HTML = "text/html"
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Larger pages pass with their links as they are; arbitrary."""
_WINDOWS = {"gzip": 31, "deflate": 15}
"""zlib's window bits for each encoding."""


@dataclass(frozen=True, slots=True)
class Address:
    """`[scheme:]name[:port]`."""

    scheme: str
    name: str
    port: str


def parse_address(text: str, kind: str) -> Address:
    """Read the name part of a proxy path. Follows: apimachinery pkg/util/net/port_split.go.

    Raises:
        BadRequest.
    """
    parts = text.split(":")
    match len(parts):
        case 1:
            found = Address("", text, "")
        case 2:
            found = Address("", parts[0], parts[1])
        case 3:
            found = Address(*parts)
        case _:
            found = Address("?", "", "")
    if found.scheme not in {"", "http", "https"} or not found.name:
        raise BadRequest(f'invalid {kind} request "{text}"')
    return found


async def proxy(context: Context) -> Answer:
    """What the server behind answers.

    Raises:
        NotFound, BadRequest, Forbidden (admission), ServiceUnavailable.
    """
    core, info, request = context.core, context.info, context.request
    await admit_connection(context, {"path": "/".join(info.path_parts)} if info.path_parts else {})
    await core.store.catch_up()
    prefix, has_slash, rest = _split_path(context)
    if not has_slash and request.method in {"GET", "HEAD"}:
        query = f"?{request.query_text}" if request.query_text else ""
        return Response(b"", 301, "", [("Location", f"{prefix}/{query}")])
    path = _path_behind(rest, request.query_text)
    match info.resource:
        case "pods":
            target = _pod_target(context, parse_address(info.name, "pod"), path)
        case "services":
            target = _service_target(context, parse_address(info.name, "service"), path)
        case _:
            target = _node_target(context, parse_address(info.name, "node"), path)
    upgrade = "upgrade" in request.headers
    headers = passed_headers(request.headers, upgrade=upgrade)
    headers.append(("X-Forwarded-Uri", f"{prefix}{rest}"))
    if request.connection.peer:
        headers.append(("X-Forwarded-For", request.connection.peer))
    upstream = await open_upstream(target, request.method, headers, request.body, request.reader)
    host = target.authority
    if request.method != "HEAD" and not upstream.upgraded:
        page = await _with_links(upstream, prefix, host)
        if page is not None:
            return page
    location = upstream.header("location")
    location = rewrite_url(location, prefix, host) if location else ""
    return answer_of(upstream, location=location, bodiless=request.method == "HEAD")


def _split_path(context: Context) -> tuple[str, bool, str]:
    """The path up to `proxy`, whether a slash follows, and the rest as it was sent."""
    raw = context.request.raw_path
    marker = f"/{context.info.name}/proxy"
    position = raw.find(marker)
    if position < 0:  # the name was sent with escapes
        position = raw.find("/proxy")
        end = position + len("/proxy")
    else:
        end = position + len(marker)
    return raw[:end], raw[end : end + 1] == "/", raw[end:]


def _path_behind(rest: str, query_text: str) -> str:
    path = rest or "/"
    return f"{path}?{query_text}" if query_text else path


async def _with_links(upstream: Upstream, prefix: str, host: str) -> Answer | None:
    """The answer of the server behind, if it is a page whose links have to lead through the proxy.

    None where it is none; what has been read of a page that is too large or compressed in a strange way is kept.
    """
    if upstream.header("content-type").partition(";")[0].strip() != HTML or upstream.header("location"):
        return None
    encoding = upstream.header("content-encoding")
    if encoding not in {"", "gzip", "deflate"}:
        return None
    page = await upstream.whole_body(MAX_PAGE_BYTES)
    if page is None:
        return None
    try:
        plain = page if not encoding else zlib.decompressobj(_WINDOWS[encoding]).decompress(page, MAX_PAGE_BYTES)
    except zlib.error:
        plain = b""
    upstream.close()
    headers = [
        (name, value)
        for name, value in upstream.headers
        if name.lower() not in HOP_HEADERS and name.lower() not in {"content-type", "audit-id"}
    ]
    if encoding and (not plain or len(plain) == MAX_PAGE_BYTES):
        return Response(page, upstream.status, upstream.header("content-type"), headers)
    text = rewrite_html(plain.decode("latin-1"), prefix, host)  # bytes that are no tags stay what they are
    headers = [(name, value) for name, value in headers if name.lower() != "content-encoding"]
    data = text.encode("latin-1", "xmlcharrefreplace")
    return Response(data, upstream.status, upstream.header("content-type"), headers)


def _pod_target(context: Context, address: Address, path: str) -> Target:
    core, info = context.core, context.info
    pod = core.cache.get("", "pods", info.namespace, address.name)
    if pod is None:
        raise errors.not_found("pods", "", address.name)
    port = address.port
    if not port:
        ports = [p for c in (pod.get("spec") or {}).get("containers") or () for p in c.get("ports") or ()]
        port = str(ports[0]["containerPort"]) if ports else ""
    ip = (pod.get("status") or {}).get("podIP")
    ip = str(ip or "")
    check_proxyable(ip)
    return _plain_target(context, address.scheme, ip, int(port) if port.isdigit() else 80, path)


def check_proxyable(address: str) -> None:
    """Refuse addresses that are this machine's own business. Follows: pkg/util/proxy (IsProxyableIP).

    Raises:
        BadRequest.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise BadRequest("address not allowed") from None
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        raise BadRequest("address not allowed")


def _plain_target(context: Context, scheme: str, host: str, port: int, path: str) -> Target:
    target = Target(host, port, path)
    return replace(target, tls=context.core.kubelets.unverified) if scheme == "https" else target


def _service_target(context: Context, address: Address, path: str) -> Target:
    """A ready endpoint. Follows: pkg/registry/core/service/storage/storage.go, ResourceLocation."""
    core, info = context.core, context.info
    service = core.cache.get("", "services", info.namespace, address.name)
    if service is None:
        raise errors.not_found("services", "", address.name)
    name = _port_name(service, address.port)
    if name is None:
        raise ServiceUnavailable(f'no service port "{address.port}" found for service "{address.name}"')
    found = []
    for endpoint_slice in core.cache.list("discovery.k8s.io", "endpointslices", info.namespace):
        if (endpoint_slice["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) != address.name:
            continue
        ports = [p.get("port") for p in endpoint_slice.get("ports") or () if (p.get("name") or "") == name]
        for endpoint in endpoint_slice.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready")
            if ports and ports[0] and ready is not False and endpoint.get("addresses"):
                found.append((endpoint["addresses"][0], ports[0]))
    if not found:
        raise ServiceUnavailable(f'no endpoints available for service "{info.name}"')
    host, port = core.chance.choice(sorted(found))
    check_proxyable(host)
    return _plain_target(context, address.scheme, host, port, path)


def _port_name(service: Document, wanted: str) -> str | None:
    """The name of the port meant: endpoints carry names, not numbers."""
    ports = (service.get("spec") or {}).get("ports") or []
    if not wanted:
        return (ports[0].get("name") or "") if len(ports) == 1 else None
    for port in ports:
        if wanted in {port.get("name"), str(port.get("port"))}:
            return port.get("name") or ""
    return None


def _node_target(context: Context, address: Address, path: str) -> Target:
    target: Target = context.core.kubelets.target(address.name, path)
    if address.port.isdigit() and int(address.port) != target.port:
        return _plain_target(context, address.scheme or "http", target.host, int(address.port), path)
    return target
