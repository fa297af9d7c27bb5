"""Writes what is generated: typed objects per group and version, and the data tables of `pybernetes.api`.

Usage: generate.py API_FACTS_DIR. Reads the facts about the published API and the schemas in the package
kubernetes-validate; writes src/pybernetes/api/*_v*.py and src/pybernetes/api/data/*.json. Reproducible:
a second run changes nothing.
"""

import json
import keyword
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "src/pybernetes/api"
DATA = API / "data"

SCALARS = {
    "string": ("str", '""'),
    "string/byte": ("str", '""'),
    "string/date-time": ("str", '""'),
    "boolean": ("bool", "False"),
    "integer/int32": ("int", "0"),
    "integer/int64": ("int", "0"),
    "number/double": ("float", "0.0"),
    "object": ("dict[str, Any]", "msgspec.field(default_factory=dict)"),
    "any": ("Any", "None"),
}
ALIASES = {
    "api.resource.Quantity": ("Quantity", '""'),
    "intstr.IntOrString": ("IntOrString", "0"),
    "meta.v1.Time": ("Time | None", "None"),
    "meta.v1.MicroTime": ("MicroTime | None", "None"),
    "meta.v1.FieldsV1": ("dict[str, Any] | None", "None"),
    "runtime.RawExtension": ("Any", "None"),
}


def module_of(alias: str) -> str:
    return "_".join(alias.split(".")[:-1])


def class_of(alias: str) -> str:
    return alias.rsplit(".", 1)[1]


class Facts:
    """The published types with what Go knows of each field beside them."""

    def __init__(self, directory: Path) -> None:
        self.types: dict[str, Any] = json.loads((directory / "typeschema.json").read_text())["types"]
        numbers = json.loads((directory / "fieldnumbers.json").read_text())
        self.messages: dict[str, Any] = numbers["messages"]
        self.packages: dict[str, Any] = numbers["packages"]
        self.resources: dict[str, Any] = json.loads((directory / "resources.json").read_text())
        self.field_labels = json.loads((directory / "fieldlabels.json").read_text())
        self.print_columns = json.loads((directory / "printcolumns.json").read_text())

    def go_flags(self, alias: str, field: str) -> str:
        """Flags of one JSON field: p pointer, o omitempty, r repeated. Inlined messages are searched too."""
        message = self.messages.get(alias, {})
        if field in message:
            entry = message[field]
            return entry[3] if len(entry) > 3 else ""
        for entry in message.values():
            flags = entry[3] if len(entry) > 3 else ""
            if "i" in flags:
                found = self.go_flags(entry[2], field) if entry[2] in self.messages else ""
                if found or field in self.messages.get(entry[2], {}):
                    return found
        return "po" if field in {"apiVersion", "kind"} else "o"

    def is_list(self, alias: str) -> bool:
        fields = self.types[alias].get("fields", {})
        return "items" in fields and fields.get("metadata") == "meta.v1.ListMeta"

    def structs(self) -> dict[str, list[str]]:
        """Aliases of the types that become classes, by module."""
        modules: dict[str, list[str]] = defaultdict(list)
        for alias, spec in sorted(self.types.items()):
            if "fields" in spec and alias not in ALIASES and not self.is_list(alias):
                modules[module_of(alias)].append(alias)
        return modules


def python_name(field: str) -> tuple[str, str | None]:
    """The attribute for a JSON name, and the JSON name where they differ."""
    name = re.sub(r"\W", "_", field.lstrip("$"))
    if keyword.iskeyword(name) or name in {"bool", "dict", "float", "int", "list", "str"}:
        name += "_"
    return name, (field if name != field else None)


