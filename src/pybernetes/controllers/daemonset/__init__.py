"""One pod of a template on every node that fits."""
