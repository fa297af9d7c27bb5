"""How the API server reaches kubelets: address and port from the Node's status, TLS with its own client certificate.

Follows: pkg/kubelet/client/kubelet_client.go, NodeConnectionInfoGetter.
"""

import ssl
from pathlib import Path

from pybernetes.apiserver.config import KubeletClientConfig
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.apiserver.resources.upstream import Target
from pybernetes.machinery import errors
from pybernetes.machinery.errors import BadRequest

DEFAULT_PORT = 10250


class Kubelets:
    """See the module."""

    def __init__(self, config: KubeletClientConfig, reader: ObjectReader) -> None:
        self._config = config
        self._reader = reader
        self._context: ssl.SSLContext | None = None
        self._unverified: ssl.SSLContext | None = None

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            if self._config.certificate_authority:
                context.load_verify_locations(self._config.certificate_authority)
            else:
                context.verify_mode = ssl.CERT_NONE
            if self._config.client_certificate and Path(self._config.client_certificate).is_file():
                context.load_cert_chain(self._config.client_certificate, self._config.client_key)
            self._context = context
        return self._context

    @property
    def unverified(self) -> ssl.SSLContext:
        """TLS towards pods, whose certificates nobody here can check."""
        if self._unverified is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._unverified = context
        return self._unverified

    def target(self, node_name: str, path: str) -> Target:
        """The kubelet of a node.

        Raises:
            NotFound: there is no such node.
            InternalError: the node has published no address.
        """
        node = self._reader.get("", "nodes", "", node_name)
        if node is None:
            raise errors.not_found("nodes", "", node_name)
        status = node.get("status") or {}
        endpoint = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or DEFAULT_PORT
        return Target(self._address(node_name, status), endpoint, path, self._tls(), node_name)

    def _address(self, node_name: str, status: Document) -> str:
        addresses = {a.get("type"): a.get("address") for a in reversed(status.get("addresses") or ())}
        for wanted in self._config.preferred_address_types:
            if addresses.get(wanted):
                return str(addresses[wanted])
        raise errors.internal_error(
            f"no preferred addresses found for node {node_name}; known addresses: {sorted(filter(None, addresses))}"
        )

    def target_of_pod(self, pod: Document, path: str) -> Target:
        """The kubelet of the node a pod runs on.

        Raises:
            BadRequest: the pod is not scheduled yet.
        """
        node_name = (pod.get("spec") or {}).get("nodeName")
        if not node_name:
            raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
        return self.target(node_name, path)
