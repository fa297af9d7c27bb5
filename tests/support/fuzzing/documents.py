"""Documents that are nearly right: a valid object in which a few places were changed.

Changes know the schema where that makes them nastier (a field of the right name with a value of any type) and do not
care where that does (a byte of the encoded body).
"""

from typing import Any

import orjson
import yaml

from pybernetes.api import protobuf, schema
from pybernetes.effects import Chance
from pybernetes.machinery.type_table import Shape, Type

Json = dict[str, Any]

MAX_CHANGES = 4
GENERATED_DEPTH = 3

TEXTS = (
    "", "a", "x0", "x1", "web", "A", "-", "a.b", "a/b", "a b", "..", ".", "%2e%2e", "é", "🙂", "\x00", "\n", "\u202e",
    "true", "null", "0", "-1", "1e3", "99999999999999999999", "0x10", "*", "ClusterIP", "None", "Always", "Delete",
    "127.0.0.1", "::1", "300.0.0.1", "10.96.0.1", "2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-99-99", "100m",
    "1Gi", "1e", "-5", "50%", "-50%", "101%", "kubernetes.io/x", "a" * 64, "b" * 254, "c" * 5000, "$(A)", "{{x}}",
    "[", "((((", "\\", "'", '"', "a,b=c", "self.x > 1", "object.metadata", "@daily", "* * * * *", "TZ=UTC * * * * *",
)  # fmt: skip
"""Words of which some are right somewhere; addresses stay on this machine."""
NUMBERS = (
    0, 1, -1, 2, 80, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 0.5, -0.0,
    1e300,
)  # fmt: skip
ODD: tuple[Any, ...] = (None, True, False, [], {}, [None], {"": None}, [[]], {"a": {"b": []}}, [{}], ["a", "a"])


DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/ports", "$deleteFromPrimitiveList/args")


class DocumentMaker:
    """Draws documents from one source of chance."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def chosen(self, percent: int) -> bool:
        return self._chance.randint(1, 100) <= percent

    def anything(self) -> Any:
        """Any JSON value that is small."""
        pool: tuple[Any, ...] = self._chance.choice((TEXTS, NUMBERS, ODD))
        # Fresh containers: what is put into a document may be changed there.
        return orjson.loads(orjson.dumps(self._chance.choice(pool)))

    def value(self, type_: Type, depth: int = GENERATED_DEPTH) -> Any:
        """A value that fits the type, or nearly."""
        chance = self._chance
        if self.chosen(4):
            return self.anything()
        match type_.shape:
            case Shape.BOOLEAN:
                return chance.choice((True, False))
            case Shape.INT32 | Shape.INT64 | Shape.DOUBLE:
                return chance.choice(NUMBERS)
            case Shape.QUANTITY:
                return chance.choice(("1", "100m", "2Gi", "-1", "1e3", 5, 0.1, "1" * 40, ""))
            case Shape.INT_OR_STRING:
                return chance.choice((0, 80, -1, "http", "50%", "", 2**40))
            case Shape.TIME | Shape.MICRO_TIME:
                return chance.choice(("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+02:00", "yesterday", ""))
            case Shape.BYTES:
                return chance.choice(("", "YQ==", "YQ", "!", "YQ=="))
            case Shape.LIST:
                assert type_.element is not None
                return [self.value(type_.element, depth - 1) for _ in range(chance.choice((0, 1, 1, 2)))]
            case Shape.MAP:
                assert type_.element is not None
                return {chance.choice(TEXTS): self.value(type_.element, depth - 1) for _ in range(2)}
            case Shape.STRUCT:
                if depth <= 0:
                    return {}
                names = list(type_.fields)
                chosen = {chance.choice(names) for _ in range(chance.randint(0, 4))} if names else set()
                return {name: self.value(type_.fields[name].type, depth - 1) for name in sorted(chosen)}
            case Shape.STRING:
                return chance.choice(TEXTS)
            case _:
                return self.anything()

    def changed(self, document: Json, alias: str) -> Json:
        """The document with up to MAX_CHANGES places changed; the given one stays as it is."""
        result: Json = orjson.loads(orjson.dumps(document))
        type_ = schema.type_of(alias) if alias else None
        for _ in range(self._chance.randint(0, MAX_CHANGES)):
            self._change(result, type_)
        return result

    def _change(self, document: Json, type_: Type | None) -> None:
        """Walk down to some place and change it."""
        place: Any = document
        while True:
            inner = [key for key, item in _items(place) if isinstance(item, dict | list) and item]
            if not inner or self.chosen(25):
                break
            key = self._chance.choice(inner)
            type_ = _inside(type_, key)
            place = place[key]
        if isinstance(place, dict):
            self._change_object(place, type_)
        else:
            self._change_list(place, type_)

    def _change_object(self, place: Json, type_: Type | None) -> None:
        chance = self._chance
        keys = list(place)
        kind = chance.randint(0, 9)
        if type_ is not None and type_.shape is Shape.STRUCT and type_.fields and kind < 5:
            name = chance.choice(list(type_.fields))
            place[name] = self.value(type_.fields[name].type)
        elif keys and kind < 7:
            key = chance.choice(keys)
            found = _inside(type_, key)
            place[key] = self.value(found) if found is not None and self.chosen(50) else self.anything()
        elif keys and kind == 7:
            del place[chance.choice(keys)]
        elif kind == 8:
            place[chance.choice(TEXTS)] = self.anything()
        else:
            place[chance.choice(DIRECTIVES)] = chance.choice(
                ("delete", "replace", "merge", ["a"], [{"name": "web"}], self.anything())
            )

    def _change_list(self, place: list[Any], type_: Type | None) -> None:
        chance = self._chance
        kind = chance.randint(0, 3)
        element = _inside(type_, 0)
        if kind == 0 or not place:
            place.append(self.value(element) if element is not None else self.anything())
        elif kind == 1:
            place.append(place[chance.randint(0, len(place) - 1)])
        elif kind == 2:
            del place[chance.randint(0, len(place) - 1)]
        else:
            place[chance.randint(0, len(place) - 1)] = self.anything()

    # ── bytes ──

    def encoded(self, document: Any, content_type: str) -> bytes:
        """The document in the form the content type names, as far as it has one."""
        if "yaml" in content_type and self.chosen(70):
            return yaml.dump(document, Dumper=yaml.CSafeDumper, allow_unicode=True).encode()
        if "protobuf" in content_type:
            try:
                return protobuf.encode(document)
            except Exception:  # noqa: BLE001 - a broken document has no binary form: garbage will do
                return protobuf.wrap("v1", "Pod", orjson.dumps(document))
        return orjson.dumps(document)

    def damaged(self, data: bytes) -> bytes:
        """The bytes with some cut, changed, doubled or put in."""
        chance = self._chance
        result = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            position = chance.randint(0, max(0, len(result) - 1))
            match chance.randint(0, 4):
                case 0:
                    del result[position:]
                case 1 if result:
                    result[position] = chance.randint(0, 255)
                case 2:
                    result[position:position] = chance.bytes(chance.randint(1, 8))
                case 3:
                    result[position:position] = result[: chance.randint(0, len(result))]
                case _:
                    del result[position : position + chance.randint(1, 16)]
        return bytes(result)

    def monster(self) -> bytes:
        """A body made to hurt a parser."""
        return self._chance.choice(MONSTERS)


def _items(place: Any) -> list[tuple[Any, Any]]:
    return list(place.items()) if isinstance(place, dict) else list(enumerate(place))


def _inside(type_: Type | None, key: Any) -> Type | None:
    if type_ is None:
        return None
    if type_.shape is Shape.STRUCT:
        found = type_.fields.get(key)
        return found.type if found is not None else None
    return type_.element


def _bomb(levels: int) -> bytes:
    """YAML in which every line doubles the one before nine times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, levels)]
    return "\n".join(lines).encode()


