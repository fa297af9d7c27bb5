"""How pods find this node's DNS: the Service `kube-dns` and this node's endpoint of it.

The Service is internal-traffic-policy Local, so that each node's pods ask their own node; each node publishes an
EndpointSlice of its own, which goes with its Node.
"""

from dataclasses import dataclass

import msgspec

from pybernetes.api import core_v1, discovery_v1, meta_v1
from pybernetes.client.interface import Client
from pybernetes.machinery.errors import NotFound

NAMESPACE = "kube-system"
SERVICE = "kube-dns"
MANAGED_BY = "dns.pybernetes"


@dataclass(frozen=True, slots=True)
class Publication:
    """What pods are told: the cluster DNS address, and where this node's server listens."""

    service_ip: str
    node_name: str
    address: str
    port: int


def service(publication: Publication) -> core_v1.Service:
    port = publication.port
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(
            name=SERVICE,
            namespace=NAMESPACE,
            labels={"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        ),
        spec=core_v1.ServiceSpec(
            clusterIP=publication.service_ip,
            internalTrafficPolicy="Local",
            ports=[
                core_v1.ServicePort(name="dns", protocol="UDP", port=53, targetPort=port),
                core_v1.ServicePort(name="dns-tcp", protocol="TCP", port=53, targetPort=port),
            ],
        ),
    )


def endpoint_slice(publication: Publication, node: core_v1.Node) -> discovery_v1.EndpointSlice:
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(
            name=f"{SERVICE}-{publication.node_name}",
            namespace=NAMESPACE,
            labels={
                "kubernetes.io/service-name": SERVICE,
                "endpointslice.kubernetes.io/managed-by": MANAGED_BY,
            },
            ownerReferences=[
                meta_v1.OwnerReference(apiVersion="v1", kind="Node", name=node.name, uid=node.metadata.uid)
            ],
        ),
        addressType="IPv4",
        endpoints=[
            discovery_v1.Endpoint(
                addresses=[publication.address],
                conditions=discovery_v1.EndpointConditions(ready=True, serving=True, terminating=False),
                nodeName=publication.node_name,
            )
        ],
        ports=[
            discovery_v1.EndpointPort(name="dns", protocol="UDP", port=publication.port),
            discovery_v1.EndpointPort(name="dns-tcp", protocol="TCP", port=publication.port),
        ],
    )


async def publish(client: Client, publication: Publication) -> None:
    """Make the Service and this node's slice exist as they should be.

    Raises:
        StatusError: the server refused; Unreachable: it did not answer. Both can be tried again.
    """
    try:
        await client.get(core_v1.Service, SERVICE, NAMESPACE)
    except NotFound:
        await client.create(service(publication))
    node = await client.get(core_v1.Node, publication.node_name)
    wanted = endpoint_slice(publication, node)
    try:
        present = await client.get(discovery_v1.EndpointSlice, wanted.name, NAMESPACE)
    except NotFound:
        await client.create(wanted)
        return
    merged = msgspec.structs.replace(
        wanted, metadata=msgspec.structs.replace(wanted.metadata, resourceVersion=present.metadata.resourceVersion)
    )
    await client.update(merged)
