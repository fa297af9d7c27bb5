"""Priority and fairness as clients meet it: headers, refusals, queues, conditions, repairs."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import orjson

from pybernetes.apiserver.http.message import Answer, Connection, Request, Response
from pybernetes.apiserver.interfaces import AllowAll
from pybernetes.apiserver.request import AdmissionRequest, User
from unit.apiserver.flowcontrol.support import serving_bootstrapped
from unit.apiserver.serving import Server

ROOT = "/apis/flowcontrol.apiserver.k8s.io/v1"
JANE = User("jane", groups=("system:authenticated",))


class Gate:
    """Admission that lets nobody through before it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.opened.set()

    async def mutate(self, request: AdmissionRequest) -> None:  # noqa: ARG002 - everybody waits
        await self.opened.wait()

    async def validate(self, request: AdmissionRequest) -> None: ...


def level(name: str, shares: int, queuing: dict[str, int] | None) -> dict[str, Any]:
    response = {"type": "Queue", "queuing": queuing} if queuing else {"type": "Reject"}
    limited = {"nominalConcurrencyShares": shares, "borrowingLimitPercent": 0, "limitResponse": response}
    spec = {"type": "Limited", "limited": limited}
    return {"kind": "PriorityLevelConfiguration", "metadata": {"name": name}, "spec": spec}


def schema(name: str, level_name: str) -> dict[str, Any]:
    rows = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    rule = {"subjects": [{"kind": "User", "user": {"name": "jane"}}], "resourceRules": [rows]}
    spec = {
        "priorityLevelConfiguration": {"name": level_name},
        "matchingPrecedence": 50,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [rule],
    }
    return {"kind": "FlowSchema", "metadata": {"name": name}, "spec": spec}


def ask(server: Server, method: str, path: str, body: Any = None) -> Answer | Awaitable[Answer]:
    data = orjson.dumps(body) if body is not None else b""
    headers = {"content-type": "application/json"}
    return server.api.pipeline.answer(Request(method, path, "", headers, data, Connection(user=JANE)))


