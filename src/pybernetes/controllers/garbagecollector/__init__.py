"""Delete what nobody owns any more."""
