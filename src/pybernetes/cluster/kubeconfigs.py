"""The kubeconfig of each component, with certificates inside, so that the one file is all it needs."""

import base64
import json
from pathlib import Path
from typing import Any

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.state import StateDirectory, write_private

COMPONENTS = {
    "admin": "admin",
    "controller-manager": "controller-manager",
    "scheduler": "scheduler",
    "kubelet": "node",
    "proxy": "proxy",
}
"""kubeconfig → certificate."""


def document(config: ClusterConfig, pki: Path, certificate: str) -> dict[str, Any]:
    """The kubeconfig of whoever owns `certificate`; context and cluster have the cluster's name."""
    user = config.name if certificate == "admin" else f"{config.name}-{certificate}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": config.name,
                "cluster": {"certificate-authority-data": _base64(pki / "ca.crt"), "server": config.server},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(pki / f"{certificate}.crt"),
                    "client-key-data": _base64(pki / f"{certificate}.key"),
                },
            }
        ],
        "contexts": [{"name": config.name, "context": {"cluster": config.name, "user": user}}],
        "current-context": config.name,
    }


def write(state: StateDirectory, config: ClusterConfig) -> None:
    """Write the kubeconfig of every component; JSON, which every reader of YAML reads."""
    for name, certificate in COMPONENTS.items():
        text = json.dumps(document(config, state.pki, certificate), indent=2)
        write_private(state.kubeconfigs / f"{name}.conf", text.encode() + b"\n")


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
