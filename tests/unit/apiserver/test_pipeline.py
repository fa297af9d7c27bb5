import asyncio
from typing import Any

import pytest

from pybernetes.apiserver.http.message import Connection, Request, Response
from pybernetes.apiserver.interfaces import Decision, NoAdmission
from pybernetes.apiserver.request import AdmissionRequest, RequestInfo, User
from unit.apiserver.serving import config_map, serving

MAPS = "/api/v1/namespaces/default/configmaps"


class Slow(NoAdmission):
    async def validate(self, request: AdmissionRequest) -> None:  # noqa: ARG002
        await asyncio.get_running_loop().create_future()


class Only:
    """Lets one user get config maps, and impersonate."""

    def authorize(self, user: User, info: RequestInfo) -> Decision:
        if info.verb == "impersonate":
            return Decision(allowed=user.name == "boss" and info.name != "god")
        return Decision(allowed=user.name == "jane" and info.verb == "get", reason="only getting")


async def test_a_request_that_takes_too_long_is_504() -> None:
    async with serving(admission=Slow()) as server:
        asking = asyncio.create_task(server.create(MAPS, config_map("a"), status=504))
        await server.clock.advance(62)
        assert (await asking)["reason"] == "Timeout"
        shorter = asyncio.create_task(server.create(f"{MAPS}?timeout=5s", config_map("a"), status=504))
        await server.clock.advance(7)
        assert (await shorter)["code"] == 504


async def as_user(server: Any, user: str, method: str, path: str, **headers: str) -> Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(method, path, "", given, b"", Connection(user=User(user)))
    answer = server.api.pipeline.answer(request)
    found = answer if isinstance(answer, Response) else await answer
    assert isinstance(found, Response)
    return found


async def test_refusals_say_who_may_not_do_what_where() -> None:
    async with serving(authorizer=Only()) as server:
        answer = await as_user(server, "joe", "GET", f"{MAPS}/a")
        assert answer.status == 403
        assert (
            b'configmaps \\"a\\" is forbidden: User \\"joe\\" cannot get resource \\"configmaps\\" in API group \\"\\"'
            b' in the namespace \\"default\\": only getting'
        ) in answer.data
        path = await as_user(server, "joe", "GET", "/healthz")
        assert b'forbidden: User \\"joe\\" cannot get path \\"/healthz\\"' in path.data


@pytest.mark.parametrize(
    ("user", "wanted", "status"), [("boss", "jane", 404), ("boss", "god", 403), ("joe", "jane", 403)]
)
async def test_impersonation_needs_permission_and_then_counts(user: str, wanted: str, status: int) -> None:
    async with serving(authorizer=Only()) as server:
        answer = await as_user(server, user, "GET", f"{MAPS}/a", impersonate_user=wanted)
        assert answer.status == status


async def test_our_own_mistakes_are_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(NoAdmission):
        async def mutate(self, request: AdmissionRequest) -> None:  # noqa: ARG002
            raise KeyError("oops")

    async with serving(admission=Broken()) as server:
        status = await server.create(MAPS, config_map("a"), status=500)
        assert status["reason"] == "InternalError"
        assert "request failed" in caplog.text


async def test_requests_are_counted() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a"))
        await server.get(f"{MAPS}/b", status=404)
        text = (await server.ask("GET", "/metrics")).data.decode()
        assert (
            'apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="configmaps"' in text
        )
        assert 'scope="resource",subresource="",verb="POST",version="v1"} 1' in text
        assert 'apiserver_current_inflight_requests{request_kind="mutating"} 0' in text
        assert "kubernetes_build_info{" in text
        assert "process_start_time_seconds " in text
        assert 'scope="resource",subresource="",verb="GET",version="v1"} 1' in text


async def test_dry_runs_are_counted_apart() -> None:
    async with serving() as server:
        await server.create(f"{MAPS}?dryRun=All", config_map("a"))
        text = (await server.ask("GET", "/metrics")).data.decode()
        assert 'component="apiserver",dry_run="All",group="",resource="configmaps"' in text


async def test_strangers_do_not_name_metrics() -> None:
    async with serving() as server:
        before = len(server.api.core.metrics.text().splitlines())
        for number in range(100):
            await server.get(f"/apis/group-{number}/v1/things", status=404)
            await server.get(f"/api/v1/namespaces/default/pods/a/door-{number}", status=404)
        added = len(server.api.core.metrics.text().splitlines()) - before
        assert added < 60


async def test_readiness_names_upstreams_checks_of_the_store() -> None:
    async with serving() as server:
        text = (await server.ask("GET", "/readyz?verbose")).data.decode()
        for name in ("ping", "log", "etcd", "etcd-readiness", "informer-sync", "shutdown"):
            assert f"[+]{name} ok\n" in text
        assert (await server.ask("GET", "/livez/etcd")).data == b"ok"
