"""POST of `pods/NAME/eviction`: a deletion that respects the budgets of disruption.

    decide(pod, budgets)      go ahead · go ahead and count it · refuse       pure
    evict                     counts, marks and deletes the pod

Follows: pkg/registry/core/pod/storage/eviction.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pybernetes.api import decoding
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import writes
from pybernetes.apiserver.handlers.delete import DeleteOptions, checked_options, delete_object
from pybernetes.apiserver.handlers.output import status_answer
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.http.statuses import created
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources.conditions import set_condition
from pybernetes.apiserver.resources.editing import edit
from pybernetes.effects import format_time
from pybernetes.machinery import errors, labels
from pybernetes.machinery.errors import BadRequest, StatusError, TooManyRequests

MAX_DISRUPTED_PODS = 2000
RETRY_SECONDS = 10
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
CAUSE = "DisruptionBudget"
DISRUPTION_TARGET = "DisruptionTarget"
EVICTION_REASON = "EvictionByEvictionAPI"
EVICTION_MESSAGE = "Eviction API: evicting"
DISRUPTION_ALLOWED, INSUFFICIENT_PODS = "DisruptionAllowed", "InsufficientPods"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`budget` is the one that must be counted down first; None when none is in the way."""

    budget: Document | None


def matching_budgets(pod: Document, budgets: Sequence[Document]) -> list[Document]:
    """Budgets whose selector takes the pod in."""
    pod_labels = pod["metadata"].get("labels") or {}
    return [
        budget
        for budget in budgets
        if labels.from_label_selector((budget.get("spec") or {}).get("selector")).matches(pod_labels)
    ]


def is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def decide(pod: Document, budgets: Sequence[Document]) -> Verdict:
    """Whether a budget must be asked before the pod may go.

    Raises:
        InternalError: two budgets take the pod in.
    """
    status = pod.get("status") or {}
    if status.get("phase") in {"Succeeded", "Failed", "Pending"} or pod["metadata"].get("deletionTimestamp"):
        return Verdict(None)
    found = matching_budgets(pod, budgets)
    if not found:
        return Verdict(None)
    if len(found) > 1:
        raise errors.InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    budget = found[0]
    if not is_ready(pod):
        policy = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy")
        counts = budget.get("status") or {}
        desired = counts.get("desiredHealthy", 0)
        if policy == "AlwaysAllow" or (counts.get("currentHealthy", 0) >= desired > 0):
            return Verdict(None)
    return Verdict(budget)


def count_down(budget: Document, pod_name: str, now: str) -> Document:
    """The budget with one disruption used up by the pod.

    Raises:
        TooManyRequests: nothing is left, or the controller has not caught up.
        Forbidden: the budget is in no state to decide.
    """
    name = budget["metadata"]["name"]
    status = dict(budget.get("status") or {})
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _refused(f"The disruption budget {name} is still being processed by the server.")
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise errors.forbidden("poddisruptionbudgets", "policy", name, "pdb disruptions allowed is negative")
    disrupted = dict(status.get("disruptedPods") or {})
    if len(disrupted) > MAX_DISRUPTED_PODS:
        raise errors.forbidden(
            "poddisruptionbudgets",
            "policy",
            name,
            "DisruptedPods map too big - too many evictions not confirmed by PDB",
        )
    if allowed == 0:
        raise _refused(
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods "
            f"and has {status.get('currentHealthy', 0)} currently"
        )
    status["disruptionsAllowed"] = allowed - 1
    disrupted[pod_name] = now
    status["disruptedPods"] = disrupted
    if allowed == 1:
        condition = {
            "type": DISRUPTION_ALLOWED,
            "status": "False",
            "reason": INSUFFICIENT_PODS,
            "message": "",
            "observedGeneration": status.get("observedGeneration", 0),
        }
        set_condition(status, condition, now)
    budget["status"] = status
    return budget


def _refused(why: str) -> TooManyRequests:
    details = {"retryAfterSeconds": RETRY_SECONDS, "causes": [{"reason": CAUSE, "message": why}]}
    return TooManyRequests(REFUSED, details)


async def evict(context: Context) -> Answer:
    """Delete the pod if its budget allows.

    Raises:
        BadRequest, NotFound, TooManyRequests, Forbidden, InternalError.
    """
    core, info = context.core, context.info
    decoded = decoding.decode_body(context.request.body, context.request.headers.get("content-type", ""), None)
    eviction = decoded.document
    # The path says what is expected: a body without kind means that, as the Python client writes it.
    if (eviction.get("kind") or "Eviction") != "Eviction":
        raise BadRequest(f"not a Eviction object: {eviction.get('kind')}")
    name = (eviction.get("metadata") or {}).get("name")
    if name and name != info.name:
        raise writes.name_mismatch(name, info.name)
    write = writes.write_options(context, "CreateOptions")
    options = checked_options(eviction.get("deleteOptions") or {})
    options = replace(options, dry_run=options.dry_run or write.dry_run)
    request = writes.admission_request(context, "CREATE", eviction, None, name=info.name, dry_run=options.dry_run)
    await core.admission.mutate(request)
    await core.admission.validate(request)
    await core.store.catch_up()
    pod = core.store.read(context.resource, info.namespace, info.name)
    document = core.store.document(context.resource, pod)
    budgets = list(core.cache.list("policy", "poddisruptionbudgets", info.namespace))
    verdict = decide(document, budgets)
    if verdict.budget is not None and not options.dry_run:
        await _count(context, verdict.budget["metadata"]["name"])
    await _delete(context, pod, options)
    return status_answer(context, created())


async def _count(context: Context, budget_name: str) -> None:
    core, info = context.core, context.info
    budgets = core.scheme.find("policy", "v1", "poddisruptionbudgets")
    assert budgets is not None
    now = format_time(core.clock.now())
    await edit(core, budgets, info.namespace, budget_name, lambda budget: count_down(budget, info.name, now))


async def _delete(context: Context, pod: CachedObject, options: DeleteOptions) -> None:
    core, info = context.core, context.info
    if not options.dry_run and options.grace_period_seconds != 0:
        now = format_time(core.clock.now())
        condition = {
            "type": DISRUPTION_TARGET,
            "status": "True",
            "reason": EVICTION_REASON,
            "message": EVICTION_MESSAGE,
        }

        def mark(document: Document) -> Document:
            _check_preconditions(document, options)
            status = dict(document.get("status") or {})
            set_condition(status, condition, now)
            return {**document, "status": status}

        pod = await edit(core, context.resource, info.namespace, info.name, mark)
        options = replace(options, resource_version="")  # the mark has moved it on
    as_delete = replace(context, info=replace(info, subresource="", verb="delete"))
    await delete_object(as_delete, pod, options, admitted=True)


def _check_preconditions(document: Document, options: DeleteOptions) -> None:
    metadata = document["metadata"]
    wrong_uid = options.uid and options.uid != metadata.get("uid")
    wrong_version = options.resource_version and options.resource_version != metadata.get("resourceVersion")
    if wrong_uid or wrong_version:
        error: StatusError = errors.conflict("pods", "", metadata["name"], "Precondition failed")
        raise error
