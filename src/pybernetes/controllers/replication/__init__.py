"""Keep so many pods of a template running: ReplicationControllers, the older form of ReplicaSets."""
