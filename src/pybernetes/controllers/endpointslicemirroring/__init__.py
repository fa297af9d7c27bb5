"""EndpointSlices for Endpoints that people wrote themselves."""
