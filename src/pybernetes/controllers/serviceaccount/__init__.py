"""A ServiceAccount named `default` in every namespace."""