class ModuleWriter:
    """One module of typed objects."""

    def __init__(self, facts: Facts, module: str, aliases: list[str]) -> None:
        self.facts, self.module, self.aliases = facts, module, aliases
        self.imports: set[str] = set()
        self.scalars: set[str] = set()
        self.uses_any = False

    def resolve(self, type_text: str) -> tuple[str, str]:
        """Annotation and default of a type that is not a pointer."""
        if type_text.startswith("[]"):
            return f"list[{self.element(type_text[2:])}]", "msgspec.field(default_factory=list)"
        if type_text.startswith("map<"):
            return f"dict[str, {self.element(type_text[4:-1])}]", "msgspec.field(default_factory=dict)"
        if type_text in SCALARS:
            annotation, default = SCALARS[type_text]
            self.uses_any |= "Any" in annotation
            return annotation, default
        if type_text in ALIASES:
            annotation, default = ALIASES[type_text]
            self.uses_any |= "Any" in annotation
            for scalar in ("Quantity", "IntOrString", "MicroTime", "Time"):
                if re.search(rf"\b{scalar}\b", annotation):
                    self.scalars.add(scalar)
            return annotation, default
        spec = self.facts.types.get(type_text, {})
        if "fields" not in spec:  # a named scalar or free form
            return self.resolve(spec.get("type", "any"))
        name = class_of(type_text)
        other = module_of(type_text)
        if other != self.module:
            self.imports.add(other)
            name = f"{other}.{name}"
        return name, f"msgspec.field(default_factory=lambda: {name}())"

    def element(self, type_text: str) -> str:
        return self.resolve(type_text)[0].removesuffix(" | None")

    def field_line(self, alias: str, field: str, spec: Any) -> str:
        type_text = spec if isinstance(spec, str) else spec[0]
        annotation, default = self.resolve(type_text)
        pointer = "p" in self.facts.go_flags(alias, field)
        attribute, json_name = python_name(field)
        if pointer:
            annotation = annotation.removesuffix(" | None")
            annotation, default = (f"{annotation} | None" if annotation != "Any" else annotation), "None"
        if json_name:
            inner = "default=" + default
            if default.startswith("msgspec.field("):
                inner = default.removeprefix("msgspec.field(").removesuffix(")")
            default = f'msgspec.field({inner}, name="{json_name}")'
        return f"    {attribute}: {annotation} = {default}"

    def write(self) -> str:
        classes = []
        for alias in self.aliases:
            spec = self.facts.types[alias]
            is_kind = "kind" in spec and module_of(alias) != "meta_v1"
            base = "Object" if is_kind else "Struct"
            lines = []
            if is_kind:
                lines += self.class_vars(alias, spec["kind"])
            for field, field_spec in spec["fields"].items():
                if is_kind and (field in {"apiVersion", "kind"} or (field == "metadata")):
                    continue
                lines.append(self.field_line(alias, field, field_spec))
            body = "\n".join(lines) or "    pass"
            classes.append(
                f"class {class_of(alias)}({base}, frozen=True, kw_only=True, omit_defaults=True, gc=False):\n{body}\n"
            )
        return self.header() + "\n\n" + "\n\n".join(classes)

    def class_vars(self, alias: str, kind: str) -> list[str]:
        package = self.facts.packages[".".join(alias.split(".")[:-1])]
        group, version = package["group"], package["version"]
        resource = next(
            (
                r
                for r in self.facts.resources["resources"]
                if (r["group"], r["version"], r["kind"]) == (group, version, kind)
            ),
            {},
        )
        return [
            f'    GROUP: ClassVar[str] = "{group}"',
            f'    VERSION: ClassVar[str] = "{version}"',
            f'    KIND: ClassVar[str] = "{kind}"',
            f'    PLURAL: ClassVar[str] = "{resource.get("plural", "")}"',
            f"    NAMESPACED: ClassVar[bool] = {bool(resource.get('namespaced', False))}",
            "",
        ]

    def header(self) -> str:
        typing_names = ["Any"] * self.uses_any + ["ClassVar"] * (self.module != "meta_v1")
        lines = [
            f'"""Typed objects of {self.module.replace("_", "/")}. Generated by tools/generate.py; do not edit."""',
            "",
            "from __future__ import annotations",
            "",
        ]
        if typing_names:
            lines += [f"from typing import {', '.join(typing_names)}", ""]
        lines += ["import msgspec", ""]
        lines += [f"from pybernetes.api import {name}" for name in sorted(self.imports)]
        if self.module != "meta_v1":
            lines.append("from pybernetes.api.object import Object")
        lines.append(f"from pybernetes.api.scalars import {', '.join(sorted({*self.scalars, 'Struct'}))}")
        return "\n".join(lines) + "\n"


def merged_types(facts: Facts) -> dict[str, Any]:
    """The type table the API server walks: shape, list and map rules, and the Go flags beside them."""
    merged: dict[str, Any] = {}
    for alias, spec in sorted(facts.types.items()):
        if "fields" not in spec:
            merged[alias] = spec
            continue
        fields = {}
        for field, field_spec in spec["fields"].items():
            type_text, extras = (field_spec, {}) if isinstance(field_spec, str) else field_spec
            flags = facts.go_flags(alias, field)
            extras = dict(extras)
            if "p" in flags:
                extras["pointer"] = True
            if "o" in flags:
                extras["omitempty"] = True
            if "z" in flags:
                extras["omitzero"] = True
            fields[field] = [type_text, extras]
        merged[alias] = {**spec, "fields": fields}
    return merged


def dump(path: Path, name: str, rows: dict[str, Any], **head: Any) -> None:
    """One line per row, so that a change of the upstream facts reads as a diff."""
    encode = lambda value: json.dumps(value, separators=(",", ":"))  # noqa: E731
    lines = [f" {encode(key)}:{encode(value)}" for key, value in head.items()]
    body = ",\n".join(f"  {encode(key)}:{encode(value)}" for key, value in rows.items())
    lines.append(f" {encode(name)}:{{\n{body}\n }}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    facts = Facts(Path(sys.argv[1]))
    DATA.mkdir(exist_ok=True)
    for old in API.glob("*_v*.py"):
        old.unlink()
    for module, aliases in facts.structs().items():
        if module in {"intstr", "runtime", "api_resource", "version"}:
            continue
        (API / f"{module}.py").write_text(ModuleWriter(facts, module, aliases).write())
    dump(DATA / "types.json", "types", merged_types(facts))
    dump(DATA / "protobuf.json", "messages", facts.messages, packages=facts.packages)
    rows = {f"{r['group']}/{r['version']}/{r['plural']}": r for r in facts.resources["resources"]}
    head = {k: facts.resources[k] for k in ("groupVersions", "preferredVersion")}
    dump(DATA / "resources.json", "resources", rows, **head)
    labels = {k: v for k, v in facts.field_labels.items() if not k.startswith("_") and k != "kinds"}
    dump(DATA / "field_labels.json", "kinds", facts.field_labels["kinds"], **labels)
    columns = {k: v for k, v in facts.print_columns.items() if not k.startswith("_") and k != "kinds"}
    dump(DATA / "print_columns.json", "kinds", facts.print_columns["kinds"], **columns)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(API)], check=True)  # a broken module fails here


if __name__ == "__main__":
    main()
