"""Writes src/pybernetes/api/data/descriptions.json.gz: the texts `kubectl explain` shows.

Usage: descriptions.py [WHEEL_OR_DIRECTORY]. Without an argument it downloads the wheel of kubernetes-validate with pip
into a temporary directory and reads the published schemas from it. The file is made, never committed.
"""

import gzip
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/pybernetes/api/data/descriptions.json.gz"
PACKAGE = "kubernetes-validate==1.36.0"
MEMBER = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local/_definitions.json"


def download(directory: str) -> Path:
    """The wheel of PACKAGE."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "-d", directory, PACKAGE], check=True)
    return next(Path(directory).glob("*.whl"))


def read_definitions(source: Path) -> dict[str, Any]:
    if source.is_dir():
        data = (source / MEMBER).read_bytes()
    else:
        with zipfile.ZipFile(source) as wheel:
            data = wheel.read(MEMBER)
    definitions: dict[str, Any] = json.loads(data)["$defs"]
    return definitions


def descriptions(definitions: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Texts by type and field; the type's own under the empty name."""
    found = {}
    for name, schema in sorted(definitions.items()):
        texts = {"": schema.get("description", "")}
        texts |= {field: row.get("description", "") for field, row in schema.get("properties", {}).items()}
        found[name] = {field: text for field, text in texts.items() if text}
    return found


def write(source: Path) -> None:
    data = json.dumps(descriptions(read_definitions(source)), separators=(",", ":"), ensure_ascii=False)
    partial = TARGET.with_suffix(".partial")
    partial.write_bytes(gzip.compress(data.encode(), mtime=0))
    partial.replace(TARGET)


def main() -> None:
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as directory:
        write(download(directory))


if __name__ == "__main__":
    main()
