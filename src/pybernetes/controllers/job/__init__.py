"""Run pods to completion."""
