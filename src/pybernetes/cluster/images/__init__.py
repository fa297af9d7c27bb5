"""Images without a registry: making the small ones we need, checking archives, loading them into the node."""
