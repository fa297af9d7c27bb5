"""Control groups of pods: what they may use (`amounts`), where they are (`tree`), and who writes them (`v1`, `v2`)."""
