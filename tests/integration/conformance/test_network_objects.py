"""Services, their endpoints and the addresses of the cluster, as objects."""

import asyncio

import pytest

from integration.conformance.suite import CLOCK, Json, Suite, made, pod_spec, workload

pytestmark = pytest.mark.asyncio(loop_scope="module")

DISCOVERY = "discovery.k8s.io"
CONDITION = {
    "type": "StatusUpdate",
    "status": "True",
    "reason": "E2E",
    "message": "Set from e2e test",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}


def service(name: str, labels: Json | None = None, **spec: object) -> Json:
    return made(name, labels, spec={"ports": [{"name": "http", "port": 80, "targetPort": 80}], **spec})


def slices(suite: Suite) -> str:
    return suite.group(DISCOVERY, "endpointslices")


def of_service(name: str) -> dict[str, str]:
    return {"labelSelector": f"kubernetes.io/service-name={name}"}


@pytest.mark.conformance(
    "API Server should provide secure master service", "Services should find a service from listing all namespaces"
)
async def test_the_service_of_the_api_server_exists(suite: Suite) -> None:
    found = [item for item in await suite.items("/api/v1/services") if item["metadata"]["name"] == "kubernetes"]
    assert [item["metadata"]["namespace"] for item in found] == ["default"]
    assert [(port["name"], port["port"]) for port in found[0]["spec"]["ports"]] == [("https", 443)]


@pytest.mark.conformance("API Server should have Endpoints and EndpointSlices pointing to API Server")
async def test_the_api_servers_endpoints_and_slices_agree(suite: Suite) -> None:
    endpoints = await suite.get("/api/v1/namespaces/default/endpoints/kubernetes")
    found = await suite.items(f"/apis/{DISCOVERY}/v1/namespaces/default/endpointslices", **of_service("kubernetes"))
    assert len(found) == 1
    (subset,) = endpoints["subsets"]
    addresses = [address for row in found[0]["endpoints"] for address in row["addresses"]]
    assert addresses == [address["ip"] for address in subset["addresses"]]
    assert [(port["name"], port["port"]) for port in found[0]["ports"]] == [
        (port["name"], port["port"]) for port in subset["ports"]
    ]


@pytest.mark.conformance("ServiceCIDR and IPAddress API should support ServiceCIDR API operations")
async def test_the_default_range_of_services_is_an_object(suite: Suite) -> None:
    path = "/apis/networking.k8s.io/v1/servicecidrs"
    found = await suite.get(f"{path}/kubernetes")
    assert found["spec"]["cidrs"] == ["10.96.0.0/12"]
    assert "kubernetes" in await suite.names(path)
    assert (await suite.get(f"{path}/kubernetes/status"))["spec"] == found["spec"]
    async with suite.watch(path, fieldSelector="metadata.name=kubernetes") as events:
        assert (await events.until("ADDED"))["metadata"]["name"] == "kubernetes"


