"""Variables that tell a container where the Services of its namespace are.

For a Service `redis-main` at 10.96.3.4 with TCP port 6379 named `db`:

    REDIS_MAIN_SERVICE_HOST=10.96.3.4        REDIS_MAIN_PORT=tcp://10.96.3.4:6379
    REDIS_MAIN_SERVICE_PORT=6379             REDIS_MAIN_PORT_6379_TCP=tcp://10.96.3.4:6379
    REDIS_MAIN_SERVICE_PORT_DB=6379          REDIS_MAIN_PORT_6379_TCP_PROTO=tcp, …_PORT=6379, …_ADDR=10.96.3.4

Follows: kubernetes pkg/kubelet/envvars/envvars.go; kubelet_pods.go, getServiceEnvVarMap.
"""

from collections.abc import Iterable

from pybernetes.api import core_v1

API_SERVICE = "kubernetes"
API_SERVICE_NAMESPACE = "default"
HEADLESS = "None"


def variables(services: Iterable[core_v1.Service], namespace: str, enable_service_links: bool) -> dict[str, str]:
    """The variables a pod in `namespace` sees; the API server's Service is always among them."""
    chosen: dict[str, core_v1.Service] = {}
    for service in sorted(services, key=lambda service: service.key):
        if service.spec.clusterIP in ("", HEADLESS):
            continue
        if service.namespace == API_SERVICE_NAMESPACE and service.name == API_SERVICE:
            chosen.setdefault(service.name, service)
        elif service.namespace == namespace and enable_service_links:
            chosen[service.name] = service
    result: dict[str, str] = {}
    for _, service in sorted(chosen.items()):
        result.update(_of_service(service))
    return result


def _of_service(service: core_v1.Service) -> dict[str, str]:
    if not service.spec.ports:
        return {}
    prefix, address = _upper(service.name), service.spec.clusterIP
    host = f"[{address}]" if ":" in address else address
    result = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(service.spec.ports[0].port),
    }
    for port in service.spec.ports:
        if port.name:
            result[f"{prefix}_SERVICE_PORT_{_upper(port.name)}"] = str(port.port)
    for number, port in enumerate(service.spec.ports):
        protocol = port.protocol or "TCP"
        url = f"{protocol.lower()}://{host}:{port.port}"
        if number == 0:
            result[f"{prefix}_PORT"] = url
        of_port = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        result[of_port] = url
        result[f"{of_port}_PROTO"] = protocol.lower()
        result[f"{of_port}_PORT"] = str(port.port)
        result[f"{of_port}_ADDR"] = address
    return result


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
