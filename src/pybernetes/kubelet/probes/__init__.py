"""Startup, liveness and readiness probes: how results add up, how one is run, and one loop that runs them all."""
