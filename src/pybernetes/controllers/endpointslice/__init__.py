"""The addresses behind a Service, in slices."""
