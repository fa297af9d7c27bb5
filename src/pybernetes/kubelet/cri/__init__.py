"""The container runtime behind CRI v1: a typed client, the runtime's event stream, and a fake that behaves alike."""