@pytest.mark.conformance("Services should complete a service status lifecycle")
async def test_the_status_of_a_service_round_trips(suite: Suite) -> None:
    path = suite.core("services", "test-service")
    label = {"test-service-static": "true"}
    start = await suite.get(suite.core("services"))
    async with suite.watch(suite.core("services"), start, labelSelector="test-service-static=true") as events:
        await suite.create(suite.core("services"), service("test-service", label, type="LoadBalancer"))
        await events.until("ADDED")
        balanced = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
        note = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": balanced}
        patched = await suite.patch(f"{path}/status", note)
        assert patched["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
        await events.until("MODIFIED", lambda found: found["metadata"]["annotations"]["patchedstatus"] == "true")
        status = await suite.get(f"{path}/status")
        status["status"]["conditions"] = [CONDITION]
        assert (await suite.update(f"{path}/status", status))["status"]["conditions"] == [CONDITION]
        await events.until("MODIFIED", lambda found: found["status"].get("conditions") == [CONDITION])
        await suite.patch(path, {"metadata": {"labels": {"test-service": "patched"}}})
        await events.until("MODIFIED", lambda found: found["metadata"]["labels"].get("test-service") == "patched")
        await suite.delete(path)
        await events.until("DELETED")
    await suite.gone(path)


@pytest.mark.conformance("Services should delete a collection of services")
async def test_a_collection_of_services_goes_by_label(suite: Suite) -> None:
    path, label = suite.core("services"), f"e2e-svc-{suite.namespace}"
    for number, value in enumerate(("blue", "blue", "red")):
        await suite.create(path, service(f"e2e-svc-{number}", {label: value}))
    assert len(await suite.items(path)) == 3
    await suite.delete(path, labelSelector=f"{label}=blue")
    assert await suite.names(path) == ["e2e-svc-2"]


@pytest.mark.conformance(
    "EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods",
    "EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods",
)
async def test_a_service_without_pods_has_empty_endpoints_that_go_with_it(suite: Suite) -> None:
    await suite.create(suite.core("services"), service("example-empty", selector={"does-not-match-anything": "x"}))
    endpoints = await suite.becomes(suite.core("endpoints"), lambda found: found["items"])
    assert [item["metadata"]["name"] for item in endpoints["items"]] == ["example-empty"]

    async def one_slice() -> bool:
        return len(await suite.items(slices(suite), **of_service("example-empty"))) == 1

    await suite.eventually("a slice", one_slice)
    assert not (await suite.items(slices(suite), **of_service("example-empty")))[0].get("endpoints")
    await suite.delete(suite.core("services", "example-empty"))
    await suite.empty(suite.core("endpoints"))
    await suite.empty(slices(suite))


@pytest.mark.conformance(
    "EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service",
    "EndpointsController should create Endpoints for Pods matching a Service",
)
async def test_endpoints_follow_ready_pods_and_named_ports(suite: Suite) -> None:
    numbers = {"pod1": 3000, "pod2": 3001}
    for name, number in numbers.items():
        document = made(name, {"foo": "bar"}, spec=pod_spec())
        document["spec"]["containers"][0]["ports"] = [{"name": "example-name", "containerPort": number}]
        await suite.create(suite.core("pods"), document)
    ports = [{"name": "example", "port": 80, "targetPort": "example-name"}]
    await suite.create(suite.core("services"), made("named", spec={"selector": {"foo": "bar"}, "ports": ports}))
    addresses = {}
    for name in numbers:
        ready = await suite.becomes(suite.core("pods", name), lambda found: found["status"].get("podIP"))
        addresses[name] = ready["status"]["podIP"]

    async def matched() -> bool:
        found = [
            (row["targetRef"]["name"], row["addresses"], item["ports"][0]["port"])
            for item in await suite.items(slices(suite), **of_service("named"))
            for row in item.get("endpoints") or ()
            if row["conditions"]["ready"]
        ]
        return sorted(found) == [(name, [addresses[name]], number) for name, number in numbers.items()]

    await suite.eventually("a slice per port with its pod", matched)
    found = await suite.becomes(
        suite.core("endpoints", "named"), lambda found: len(found.get("subsets") or ()) == len(numbers)
    )
    rows = [(subset["addresses"][0]["ip"], subset["ports"][0]["port"]) for subset in found["subsets"]]
    assert sorted(rows, key=lambda row: row[1]) == [(addresses[name], number) for name, number in numbers.items()]
    before = {item["metadata"]["uid"] for item in await suite.items(slices(suite), **of_service("named"))}
    await suite.delete(slices(suite), **of_service("named"))

    async def again() -> bool:
        now = {item["metadata"]["uid"] for item in await suite.items(slices(suite), **of_service("named"))}
        return len(now) == len(before) and not now & before and await matched()

    await suite.eventually("deleted slices are made again", again)


@pytest.mark.conformance("Service endpoints latency should not be very high")
async def test_slices_of_many_new_services_appear_soon(suite: Suite) -> None:
    await suite.create(suite.apps("deployments"), workload("backend"))
    await suite.becomes(
        suite.apps("deployments", "backend"), lambda found: found["status"].get("availableReplicas") == 1
    )
    services, count = suite.core("services"), 200
    async with suite.watch(slices(suite), await suite.get(slices(suite))) as events:
        began = CLOCK.monotonic()
        made_ = (service(f"latency-{number}", selector={"name": "backend"}) for number in range(count))
        creating = asyncio.gather(*(suite.create(services, document) for document in made_))
        arrived: dict[str, float] = {}
        while len(arrived) < count:
            found = await events.until("ADDED")
            arrived[found["metadata"]["labels"]["kubernetes.io/service-name"]] = CLOCK.monotonic() - began
        await creating
    latencies = sorted(arrived.values())
    assert latencies[count // 2] < 20
    assert latencies[count * 99 // 100] < 50


@pytest.mark.conformance(
    "EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete"
)
async def test_endpoints_somebody_wrote_are_mirrored(suite: Suite) -> None:
    name, path = "example-custom-endpoints", suite.core("endpoints", "example-custom-endpoints")
    await suite.create(suite.core("services"), made(name, spec={"ports": [{"name": "example", "port": 80}]}))
    ports = [{"port": 80, "protocol": "TCP"}]
    await suite.create(
        suite.core("endpoints"), made(name, subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": ports}])
    )

    async def mirrored(*addresses: str) -> bool:
        found = await suite.items(slices(suite), **of_service(name))
        return [[row["addresses"] for row in one["endpoints"]] for one in found] == [
            [[address] for address in addresses]
        ] and [one["ports"][0]["port"] for one in found] == [80]

    await suite.eventually("a slice", lambda: mirrored("10.1.2.3"))
    (found,) = await suite.items(slices(suite), **of_service(name))
    assert (
        found["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
        == "endpointslicemirroring-controller.k8s.io"
    )
    await suite.patch(path, {"subsets": [{"addresses": [{"ip": "10.2.3.4"}, {"ip": "10.1.2.3"}], "ports": ports}]})
    await suite.eventually("both addresses", lambda: mirrored("10.1.2.3", "10.2.3.4"))
    (changed,) = await suite.items(slices(suite), **of_service(name))
    assert changed["metadata"]["uid"] == found["metadata"]["uid"]
    async with suite.watch(slices(suite), changed) as events:
        assert await events.quiet(), "a mirror that is right is not written again"
    await suite.delete(path)
    await suite.empty(slices(suite), **of_service(name))
