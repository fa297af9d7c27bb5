"""The cluster's authority as a ConfigMap in every namespace."""
