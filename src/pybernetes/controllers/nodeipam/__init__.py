"""Give every node a range of addresses for its pods."""
