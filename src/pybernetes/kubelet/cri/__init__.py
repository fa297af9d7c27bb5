"""The container runtime behind CRI v1: a typed client, the runtime's event stream, and a fake that behaves alike."""

import os

# gRPC would warn at every start of a child process that it cannot prepare for the fork; children only exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
