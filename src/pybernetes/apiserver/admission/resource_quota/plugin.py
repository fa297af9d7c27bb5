"""A namespace's ResourceQuotas refuse what would go over them.

    exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2
    failed quota: compute: must specify cpu for: c1; memory for: c1

Follows: apiserver pkg/admission/plugin/resourcequota/controller.go, checkRequest.
"""

from collections.abc import Mapping
from typing import ClassVar

from pybernetes.api import quota
from pybernetes.api.quota import Usage
from pybernetes.apiserver.admission.plugin import CREATE, UPDATE, Plugin, deny
from pybernetes.apiserver.admission.resource_quota.ledger import RESERVED_SECONDS, Account, Ledger, ObjectKey, exceeded
from pybernetes.apiserver.request import AdmissionRequest
from pybernetes.effects import Clock
from pybernetes.machinery.quantity import Quantity

UPDATED = frozenset({("", "pods"), ("", "services"), ("", "persistentvolumeclaims")})
"""Kinds whose updates can count more than before."""


class ResourceQuota(Plugin):
    NAME = "ResourceQuota"
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({"", "resize"})

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def validate(self, request: AdmissionRequest) -> None:
        resource = request.resource
        if not resource.namespaced or request.object is None:
            return
        kind = (resource.group, resource.plural)
        if request.operation == UPDATE and kind not in UPDATED:
            return
        accounts = self._ledger.accounts(request.namespace)
        if not accounts:
            return
        name = (request.object.get("metadata") or {}).get("name") or request.name
        key = (*kind, name)
        charged = [(account, self._check(request, account, key)) for account in accounts]
        if request.dry_run:
            return
        until = self._clock.monotonic() + RESERVED_SECONDS
        for account, delta in charged:
            if delta:
                account.reserved[key] = (delta, until)

    def _check(self, request: AdmissionRequest, account: Account, key: ObjectKey) -> Usage:
        """What the write adds to what the quota counts.

        Raises:
            Forbidden: that is too much, or cannot be told.
        """
        assert request.object is not None
        wanted = account.counts(key, request.object, self._clock)
        if key[:2] == ("", "pods") and request.operation == CREATE:
            scoped = quota.matches(account.spec, *key[:2], request.object)
            missing = quota.missing_requests(request.object, account.hard) if scoped else ""
            if missing:
                raise deny(request, f"failed quota: {account.name}: must specify {missing}")
        before = account.by_object.get(key, {}) if request.operation == UPDATE else {}
        delta = {name: amount - before[name] if name in before else amount for name, amount in wanted.items()}
        taken = account.taken(self._clock.monotonic(), key)
        over = exceeded(account, delta, taken)
        if over:
            rows = (_pretty(over, delta), _pretty(over, taken), _pretty(over, account.hard))
            why = f"exceeded quota: {account.name}, requested: {rows[0]}, used: {rows[1]}, limited: {rows[2]}"
            raise deny(request, why)
        return delta


def _pretty(names: list[str], amounts: Mapping[str, Quantity]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)