MONSTERS: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"{",
    b"}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"metadata":' + b'{"annotations":' * 200 + b"{}" + b"}" * 201,
    b'{"kind":"Pod","apiVersion":"v1","spec":' + b"[" * 1000 + b"]" * 1000 + b"}",
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0","name":"x1"},"data":{"a":"1","a":"2"}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0"},"data":{"a":NaN}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0"},"data":{"a":Infinity}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0","generation":1e999}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0","generation":' + b"9" * 5000 + b"}}",
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0"},"data":{"a":"\\ud800"}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0"},"data":{"a":"\\u0000"}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0"},"data":{"a":"\xff"}}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x0"},"data":{"' + b"k" * 300_000 + b'":"v"}}',
    b"&a [*a]",
    b"a: &a {b: *a}",
    b"a: &a\n  <<: *a\n",
    b"metadata: &m {name: x0, labels: *m}",
    _bomb(8),
    _bomb(30),
    b"a: b: c: d",
    b"? [a, b]\n: c",
    b"? {a: b}\n: c",
    b"!!python/object/apply:os.system [true]",
    b"!!binary aGk=",
    b"!!set {a, b}",
    b"--- {}\n--- {}\n",
    b"%YAML 9.9\n---\n{}",
    b"a: .nan\nb: .inf\nc: 0x" + b"f" * 5000,
    b"a: " + b"[" * 5_000,
    b"- " * 20_000 + b"a",
    b"a: 2026-01-01\nb: 1:30\nc: 0777\nd: 1_000\ne: !!float 1\nf: !!timestamp 2026-01-01\n",
    b"a: !!int 9" + b"9" * 6000,
    b"1: a\n1.5: b\nnull: c\ntrue: d\n",
    b"k8s\x00",
    b"k8s\x00\x0a\xff\xff\xff\xff\x0f",
    b"k8s\x00\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    b"k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x04\x0a\x02\x0a\xff",
    b"k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12" + b"\x06\x12\x04\x12\x02\x12\x00",
    b"x" * (3 * 1024 * 1024 + 1),
    b'{"a":"' + b"x" * (3 * 1024 * 1024) + b'"}',
    b'[{"op":"test","path":"","value":null}]',
    b'[{"op":"add","path":"/metadata/labels/a~2","value":1}]',
    b'[{"op":"copy","from":"","path":"/spec/x"}]',
    b'[{"op":"copy","from":"/metadata","path":"/metadata/a"},' * 60 + b'{"op":"remove","path":"/spec"}]',
    b'[{"op":"move","from":"/metadata","path":"/metadata/labels"}]',
    b'[{"op":"add","path":"/metadata/finalizers/99999999999999999999","value":"a"}]',
    b"[" + b'{"op":"test","path":"/kind","value":"x"},' * 10_001 + b"{}]",
    b'[{"op":1},null,[],{"op":"add"}]',
)
