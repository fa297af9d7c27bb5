"""Roll a template out over ReplicaSets."""
