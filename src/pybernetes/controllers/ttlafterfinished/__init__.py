"""Delete Jobs some time after they have finished, if they ask for it."""
