"""Names, labels and claims of a StatefulSet's pods. Pure.

    web with start 0, replicas 3        web-0, web-1, web-2; claims data-web-0 …

Follows: kubernetes 1.36 pkg/controller/statefulset/stateful_set_utils.go.
"""

import msgspec

from pybernetes.api import apps_v1, core_v1, meta_v1
from pybernetes.controllers.history import HASH_LABEL
from pybernetes.controllers.pod_control import pod_from_template

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"


def ordinal_of(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> int | None:
    """The pod's number; None when its name is not one of the set's."""
    parent, _, text = pod.name.rpartition("-")
    if parent != stateful_set.name or not text.isascii() or not text.isdecimal() or str(int(text)) != text:
        return None
    return int(text)


def ordinals(stateful_set: apps_v1.StatefulSet) -> range:
    """The numbers the set should have."""
    start = stateful_set.spec.ordinals.start if stateful_set.spec.ordinals is not None else 0
    replicas = 1 if stateful_set.spec.replicas is None else stateful_set.spec.replicas
    return range(start, start + replicas)


def claim_name(template: core_v1.PersistentVolumeClaim, pod_name: str) -> str:
    return f"{template.name}-{pod_name}"


def pod(
    stateful_set: apps_v1.StatefulSet, template: core_v1.PodTemplateSpec, number: int, revision: str
) -> core_v1.Pod:
    """The pod of this number, of the template of `revision`."""
    name = f"{stateful_set.name}-{number}"
    made = pod_from_template(template, stateful_set, name=name)
    labels = {**made.metadata.labels, POD_NAME_LABEL: name, POD_INDEX_LABEL: str(number), HASH_LABEL: revision}
    own = {claim.name for claim in stateful_set.spec.volumeClaimTemplates}
    volumes = [
        core_v1.Volume(
            name=claim.name,
            persistentVolumeClaim=core_v1.PersistentVolumeClaimVolumeSource(claimName=claim_name(claim, name)),
        )
        for claim in stateful_set.spec.volumeClaimTemplates
    ]
    volumes += [volume for volume in made.spec.volumes if volume.name not in own]
    spec = msgspec.structs.replace(made.spec, hostname=name, subdomain=stateful_set.spec.serviceName, volumes=volumes)
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, labels=labels), spec=spec)


def claims(stateful_set: apps_v1.StatefulSet, pod_name: str) -> list[core_v1.PersistentVolumeClaim]:
    """The claims a pod of this name needs."""
    labels = stateful_set.spec.selector.matchLabels if stateful_set.spec.selector is not None else {}
    return [
        core_v1.PersistentVolumeClaim(
            metadata=meta_v1.ObjectMeta(
                name=claim_name(template, pod_name),
                namespace=stateful_set.namespace,
                labels={**template.metadata.labels, **labels},
                annotations=template.metadata.annotations,
            ),
            spec=template.spec,
        )
        for template in stateful_set.spec.volumeClaimTemplates
    ]
