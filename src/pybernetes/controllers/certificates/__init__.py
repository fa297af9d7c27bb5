"""Certificate signing requests: approved, signed, and cleaned up."""
