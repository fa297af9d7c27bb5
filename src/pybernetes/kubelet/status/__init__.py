"""A pod's status: computed purely from spec and runtime, then written to the API server when it changed."""
