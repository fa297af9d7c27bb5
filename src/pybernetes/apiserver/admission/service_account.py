"""Every pod runs as a ServiceAccount, and finds its token, the cluster's CA and its namespace in a projected volume.

    /var/run/secrets/kubernetes.io/serviceaccount/{token, ca.crt, namespace}   volume kube-api-access-XXXXX

Follows: kubernetes plugin/pkg/admission/serviceaccount/admission.go.
"""

from collections.abc import Awaitable
from typing import Any

from pybernetes.apiserver.admission.plugin import PODS, Plugin, annotations_of, deny, spec_of
from pybernetes.apiserver.authn.service_accounts import WARN_ONLY_SECONDS
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader
from pybernetes.effects import Chance, Clock

DEFAULT_ACCOUNT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
ENFORCE_MOUNTABLE_SECRETS = "kubernetes.io/enforce-mountable-secrets"
ROOT_CA = "kube-root-ca.crt"
LOOKUPS = 10
"""A namespace's `default` account is made by a controller: it is waited for, this often …"""
LOOKUP_SECONDS = 0.1
"""… and this long each time."""


class ServiceAccount(Plugin):
    NAME = "ServiceAccount"
    KINDS = PODS

    def __init__(self, reader: ObjectReader, clock: Clock, chance: Chance) -> None:
        self._reader = reader
        self._clock = clock
        self._volume = VOLUME_PREFIX + chance.name_suffix()
        """One name for all pods: those of one template stay alike, which makes them cheap to check and to compress."""

    def mutate(self, request: AdmissionRequest) -> Awaitable[None] | None:
        spec = spec_of(request)
        if MIRROR_ANNOTATION in annotations_of(request.object):
            _check_mirror_pod(request, spec)
            return None
        name = spec.get("serviceAccountName") or DEFAULT_ACCOUNT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._reader.get("", "serviceaccounts", request.namespace, name)
        if account is None:
            return self._wait_for(request, spec, name)
        self._fill_in(request, spec, account)
        return None

    async def _wait_for(self, request: AdmissionRequest, spec: Document, name: str) -> None:
        for _ in range(LOOKUPS):
            await self._clock.sleep(LOOKUP_SECONDS)
            account = self._reader.get("", "serviceaccounts", request.namespace, name)
            if account is not None:
                self._fill_in(request, spec, account)
                return
        where = f"{request.namespace}/{name}"
        raise deny(request, f'error looking up service account {where}: serviceaccount "{name}" not found')

    def _fill_in(self, request: AdmissionRequest, spec: Document, account: Document) -> None:
        if _automounts(spec, account):
            mount_token(spec, self._volume)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(row) for row in account["imagePullSecrets"]]
        if annotations_of(account).get(ENFORCE_MOUNTABLE_SECRETS) == "true":
            _check_mountable(request, spec, account)


def _check_mirror_pod(request: AdmissionRequest, spec: Document) -> None:
    if spec.get("serviceAccountName"):
        raise deny(request, "a mirror pod may not reference service accounts")
    for volume in spec.get("volumes") or ():
        if any("serviceAccountToken" in source for source in (volume.get("projected") or {}).get("sources") or ()):
            raise deny(request, "a mirror pod may not use ServiceAccountToken volume projections")
        if "secret" in volume:
            raise deny(request, "a mirror pod may not reference secrets")


def _automounts(spec: Document, account: Document) -> bool:
    for document in (spec, account):
        if document.get("automountServiceAccountToken") is not None:
            return bool(document["automountServiceAccountToken"])
    return True


def mount_token(spec: Document, volume: str) -> None:
    """Give every container without a mount of its own at MOUNT_PATH the volume with the token, to be named `volume`."""
    containers = [
        container
        for field in ("initContainers", "containers")
        for container in spec.get(field) or ()
        if not any(mount.get("mountPath") == MOUNT_PATH for mount in container.get("volumeMounts") or ())
    ]
    if not containers:
        return
    volumes = spec.setdefault("volumes", [])
    name = next((volume["name"] for volume in volumes if volume["name"].startswith(VOLUME_PREFIX)), "")
    if not name:
        name = volume
        volumes.append(token_volume(name))
    for container in containers:
        mounts = container.setdefault("volumeMounts", [])
        mounts.append({"name": name, "readOnly": True, "mountPath": MOUNT_PATH})


def token_volume(name: str) -> dict[str, Any]:
    """The projected volume that every pod has."""
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": WARN_ONLY_SECONDS, "path": "token"}},
                {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                        ]
                    }
                },
            ],
            "defaultMode": 0o644,
        },
    }


def _check_mountable(request: AdmissionRequest, spec: Document, account: Document) -> None:
    """An account that says so limits its pods to the secrets it lists."""
    listed = {row.get("name") for row in account.get("secrets") or ()}
    where = f'not referenced by service account "{account["metadata"]["name"]}"'
    for volume in spec.get("volumes") or ():
        secret = (volume.get("secret") or {}).get("secretName")
        if secret and secret not in listed:
            raise deny(request, f'volume with secret.secretName="{secret}" is not allowed because it is {where}')
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            for variable in container.get("env") or ():
                secret = ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name")
                if secret and secret not in listed:
                    kind = "init container" if field == "initContainers" else "container"
                    what = f"{kind} {container['name']} with envVar {variable['name']}"
                    raise deny(request, f'{what} referencing secret.secretName="{secret}" is not allowed: {where}')
    pull = {row.get("name") for row in account.get("imagePullSecrets") or ()}
    for row in spec.get("imagePullSecrets") or ():
        if row.get("name") not in pull:
            raise deny(request, f'imagePullSecrets[].name="{row.get("name")}" is not allowed because it is {where}')
