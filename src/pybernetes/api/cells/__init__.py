"""Rows of `kubectl get`, a function per kind: (document, now) → cells. `api.printing` chooses among them."""
