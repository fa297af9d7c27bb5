"""A few questions to the cluster's own API server, for commands: blocking, standard library only, quick to import."""

import http.client
import json
import ssl
from datetime import datetime
from typing import Any

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import format_time

TIMEOUT_SECONDS = 10.0


class ApiError(ClusterError):
    """The API server answered with a Status other than success."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the API server answered {code}: {message}")
        self.code = code


class Api:
    """Requests as administrator over one connection."""

    def __init__(self, state: StateDirectory, config: ClusterConfig) -> None:
        self._port = config.port
        self._tls = ssl.create_default_context(cafile=state.pki / "ca.crt")
        self._tls.load_cert_chain(state.pki / "admin.crt", state.pki / "admin.key")
        self._connection: http.client.HTTPSConnection | None = None

    def request(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer, or its text when it is no JSON.

        Raises:
            ApiError: the answer is a failure.
            OSError: no answer.
        """
        connection = self._connection or http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._tls, timeout=TIMEOUT_SECONDS
        )
        self._connection = connection
        payload = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            data = response.read()
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(str(error)) from error
        except OSError:
            self.close()
            raise
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        content: Any = json.loads(data) if is_json else data.decode(errors="replace")
        if response.status >= 400:
            message = content.get("message", "") if isinstance(content, dict) else content
            raise ApiError(response.status, str(message))
        return content

    def ready(self) -> bool:
        """Whether the API server says it is ready."""
        try:
            self.request("GET", "/readyz")
        except (OSError, ApiError):
            return False
        return True

    def nodes(self, since: datetime | None = None) -> dict[str, bool]:
        """Every node's name, and whether it is Ready; none while there is no answer.

        With `since`, what a node said before that moment does not count: it may be the last word of a node that
        has been stopped.
        """
        oldest = format_time(since) if since else ""
        try:
            listing = self.request("GET", "/api/v1/nodes")
        except (OSError, ApiError):
            return {}
        return {
            node["metadata"]["name"]: any(
                condition.get("type") == "Ready"
                and condition.get("status") == "True"
                and condition.get("lastHeartbeatTime", "") >= oldest
                for condition in node.get("status", {}).get("conditions", ())
            )
            for node in listing.get("items", ())
        }

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
