"""`componentstatuses`: how the parts of the control plane are, found out when asked and never stored.

The store answers for itself; scheduler and controllers by the Lease they renew, because they may run elsewhere.

Follows: pkg/registry/core/componentstatus/rest.go, ToConditionStatus; pkg/controlplane, serversToValidate.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson

from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.form_choice import check_shape
from pybernetes.apiserver.forms import ListMeta
from pybernetes.apiserver.handlers.output import encoded, object_answer
from pybernetes.apiserver.handlers.selections import selection_of
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.http.statuses import method_not_allowed
from pybernetes.apiserver.request import Document
from pybernetes.effects import parse_time
from pybernetes.machinery import errors

LEASES = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}
"""Component → name of its Lease in kube-system."""
STORE = "etcd-0"


def component_statuses(context: Context) -> Answer:
    """One component, or all of them.

    Raises:
        BadRequest, NotFound, MethodNotSupported, NotAcceptable.
    """
    verb, name = context.info.verb, context.info.name
    output = context.output()
    if verb == "get":
        check_shape(output, is_list=False)
        found = next((component for component in _components(context) if component.name == name), None)
        if found is None:
            raise errors.not_found("componentstatuses", "", name)
        return object_answer(context, found, output=output)
    if verb != "list":
        raise method_not_allowed()
    check_shape(output, is_list=True)
    selection = selection_of(context)
    objects = [component for component in _components(context) if selection.matches(component)]
    form = context.core.forms.of(context.resource, output, context.query("includeObject"))
    return encoded(context, form.many(objects, ListMeta("")), output)


def _components(context: Context) -> Iterator[CachedObject]:
    now = context.core.clock.now()
    for name, lease_name in LEASES.items():
        lease = context.core.cache.get("coordination.k8s.io", "leases", "kube-system", lease_name)
        yield _component(name, complaint(lease_name, lease, now))
    yield _component(STORE, "")  # this server answers: it would have ended with its store


def complaint(name: str, lease: Document | None, now: datetime) -> str:
    """Why the holder of a Lease is not well at `now`; empty when it is."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return f"nobody holds the lease kube-system/{name}"
    if parse_time(spec["renewTime"]) + timedelta(seconds=spec.get("leaseDurationSeconds") or 0) < now:
        return f"the lease kube-system/{name} was last renewed at {spec['renewTime']}"
    return ""


def _component(name: str, why: str) -> CachedObject:
    condition = {"type": "Healthy", "status": "False" if why else "True", "message": why or "ok"}
    document = {"metadata": {"name": name}, "conditions": [condition]}
    return CachedObject(name, orjson.dumps(document)[1:], 0, 0)  # a body without a resourceVersion, as upstream's
