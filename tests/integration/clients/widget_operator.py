"""An operator as its users write them, for `kopf run`: children, updates, finalizers, a timer, events, webhooks."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import kopf
import kubernetes_asyncio as k8s

INVISIBLE = "invisible"


@asynccontextmanager
async def core_v1() -> AsyncIterator[Any]:
    async with k8s.client.ApiClient() as api:
        yield k8s.client.CoreV1Api(api)


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    await k8s.config.load_kube_config(os.environ["KUBECONFIG"])
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1",
        host="127.0.0.1",
        port=int(os.environ["WEBHOOK_PORT"]),
        cafile=os.environ["WEBHOOK_CA"],
        certfile=os.environ["WEBHOOK_CERTIFICATE"],
        pkeyfile=os.environ["WEBHOOK_KEY"],
    )
    settings.admission.managed = "widgets.example.com"
    settings.posting.level = 0


@kopf.on.validate("widgets")  # type: ignore[arg-type]
def see_it(spec: dict[str, Any], **_: Any) -> None:
    if spec.get("colour") == INVISIBLE:
        raise kopf.AdmissionError("nobody would see it")


@kopf.on.mutate("widgets")  # type: ignore[arg-type]
def give_it_a_shape(spec: dict[str, Any], patch: kopf.Patch, **_: Any) -> None:
    if "shape" not in spec:
        patch.spec["shape"] = "round"


@kopf.on.create("widgets")  # type: ignore[arg-type]
async def make_child(body: kopf.Body, spec: dict[str, Any], name: str, **_: Any) -> dict[str, str]:
    child: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-child"},
        "data": {"colour": spec["colour"], "shape": spec["shape"]},
    }
    kopf.adopt(child)
    async with core_v1() as core:
        await core.create_namespaced_config_map("default", child)
    kopf.info(body, reason="ChildMade", message="It has a child.")
    return {"child": f"{name}-child"}


@kopf.on.update("widgets", field="spec.colour")  # type: ignore[arg-type]
async def paint_child(new: str, name: str, **_: Any) -> None:
    async with core_v1() as core:
        change = {"data": {"colour": new}}
        await core.patch_namespaced_config_map(f"{name}-child", "default", change)


@kopf.on.delete("widgets")
async def say_farewell(name: str, **_: Any) -> None:
    farewell = {"metadata": {"name": f"{name}-farewell"}}
    async with core_v1() as core:
        await core.create_namespaced_config_map("default", farewell)


@kopf.timer("widgets", interval=0.2)  # type: ignore[arg-type]
def tick(status: dict[str, Any], patch: kopf.Patch, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1
