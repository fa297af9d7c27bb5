"""How server-side apply sees a custom resource: list-maps, sets, atomic parts, as its schema says.

    list-type map     items by their keys        map-type atomic     one owner for all of it
    list-type set     each value                 preserve-unknown    unknown fields, by what they look like
    otherwise         one owner for the list     int-or-string       one owner

Follows: kube-openapi pkg/schemaconv/{smd,openapi}.go.
"""

from pybernetes.api import schema as built_in
from pybernetes.api.structural.metadata import OBJECT_META
from pybernetes.api.structural.schema import ATOMIC, Structural
from pybernetes.machinery.managed_fields import plans
from pybernetes.machinery.managed_fields.plans import DEDUCED, LEAF, FieldPlan, Kind, Plan


def plan_of(schema: Structural) -> Plan:
    """The plan of a whole resource."""
    return _object(schema, resource=True)


def _plan(schema: Structural) -> Plan:
    if schema.items is not None and schema.type == "array":
        return _list(schema, schema.items)
    if schema.map_type == ATOMIC or schema.int_or_string:
        return LEAF
    if schema.additional is not None and not schema.properties:
        return Plan(Kind.MAP, element=_plan(schema.additional))
    if schema.properties or schema.embedded:
        return _object(schema, resource=schema.embedded)
    if schema.preserve or schema.type == "object" or schema.allows_additional:
        return DEDUCED
    return LEAF


def _list(schema: Structural, items: Structural) -> Plan:
    if schema.list_type == "set":
        return Plan(Kind.SET)
    if schema.list_type == "map":
        keys = tuple((key, _default(items, key)) for key in schema.list_keys)
        return Plan(Kind.ITEMS, element=_plan(items), keys=keys)
    return LEAF


def _default(items: Structural, key: str) -> object:
    found = items.properties.get(key)
    return found.default if found is not None else None


def _object(schema: Structural, *, resource: bool) -> Plan:
    fields = {name: FieldPlan.of(name, _plan(below)) for name, below in schema.properties.items()}
    if resource:
        fields |= {name: FieldPlan.of(name, LEAF) for name in ("apiVersion", "kind")}
        fields["metadata"] = FieldPlan.of("metadata", plans.plan_of(built_in.type_of(OBJECT_META)), always_written=True)
    return Plan.of_fields(fields, allows_unknown=schema.preserve)
