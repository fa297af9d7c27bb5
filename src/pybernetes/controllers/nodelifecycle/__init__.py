"""Notice nodes that fell silent, and say so in their conditions and taints."""
