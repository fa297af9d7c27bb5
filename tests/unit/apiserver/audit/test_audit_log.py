"""What the audit log says of requests, and that nothing of it is lost."""

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pybernetes.apiserver.audit.log import AuditLog
from pybernetes.apiserver.audit.policy import Policy, UnusablePolicy, parse
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.http.message import Connection, Request, Response
from pybernetes.apiserver.request import User
from pybernetes.apiserver.routing import route
from pybernetes.apiserver.server import ApiServer, Parts
from pybernetes.effects import VirtualClock
from pybernetes.storage.memory import open_memory
from unit.apiserver.serving import config_map

ADMIN = User("admin", groups=("system:masters", "system:authenticated"))
JANE = User("jane", groups=("system:authenticated",))
MAPS = "/api/v1/namespaces/default/configmaps"


def policy(*rules: dict[str, Any], **more: Any) -> Policy:
    return parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more})


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ({"resources": [{"group": "", "resources": ["pods"]}]}, "/api/v1/namespaces/a/pods/p", True),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, "/api/v1/namespaces/a/pods/p/status", False),
        ({"resources": [{"group": "", "resources": ["pods/*"]}]}, "/api/v1/namespaces/a/pods/p/status", True),
        ({"resources": [{"group": "", "resources": ["*/status"]}]}, "/api/v1/namespaces/a/pods/p/status", True),
        ({"resources": [{"group": "apps"}]}, "/api/v1/namespaces/a/pods/p", False),
        ({"resources": [{"group": "", "resources": ["pods"], "resourceNames": ["q"]}]}, "/api/v1/pods", False),
        ({"namespaces": ["b"]}, "/api/v1/namespaces/a/pods/p", False),
        ({"namespaces": [""]}, "/api/v1/nodes/n", True),
        ({"nonResourceURLs": ["/healthz*"]}, "/healthz/etcd", True),
        ({"nonResourceURLs": ["/healthz"]}, "/healthz/etcd", False),
        ({"users": ["john"]}, "/api/v1/nodes/n", False),
        ({"userGroups": ["system:authenticated"]}, "/api/v1/nodes/n", True),
        ({"verbs": ["delete"]}, "/api/v1/nodes/n", False),
    ],
)
def test_rules_are_about_what_they_name(rule: dict[str, Any], path: str, matches: bool) -> None:
    verdict = policy({"level": "Metadata", **rule}).verdict(JANE, route("GET", path))
    assert verdict.level == ("Metadata" if matches else "None")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"},
        {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Everything"}]},
        {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None", "omitStages": ["Never"]}]},
    ],
)
def test_a_wrong_policy_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UnusablePolicy):
        parse(document)


async def told(tmp_path: Path, rules: str, *asked: tuple[User, str, str, Any]) -> list[dict[str, Any]]:
    """The events of some requests to a server with a policy; those of the server itself are left out."""
    policy_file, log_file = tmp_path / "policy.yaml", tmp_path / "logs" / "audit.log"
    policy_file.write_text(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}", encoding="utf-8")
    clock = VirtualClock()
    storage = open_memory(clock)
    config = Config(audit_policy_file=str(policy_file), audit_log_path=str(log_file))
    server = ApiServer(config, storage, Parts(clock=clock))
    await server.load()
    await server.bootstrap()
    for user, method, path, body in asked:
        data = orjson.dumps(body) if body is not None else b""
        request = Request(method, path, "", {"content-type": "application/json"}, data, Connection(user=user))
        answer = server.pipeline.answer(request)
        found = await answer if isinstance(answer, Awaitable) else answer
        assert isinstance(found, Response)
    await server.stop()
    await storage.close()
    events = [orjson.loads(line) for line in log_file.read_bytes().splitlines()]
    return [event for event in events if event["user"]["username"] != "system:apiserver"]


async def test_a_write_is_told_of_with_both_objects(tmp_path: Path) -> None:
    events = await told(
        tmp_path, "- level: RequestResponse\n  omitManagedFields: true\n", (ADMIN, "POST", MAPS, config_map("a"))
    )
    assert [event["stage"] for event in events] == ["RequestReceived", "ResponseComplete"]
    last = events[1]
    assert last["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert last["responseStatus"] == {"metadata": {}, "code": 201}
    assert last["requestObject"]["metadata"]["name"] == "a"
    assert last["responseObject"]["metadata"]["uid"]
    assert "managedFields" not in last["responseObject"]["metadata"]
    assert last["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert last["auditID"] == events[0]["auditID"]


async def test_secrets_do_not_show_at_level_metadata(tmp_path: Path) -> None:
    body = {"metadata": {"name": "a"}, "stringData": {"password": "hunter2"}}
    events = await told(tmp_path, "- level: Metadata\n", (ADMIN, "POST", "/api/v1/namespaces/default/secrets", body))
    assert len(events) == 2
    assert "hunter2" not in str(events)


async def test_refusals_are_told_of_with_their_reason(tmp_path: Path) -> None:
    events = await told(
        tmp_path, '- level: Metadata\n  omitStages: ["RequestReceived"]\n', (JANE, "GET", f"{MAPS}/a", None)
    )
    (event,) = events
    assert event["responseStatus"]["code"] == 403
    assert event["responseStatus"]["reason"] == "Forbidden"
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"


async def test_what_no_rule_names_is_not_told(tmp_path: Path) -> None:
    rules = "- level: None\n  users: [jane]\n- level: Metadata\n  users: [system:apiserver]\n"
    assert await told(tmp_path, rules, (JANE, "GET", "/version", None), (ADMIN, "GET", "/version", None)) == []


def test_full_files_are_rotated_and_surplus_ones_removed(tmp_path: Path) -> None:
    clock = VirtualClock()
    log = AuditLog(str(tmp_path / "audit.log"), clock, max_bytes=100, max_backups=2)
    for number in range(12):
        clock._elapsed += 1.0
        log.add({"number": number, "text": "x" * 40})
        log.flush()
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 3
    assert "audit.log" in files
