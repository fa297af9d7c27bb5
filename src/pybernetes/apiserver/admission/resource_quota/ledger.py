"""How much of every ResourceQuota is used: counted from the objects themselves, kept up with every change.

An account per quota holds what each object in the namespace counts against it, and the sum. A write that is admitted
reserves what it will count; the reservation ends when the object appears in the store, or after a while when the
write failed for another reason.

    quota {pods: 2}   stored: a              used {pods: 1}
    create b          admitted, reserved     used {pods: 1}, reserved {pods: 1}     create c → exceeded
    b is stored       the observer tells     used {pods: 2}

Differs: upstream keeps these numbers in the quota's status alone, charged by compare-and-set and corrected by a
controller; here the status is written from the account, so it is never what decides.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.api import quota
from pybernetes.api.quota import Usage
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.effects import Clock
from pybernetes.machinery import quantity
from pybernetes.machinery.quantity import Quantity

RESERVED_SECONDS = 10.0
"""How long a write may take from admission to the store; arbitrary, far longer than any does."""
ZERO = quantity.parse("0")

Kind = tuple[str, str]
"""Group and plural."""
ObjectKey = tuple[str, str, str]
"""Group, plural and name."""


def kinds_of(names: Iterator[str] | Mapping[str, Any]) -> set[Kind]:
    """The kinds of objects that count against some of the names."""
    found: set[Kind] = set()
    for name in names:
        if name.startswith("count/"):
            plural, _, group = name.removeprefix("count/").partition(".")
            found.add((group, plural))
        elif name.startswith("services"):
            found.add(("", "services"))
        elif name in {"persistentvolumeclaims", "requests.storage"} or quota.STORAGE_CLASS_SUFFIX in name:
            found.add(("", "persistentvolumeclaims"))
        elif name in quota.LEGACY_COUNTS:
            found.add(("", name))
        else:
            found.add(("", "pods"))
    return found


@dataclass(slots=True)
class Account:
    """One quota: what it allows, and what counts against it."""

    namespace: str
    name: str
    spec: Document
    hard: Usage
    used: Usage
    by_object: dict[ObjectKey, Usage] = field(default_factory=dict)
    reserved: dict[ObjectKey, tuple[Usage, float]] = field(default_factory=dict)
    """What admitted writes will count, and until when that is believed."""

    def counts(self, key: ObjectKey, document: Document, clock: Clock) -> Usage:
        """What the object counts of what this quota limits."""
        group, plural, _ = key
        if not quota.matches(self.spec, group, plural, document):
            return {}
        found = quota.usage(group, plural, document, clock.now())
        return {name: amount for name, amount in found.items() if name in self.hard}

    def set_object(self, key: ObjectKey, counted: Usage) -> bool:
        """Record what an object counts now; whether that changes the sum."""
        before = self.by_object.pop(key, {})
        if counted:
            self.by_object[key] = counted
        if before == counted:
            return False
        for name, amount in before.items():
            self.used[name] -= amount
        for name, amount in counted.items():
            self.used[name] += amount
        return True

    def taken(self, now: float, besides: ObjectKey) -> Usage:
        """What is used and reserved, without reservations for the very object that is asked about."""
        total = dict(self.used)
        for key, (amounts, until) in list(self.reserved.items()):
            if until <= now:
                del self.reserved[key]
            elif key != besides:
                for name, amount in amounts.items():
                    total[name] += amount
        return total

    def status(self) -> Document:
        """As the quota's status shows it."""
        return {
            "hard": {name: str(amount) for name, amount in sorted(self.hard.items())},
            "used": {name: str(amount) for name, amount in sorted(self.used.items())},
        }


class Ledger:
    """The accounts of all quotas."""

    def __init__(self, reader: ObjectReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._accounts: dict[str, dict[str, Account]] = {}
        self._followed: set[Kind] = set()
        self._dirty: dict[tuple[str, str], None] = {}
        self._changed = asyncio.Event()

    def follow(self) -> None:
        """Learn of quotas, and of what they count, from now on."""
        self._reader.subscribe("", "resourcequotas", self._quota_changed)

    def accounts(self, namespace: str) -> list[Account]:
        """The accounts of a namespace, by name."""
        found = self._accounts.get(namespace)
        return [found[name] for name in sorted(found)] if found else []

    def _quota_changed(self, old: Document | None, new: Document | None) -> None:
        document = new or old
        assert document is not None
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        own = self._accounts.setdefault(namespace, {})
        if new is None:
            own.pop(name, None)
            if not own:
                del self._accounts[namespace]
            return
        spec = new.get("spec") or {}
        if name in own and own[name].spec == spec:
            # What clients write into status.hard stays until something is counted anew, as upstream's controller,
            # which looks at changes of the spec only.
            if (new.get("status") or {}).get("used") != own[name].status()["used"]:
                self._mark(own[name])
            return
        hard = {key: quantity.parse(value) for key, value in (spec.get("hard") or {}).items()}
        account = own[name] = Account(namespace, name, spec, hard, dict.fromkeys(hard, ZERO))
        for kind in sorted(kinds_of(hard)):
            self._count_all(account, kind)
            if kind not in self._followed:
                self._followed.add(kind)
                self._reader.subscribe(*kind, self._observer(kind))
        self._mark(account)

    def _count_all(self, account: Account, kind: Kind) -> None:
        for document in self._reader.list(*kind, account.namespace):
            key = (*kind, document["metadata"]["name"])
            account.set_object(key, account.counts(key, document, self._clock))

    def _observer(self, kind: Kind) -> Callable[[Document | None, Document | None], None]:
        def changed(old: Document | None, new: Document | None) -> None:
            document = new or old
            assert document is not None
            namespace = document["metadata"].get("namespace", "")
            own = self._accounts.get(namespace)
            if not own:
                return
            key = (*kind, document["metadata"]["name"])
            for account in own.values():
                counted = account.counts(key, new, self._clock) if new is not None else {}
                account.reserved.pop(key, None)
                if account.set_object(key, counted):
                    self._mark(account)

        return changed

    # ── the status that users read ──

    def _mark(self, account: Account) -> None:
        self._dirty[account.namespace, account.name] = None
        self._changed.set()

    async def wait_changed(self) -> list[Account]:
        """Accounts whose sum has changed since the last call, as soon as there are any."""
        await self._changed.wait()
        self._changed.clear()
        keys, self._dirty = list(self._dirty), {}
        found = [self._accounts.get(namespace, {}).get(name) for namespace, name in keys]
        return [account for account in found if account is not None]


def exceeded(account: Account, delta: Mapping[str, Quantity], taken: Mapping[str, Quantity]) -> list[str]:
    """Names that would go over the limit, sorted."""
    return sorted(name for name, amount in delta.items() if amount > ZERO and taken[name] + amount > account.hard[name])