def create(server: Server, name: str) -> Answer | Awaitable[Answer]:
    return ask(server, "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}})


async def narrow(server: Server, queuing: dict[str, int] | None) -> None:
    """One seat for jane."""
    await server.create(f"{ROOT}/prioritylevelconfigurations", level("narrow", 1, queuing))
    await server.create(f"{ROOT}/flowschemas", schema("jane", "narrow"))
    server.api.core.fairness.digest()
    assert server.api.core.fairness.levels["narrow"].limit >= 1
    server.api.core.fairness.levels["narrow"].set_limit(1, server.clock.monotonic())


async def test_each_answer_names_its_schema_and_level() -> None:
    async with serving_bootstrapped() as server:
        level = await server.get(f"{ROOT}/prioritylevelconfigurations/exempt")
        schema = await server.get(f"{ROOT}/flowschemas/exempt")
        for path in ("/api/v1/namespaces", "/api/v1/namespaces/nowhere", "/version"):
            answer = await server.ask("GET", path)
            assert answer.header_lines.lower() == (
                f"x-kubernetes-pf-flowschema-uid: {schema['metadata']['uid']}\r\n"
                f"x-kubernetes-pf-prioritylevel-uid: {level['metadata']['uid']}\r\n"
            )


async def test_a_request_too_many_is_told_when_to_come_again() -> None:
    gate = Gate()
    async with serving_bootstrapped(admission=gate, authorizer=AllowAll()) as server:
        await narrow(server, None)
        gate.opened.clear()
        first = create(server, "a")
        assert isinstance(first, Awaitable)
        for refused in (create(server, "b"), ask(server, "GET", "/api/v1/namespaces/default/configmaps/a")):
            assert isinstance(refused, Response)
            assert refused.status == 429
            assert dict(refused.headers)["Retry-After"] == "1"
            assert refused.data == b"Too many requests, please try again later.\n"
            assert "Pf-Flowschema-Uid" in refused.header_lines
        gate.opened.set()
        done = await first
        assert isinstance(done, Response)
        assert done.status == 201
        after = ask(server, "GET", "/api/v1/namespaces/default/configmaps/a")
        assert isinstance(after, Response)
        assert after.status == 200
        text = (await server.ask("GET", "/metrics")).data.decode()
        assert (
            'apiserver_flowcontrol_rejected_requests_total{flow_schema="jane",priority_level="narrow",'
            'reason="concurrency-limit"} 2' in text
        )


async def test_queued_requests_are_served_when_seats_come_free() -> None:
    gate = Gate()
    async with serving_bootstrapped(admission=gate, authorizer=AllowAll()) as server:
        await narrow(server, {"queues": 4, "handSize": 1, "queueLengthLimit": 10})
        gate.opened.clear()
        waiting = [create(server, f"n{number}") for number in range(5)]
        dump = await server.ask("GET", "/debug/api_priority_and_fairness/dump_requests?includeRequestDetails=1")
        assert dump.data.count(b"narrow,") == 4
        assert b"jane" in dump.data
        gate.opened.set()
        answers = await asyncio.gather(*(one for one in waiting if isinstance(one, Awaitable)))
        assert [answer.status for answer in answers] == [201] * 5
        assert server.api.core.fairness.levels["narrow"].idle


async def test_a_client_that_leaves_gives_up_its_place() -> None:
    gate = Gate()
    async with serving_bootstrapped(admission=gate, authorizer=AllowAll()) as server:
        await narrow(server, {"queues": 4, "handSize": 1, "queueLengthLimit": 10})
        gate.opened.clear()
        answers = create(server, "a"), create(server, "b")
        found = server.api.core.fairness.levels["narrow"]
        assert (found.executing, found.waiting) == (1, 1)
        tasks = [asyncio.ensure_future(one) for one in answers if isinstance(one, Awaitable)]
        await server.clock.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert found.idle
        assert found.seats_in_use == 0


async def test_watches_hold_no_seat_once_they_have_begun() -> None:
    async with serving_bootstrapped() as server:
        watch = await server.watch("/api/v1/configmaps")
        assert server.api.core.fairness.levels["exempt"].seats_in_use == 0
        watch.close()


async def test_schemas_say_whether_their_level_exists() -> None:
    async with serving_bootstrapped() as server:
        keeper = server.api.flow_control
        await keeper.look()
        await server.create(f"{ROOT}/flowschemas", schema("jane", "nowhere"))
        await keeper.look()
        bundled = await server.get(f"{ROOT}/flowschemas/probes")
        own = await server.get(f"{ROOT}/flowschemas/jane")
        assert bundled["status"]["conditions"][0]["status"] == "False"
        assert {key: value for key, value in own["status"]["conditions"][0].items() if key != "lastTransitionTime"} == {
            "type": "Dangling",
            "status": "True",
            "reason": "NotFound",
            "message": 'This FlowSchema references the PriorityLevelConfiguration object named "nowhere" but there is '
            "no such object",
        }


async def test_bundled_objects_come_back_and_are_repaired_where_they_may() -> None:
    async with serving_bootstrapped() as server:
        levels = f"{ROOT}/prioritylevelconfigurations"
        await server.call("DELETE", f"{levels}/system")
        own = await server.get(f"{levels}/workload-high")
        own["metadata"]["annotations"] = {"apf.kubernetes.io/autoupdate-spec": "false"}
        own["spec"]["limited"]["nominalConcurrencyShares"] = 77
        await server.call("PUT", f"{levels}/workload-high", own)
        other = await server.get(f"{levels}/workload-low")
        other["spec"]["limited"]["nominalConcurrencyShares"] = 77
        await server.call("PUT", f"{levels}/workload-low", other)
        obsolete = schema("endpoint-controller", "workload-high")
        obsolete["metadata"]["annotations"] = {"apf.kubernetes.io/autoupdate-spec": "true"}
        await server.create(f"{ROOT}/flowschemas", obsolete)
        await server.api.flow_control.look()
        shares = {
            name: (await server.get(f"{levels}/{name}"))["spec"]["limited"]["nominalConcurrencyShares"]
            for name in ("system", "workload-high", "workload-low")
        }
        assert shares == {"system": 30, "workload-high": 77, "workload-low": 100}
        assert (await server.ask("GET", f"{ROOT}/flowschemas/endpoint-controller")).status == 404


async def test_what_is_remembered_of_flows_is_bounded() -> None:
    async with serving_bootstrapped() as server:
        for number in range(10):
            await server.ask("GET", f"/api/v1/namespaces/n{number}/pods")
            await server.ask("GET", "/" + "x" * (300 + number))
        remembered = server.api.core.fairness.flows
        assert not any(len(question[-1]) > 256 for question in remembered)
        assert len(remembered) <= 16384
