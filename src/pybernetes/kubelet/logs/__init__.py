"""Log files of containers: reading them for `kubectl logs`, and keeping them small."""
