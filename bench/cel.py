"""Evaluations per second of typical rules, and compilations: python bench/cel.py [ROUNDS].

The document is a custom resource of about 1 kB. Read ratios, not absolutes.
"""

import sys
import timeit
from typing import Any

from pybernetes.machinery import cel

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "maxReplicas": {"type": "integer"},
        "name": {"type": "string", "maxLength": 63},
        "since": {"type": "string", "format": "date-time"},
        "memory": {"x-kubernetes-int-or-string": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 10},
        "items": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
            },
        },
    },
}
DOCUMENT = {
    "replicas": 3,
    "maxReplicas": 5,
    "name": "web",
    "since": "2024-01-01T00:00:00Z",
    "memory": "1.5Gi",
    "labels": {f"label-{number}": f"value-{number}" for number in range(10)},
    "items": [{"name": f"item-{number}", "port": 8000 + number} for number in range(10)],
}
RULES = {
    "compare two fields": "self.replicas <= self.maxReplicas",
    "has and compare": "!has(self.name) || self.name.size() > 2 && self.name != 'kube'",
    "all of ten items": "self.items.all(x, x.port > 1024 && x.name.startsWith('item-'))",
    "names are unique": "self.items.all(x, self.items.exists_one(y, y.name == x.name))",
    "keys of a map": "self.labels.all(k, k.startsWith('label-') && self.labels[k].size() < 63)",
    "pattern": "self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "quantity": "quantity(self.memory).isLessThan(quantity('2Gi'))",
    "date": "self.since > timestamp('2020-01-01T00:00:00Z')",
    "transition": "self.replicas == oldSelf.replicas || self.replicas - oldSelf.replicas < 3",
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    declared = cel.schema_type(SCHEMA)
    assert declared is not None
    environment = cel.Environment({"self": declared, "oldSelf": declared})
    bindings = {"self": DOCUMENT, "oldSelf": DOCUMENT}
    print(f"{'rule':<20} {'evaluations/s':>14} {'µs':>8} {'compile µs':>11} {'cost':>5}")
    for name, text in RULES.items():
        program = environment.compile(text, expected=cel.BOOL)
        value, cost = program.measure(bindings)
        assert value is True, name
        seconds = min(timeit.repeat(lambda p=program: p.evaluate(bindings), number=rounds, repeat=3)) / rounds
        compiling = timeit.timeit(lambda t=text: environment.compile(t), number=50) / 50
        print(f"{name:<20} {1 / seconds:>14,.0f} {seconds * 1e6:>8.1f} {compiling * 1e6:>11.0f} {cost:>5}")


main()
