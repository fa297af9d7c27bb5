"""Say how many pods of a budget may be taken away right now."""
