"""The user's kubeconfig: our context goes in as kind and minikube do it, and comes out again with `delete`.

Everything else in the file stays as it is in meaning; comments are lost, as with `kubectl config`.

Follows: client-go tools/clientcmd/config.go, ModifyConfig.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pybernetes.cluster.errors import BadOption
from pybernetes.cluster.state import write_private

SECTIONS = ("clusters", "users", "contexts")
Document = dict[str, Any]


def default_path(environment: Mapping[str, str]) -> Path:
    """Where kubectl looks first: the first file of $KUBECONFIG, else ~/.kube/config."""
    for name in environment.get("KUBECONFIG", "").split(os.pathsep):
        if name:
            return Path(name).expanduser().absolute()
    return Path("~/.kube/config").expanduser()


def merged(current: Document, addition: Document) -> Document:
    """`current` with the entries of `addition`, whose context becomes the current one."""
    result = {"apiVersion": "v1", "kind": "Config", **current}
    for section in SECTIONS:
        new = addition[section]
        names = {entry["name"] for entry in new}
        result[section] = [entry for entry in current.get(section) or () if entry.get("name") not in names] + new
    result["current-context"] = addition["current-context"]
    return result


def without(current: Document, addition: Document) -> Document:
    """`current` without the entries `addition` names; a current context that went leaves none."""
    result = dict(current)
    for section in SECTIONS:
        names = {entry["name"] for entry in addition[section]}
        result[section] = [entry for entry in current.get(section) or () if entry.get("name") not in names]
    if result.get("current-context") == addition["current-context"]:
        result["current-context"] = ""
    return result


def read(path: Path) -> Document:
    """The kubeconfig in a file; empty when there is no file.

    Raises:
        BadOption: it is no kubeconfig.
    """
    hint = "repair it, or name another file: --kubeconfig FILE"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror}", hint) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadOption(f"{path} is no YAML: {' '.join(str(error).split())}", hint) from error
    if content is None:
        return {}
    if not isinstance(content, dict) or content.get("kind", "Config") != "Config":
        raise BadOption(f"{path} is no kubeconfig", hint)
    for section in SECTIONS:
        entries = content.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
            raise BadOption(f"{path} is no kubeconfig: {section} is not a list of named entries", hint)
    return content


def write(path: Path, content: Document) -> None:
    """Replace the file, keeping a symbolic link to it.

    Raises:
        BadOption: the directory cannot be written.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_private(target, yaml.safe_dump(content, sort_keys=False).encode())
    except OSError as error:
        raise BadOption(
            f"{path} cannot be written: {error.strerror}", "name another file: --kubeconfig FILE"
        ) from error


def add(path: Path, addition: Document) -> bool:
    """Put our entries into the file; whether that changed it."""
    current = read(path)
    result = merged(current, addition)
    if result == current:
        return False
    write(path, result)
    return True


def remove(path: Path, addition: Document) -> bool:
    """Take our entries out of the file; whether that changed it."""
    current = read(path)
    result = without(current, addition)
    if not current or result == current:
        return False
    write(path, result)
    return True
