"""Kubernetes itself, in Python. ARCHITECTURE.md is the map."""

__version__ = "0.1.0"

KUBERNETES_VERSION = "v1.36.0"
"""The upstream version whose behaviour is followed, as `/version` tells it."""
