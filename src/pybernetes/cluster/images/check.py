"""Whether an image archive can be imported, and which images it holds: asked before the runtime touches anything.

Two formats exist: `docker save` (manifest.json) and the OCI image layout (index.json, oci-layout). Newer docker
writes both into one archive; then manifest.json counts, as for containerd.
"""

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pybernetes.cluster.errors import BadImage

MAX_MANIFEST_BYTES = 4 << 20
OCI_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
SAVE_HINT = "make it with: docker save NAME:TAG -o FILE.tar, or: podman save --format docker-archive, or: skopeo copy"


def images_in(path: Path) -> list[str]:
    """The names of the images in an archive.

    Raises:
        BadImage: it cannot be imported; says why.
    """
    if not path.exists():
        raise BadImage(f"{path} does not exist", "name an image archive (a tar file)")
    if not path.is_file():
        raise BadImage(f"{path} is not a file", "name an image archive (a tar file)")
    try:
        with tarfile.open(path) as tar:
            members = {member.name.removeprefix("./"): member for member in tar}
            if "manifest.json" in members:
                return _docker(path, tar, members)
            if "index.json" in members:
                return _oci(path, tar, members)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadImage(f"{path} is not a complete tar archive: {error}", SAVE_HINT) from error
    raise BadImage(f"{path} is a tar archive, but holds no image (no manifest.json, no index.json)", SAVE_HINT)


def _docker(path: Path, tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> list[str]:
    manifest = _read_json(path, tar, members, "manifest.json")
    if not isinstance(manifest, list) or not manifest or not all(isinstance(row, dict) for row in manifest):
        raise BadImage(f"{path}: manifest.json lists no image", SAVE_HINT)
    names: list[str] = []
    for row in manifest:
        config, layers = row.get("Config"), row.get("Layers") or []
        missing = [name for name in (config, *layers) if name not in members]
        if missing:
            raise BadImage(f"{path} is incomplete: {missing[0]} is missing", SAVE_HINT)
        names += row.get("RepoTags") or []
    return _named(path, names)


def _oci(path: Path, tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> list[str]:
    index = _read_json(path, tar, members, "index.json")
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list) or not manifests:
        raise BadImage(f"{path}: index.json lists no image", SAVE_HINT)
    names = []
    for row in manifests:
        algorithm, _, digest = str(row.get("digest", "")).partition(":")
        if f"blobs/{algorithm}/{digest}" not in members:
            raise BadImage(f"{path} is incomplete: blobs/{algorithm}/{digest} is missing", SAVE_HINT)
        annotations = row.get("annotations") or {}
        name = annotations.get(CONTAINERD_NAME) or annotations.get(OCI_NAME) or ""
        if name:
            names.append(name)
    return _named(path, names)


def _named(path: Path, names: list[str]) -> list[str]:
    if not names:
        raise BadImage(f"the image in {path} has no name", "save it by name and tag: docker save NAME:TAG -o FILE.tar")
    return names


def _read_json(path: Path, tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str) -> Any:
    member = members[name]
    file = tar.extractfile(member) if member.isfile() and member.size <= MAX_MANIFEST_BYTES else None
    if file is None:
        raise BadImage(f"{path}: {name} is no ordinary file of a sensible size", SAVE_HINT)
    try:
        return json.loads(file.read())
    except ValueError as error:
        raise BadImage(f"{path}: {name} is no JSON: {error}", SAVE_HINT) from error
