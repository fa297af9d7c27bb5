"""Empty a namespace that is to go, then let it go."""
