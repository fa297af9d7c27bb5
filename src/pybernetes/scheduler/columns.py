"""All nodes as columns: one NumPy array per attribute, one row per node, kept current change by change.

    row   name    allocatable (cpu memory ephemeral pods …)   requested   comparable   unschedulable   taint set
    0     n1      4000  16G   100G   110                      500  1G …   …            False           0
    1     n2      …                                                                                    1

Rows of removed nodes are used again. Whatever depends on labels or taints is computed per distinct value and cached
until a node's labels or taints change, which is rare; amounts change with every pod, which is arithmetic on one row.

Pods that were placed but whose binding is not confirmed yet are here too (`assume`), so that no two pods get the same
room.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pybernetes.api import core_v1
from pybernetes.machinery import quantity
from pybernetes.scheduler.pod_counts import PodCounts
from pybernetes.scheduler.pod_info import PodInfo, normalized_image
from pybernetes.scheduler.pod_selection import NamespaceLabels, Selection

Mask = npt.NDArray[np.bool_]
Amounts = npt.NDArray[np.int64]

FIRST_ROWS = 16
BASE_RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")
CPU, MEMORY, EPHEMERAL_STORAGE, PODS = range(4)


@dataclass(slots=True)
class Row:
    """What of one node is no number."""

    name: str
    node: core_v1.Node | None
    """None while pods are known on a node that is not."""
    pods: dict[str, PodInfo] = field(default_factory=dict)
    """By uid."""


class Columns:
    """Nodes × attributes. `size` rows are in use or free for use; `valid` tells which are nodes."""

    def __init__(self) -> None:
        self.resources: dict[str, int] = {name: column for column, name in enumerate(BASE_RESOURCES)}
        self.rows: list[Row | None] = []
        self._row_of: dict[str, int] = {}
        self._free: list[int] = []
        self.valid: Mask = np.zeros(FIRST_ROWS, dtype=np.bool_)
        self.unschedulable: Mask = np.zeros(FIRST_ROWS, dtype=np.bool_)
        self.allocatable: Amounts = np.zeros((FIRST_ROWS, len(BASE_RESOURCES)), dtype=np.int64)
        self.requested: Amounts = np.zeros((FIRST_ROWS, len(BASE_RESOURCES)), dtype=np.int64)
        self.comparable: Amounts = np.zeros((FIRST_ROWS, 2), dtype=np.int64)
        self.taint_set: Amounts = np.zeros(FIRST_ROWS, dtype=np.int64)
        self.taint_sets: list[tuple[core_v1.Taint, ...]] = [()]
        self.images: dict[str, dict[int, int]] = {}
        """Image name → row → size in bytes."""
        self.ports: dict[tuple[str, int], dict[str, dict[int, int]]] = {}
        """(protocol, port) → host IP → row → how many pods."""
        self.counts = PodCounts(FIRST_ROWS)
        self._placed: dict[str, int] = {}
        self._label_masks: dict[object, Mask] = {}
        self._domains: dict[str, tuple[Amounts, list[str]]] = {}

    # ── nodes ──

    @property
    def node_count(self) -> int:
        return int(self.valid.sum())

    def row_of(self, name: str) -> int | None:
        return self._row_of.get(name)

    def node(self, row: int) -> core_v1.Node:
        found = self.rows[row]
        assert found is not None
        assert found.node is not None
        return found.node

    def set_node(self, node: core_v1.Node) -> None:
        """Add a node or take over what changed of it."""
        row = self._row(node.name)
        entry = self.rows[row]
        assert entry is not None
        old = entry.node
        entry.node = node
        self.valid[row] = True
        self.unschedulable[row] = node.spec.unschedulable
        if old is None or old.status.allocatable != node.status.allocatable:
            self._set_allocatable(row, node)
        if old is None or old.spec.taints != node.spec.taints:
            self.taint_set[row] = self._taint_set(tuple(node.spec.taints))
        if old is None or old.metadata.labels != node.metadata.labels:
            self._labels_changed()
        if old is None or old.status.images != node.status.images:
            self._set_images(row, node)

    def remove_node(self, name: str) -> None:
        """Forget a node; the row stays while pods are known on it."""
        row = self._row_of.get(name)
        if row is None:
            return
        entry = self.rows[row]
        assert entry is not None
        entry.node = None
        self.valid[row] = False
        self.allocatable[row] = 0
        for by_row in self.images.values():
            by_row.pop(row, None)
        self._labels_changed()
        self._release(row, entry)

    def _release(self, row: int, entry: Row) -> None:
        if entry.node is None and not entry.pods:
            self.rows[row] = None
            del self._row_of[entry.name]
            self._free.append(row)

    def _row(self, name: str) -> int:
        row = self._row_of.get(name)
        if row is not None:
            return row
        if self._free:
            row = self._free.pop()
            self.rows[row] = Row(name, None)
        else:
            row = len(self.rows)
            self.rows.append(Row(name, None))
            if row >= len(self.valid):
                self._grow()
        self._row_of[name] = row
        self.requested[row] = 0
        self.comparable[row] = 0
        return row

    def _grow(self) -> None:
        more = len(self.valid)
        self.valid = np.concatenate([self.valid, np.zeros(more, dtype=np.bool_)])
        self.unschedulable = np.concatenate([self.unschedulable, np.zeros(more, dtype=np.bool_)])
        self.taint_set = np.concatenate([self.taint_set, np.zeros(more, dtype=np.int64)])
        for name in ("allocatable", "requested", "comparable"):
            array: Amounts = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros((more, array.shape[1]), dtype=np.int64)]))
        self.counts.grow(len(self.valid))
        self._labels_changed()

    def column(self, resource: str) -> int:
        """The column of a resource, made when it is new."""
        found = self.resources.get(resource)
        if found is None:
            found = self.resources[resource] = len(self.resources)
            empty = np.zeros((len(self.valid), 1), dtype=np.int64)
            self.allocatable = np.concatenate([self.allocatable, empty], axis=1)
            self.requested = np.concatenate([self.requested, empty.copy()], axis=1)
        return found

    def _set_allocatable(self, row: int, node: core_v1.Node) -> None:
        self.allocatable[row] = 0
        for name, amount in node.status.allocatable.items():
            column = self.column(name)
            self.allocatable[row, column] = quantity.milli_value(amount) if name == "cpu" else quantity.value(amount)

    def _taint_set(self, taints: tuple[core_v1.Taint, ...]) -> int:
        if taints not in self.taint_sets:
            self.taint_sets.append(taints)
        return self.taint_sets.index(taints)

    def _set_images(self, row: int, node: core_v1.Node) -> None:
        for by_row in self.images.values():
            by_row.pop(row, None)
        for image in node.status.images:
            for name in image.names:
                self.images.setdefault(normalized_image(name), {})[row] = image.sizeBytes

    # ── what is cached until labels change ──

    def _labels_changed(self) -> None:
        self._label_masks.clear()
        self._domains.clear()

    def label_mask(self, key: object, matches: Callable[[core_v1.Node], bool]) -> Mask:
        """Which rows satisfy a predicate over name and labels; `key` identifies the predicate."""
        mask = self._label_masks.get(key)
        if mask is None:
            mask = np.zeros(len(self.valid), dtype=np.bool_)
            for row, node in self.nodes():
                mask[row] = matches(node)
            self._label_masks[key] = mask
        return mask

    def domains(self, topology_key: str) -> tuple[Amounts, list[str]]:
        """Per row the number of its topology domain (-1: the node lacks the label), and the domains' values."""
        found = self._domains.get(topology_key)
        if found is None:
            numbers = np.full(len(self.valid), -1, dtype=np.int64)
            values: dict[str, int] = {}
            for row, node in self.nodes():
                value = node.metadata.labels.get(topology_key)
                if value is not None:
                    numbers[row] = values.setdefault(value, len(values))
            found = self._domains[topology_key] = (numbers, list(values))
        return found

    def per_domain(self, topology_key: str, counts: Amounts) -> Amounts:
        """Counts per row, added up over each row's domain; 0 where the node lacks the label."""
        numbers, values = self.domains(topology_key)
        inside = numbers >= 0
        if not values:
            return np.zeros(len(numbers), dtype=np.int64)
        sums = np.bincount(numbers[inside], weights=counts[inside], minlength=len(values)).astype(np.int64)
        added: Amounts = np.where(inside, sums[np.maximum(numbers, 0)], 0)
        return added

    def nodes(self) -> Iterator[tuple[int, core_v1.Node]]:
        for row, entry in enumerate(self.rows):
            if entry is not None and entry.node is not None:
                yield row, entry.node

    # ── pods ──

    def matching(self, selection: Selection, namespace_labels: NamespaceLabels, *, with_leaving: bool) -> Amounts:
        """Per row, how many placed pods are selected. Shared: nobody changes it."""
        return self.counts.matching(selection, namespace_labels, self.pods(), with_leaving=with_leaving)

    def placed_on(self, uid: str) -> int | None:
        return self._placed.get(uid)

    def pods(self) -> Iterator[tuple[int, PodInfo]]:
        """Every placed pod with its row."""
        for row, entry in enumerate(self.rows):
            if entry is not None:
                for info in entry.pods.values():
                    yield row, info

    def pods_on(self, row: int) -> Mapping[str, PodInfo]:
        entry = self.rows[row]
        return entry.pods if entry is not None else {}

    def place(self, info: PodInfo, node_name: str) -> None:
        """Count a pod on a node, assumed or bound; a second time it replaces what was counted."""
        self.unplace(info.uid)
        row = self._row(node_name)
        entry = self.rows[row]
        assert entry is not None
        entry.pods[info.uid] = info
        self._placed[info.uid] = row
        self._count(row, info, +1)

    def unplace(self, uid: str) -> None:
        row = self._placed.pop(uid, None)
        if row is None:
            return
        entry = self.rows[row]
        assert entry is not None
        self._count(row, entry.pods.pop(uid), -1)
        self._release(row, entry)

    def _count(self, row: int, info: PodInfo, sign: int) -> None:
        for name, amount in info.requests.items():
            column = self.column(name)
            self.requested[row, column] += sign * amount
        self.counts.count(row, info, sign)
        self.requested[row, PODS] += sign
        self.comparable[row, 0] += sign * info.comparable[0]
        self.comparable[row, 1] += sign * info.comparable[1]
        for protocol, ip, port in info.host_ports:
            by_row = self.ports.setdefault((protocol, port), {}).setdefault(ip, {})
            by_row[row] = by_row.get(row, 0) + sign
            if by_row[row] <= 0:
                del by_row[row]
