"""Make Jobs on a schedule."""
