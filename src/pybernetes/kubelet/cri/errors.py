"""What a container runtime can answer instead of doing it.

    RuntimeFailure
    ├── RuntimeNotFound     the object is gone; for stops and removals that means done
    ├── RuntimeUnavailable  no runtime at the socket, or it is restarting; try again
    ├── RuntimeTimeout      the call took longer than allowed
    └── RuntimeUnsupported  this runtime does not know the call

The text is what events and waiting messages show: upstream's Go client prints `rpc error: code = X desc = Y`.
"""


class RuntimeFailure(Exception):
    """A call failed. `code` is gRPC's name as Go prints it (`Unknown`), `detail` the runtime's own words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {detail}")
        self.code = code
        self.detail = detail


class RuntimeNotFound(RuntimeFailure):
    """There is no such sandbox, container or image."""


class RuntimeUnavailable(RuntimeFailure):
    """The runtime cannot be reached."""


class RuntimeTimeout(RuntimeFailure):
    """The call ran out of time; the runtime gave up on it too."""


class RuntimeUnsupported(RuntimeFailure):
    """The runtime does not implement the call."""


_BY_CODE: dict[str, type[RuntimeFailure]] = {
    "NOT_FOUND": RuntimeNotFound,
    "UNAVAILABLE": RuntimeUnavailable,
    "DEADLINE_EXCEEDED": RuntimeTimeout,
    "UNIMPLEMENTED": RuntimeUnsupported,
}

_GO_NAMES = {"OK": "OK", "DATA_LOSS": "DataLoss", "CANCELLED": "Canceled"}


def from_grpc(code_name: str, detail: str) -> RuntimeFailure:
    """The exception for a gRPC status, `NOT_FOUND` and the text that came with it."""
    go_name = _GO_NAMES.get(code_name) or "".join(word.capitalize() for word in code_name.split("_"))
    return _BY_CODE.get(code_name, RuntimeFailure)(go_name, detail)
