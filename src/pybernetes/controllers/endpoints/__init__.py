"""The addresses behind a Service, in one Endpoints object, for those who still read that."""
