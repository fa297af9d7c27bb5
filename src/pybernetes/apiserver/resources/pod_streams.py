"""`pods/NAME/log`, `exec`, `attach` and `portforward`: passed to the kubelet of the pod's node.

    GET  …/log          →  /containerLogs/NS/POD/CONTAINER      a stream of text
    POST …/exec         →  /exec/NS/POD/CONTAINER               SPDY/3.1 or WebSocket, byte for byte
    POST …/attach       →  /attach/NS/POD/CONTAINER
    POST …/portforward  →  /portForward/NS/POD

Follows: pkg/registry/core/pod/strategy.go, LogLocation, streamLocation;
pkg/registry/core/pod/rest/{log,subresources}.go.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode

from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import writes
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources.upstream import Upstream, answer_of, open_upstream, passed_headers
from pybernetes.apiserver.routing import is_true
from pybernetes.machinery import field_errors
from pybernetes.machinery.errors import BadRequest, StatusError
from pybernetes.machinery.numbers import NotANumber, parse_int

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
LOG_FLAGS = ("follow", "previous", "timestamps")
LOG_NUMBERS = {"sinceSeconds": 1, "tailLines": 0, "limitBytes": 1}
"""Numeric log options and the least value of each."""
STREAM_FLAGS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""Options of exec and attach, and what kubelets call them."""

Parameters = Sequence[tuple[str, str]]


async def _pod(context: Context) -> Document:
    core, info = context.core, context.info
    await core.store.catch_up()
    return core.store.document(context.resource, core.store.read(context.resource, info.namespace, info.name))


def container_of(pod: Document, wanted: str) -> str:
    """The container a request is about: the one it names, or the only one, or the annotated default.

    Raises:
        BadRequest.
    """
    spec, name = pod.get("spec") or {}, pod["metadata"]["name"]
    groups: list[list[str]] = [[c["name"] for c in spec.get(field) or ()] for field in _CONTAINER_FIELDS]
    if wanted:
        if not any(wanted in group for group in groups):
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    containers, init_containers, ephemeral = groups
    if len(containers) == 1 and not init_containers and not ephemeral:
        return containers[0]
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    if default in containers:
        return str(default)
    if len(containers) == 1 and not init_containers:
        return containers[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
    if init_containers:
        text += f" or one of the init containers: [{' '.join(init_containers)}]"
    if ephemeral:
        text += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
    raise BadRequest(text)


_CONTAINER_FIELDS = ("containers", "initContainers", "ephemeralContainers")


# ── logs ──


def log_parameters(context: Context) -> list[tuple[str, str]]:
    """The log options as the kubelet takes them.

    Raises:
        Invalid, BadRequest.
    """
    query = context.request.query
    found: list[tuple[str, str]] = []
    complaints = []
    found.extend((flag, "true") for flag in LOG_FLAGS if flag in query and is_true(query[flag]))
    for option, least in LOG_NUMBERS.items():
        if option not in query:
            continue
        try:
            number = parse_int(query[option])
        except NotANumber as error:
            raise BadRequest(str(error)) from None
        if number < least:
            text = f"must be greater than or equal to {least}" if least == 0 else "must be greater than 0"
            complaints.append(field_errors.invalid_value(option, number, text))
        found.append((option, str(number)))
    if "sinceTime" in query:
        if "sinceSeconds" in query:
            complaints.append(
                field_errors.forbidden_value("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
            )
        found.append(("sinceTime", query["sinceTime"]))
    if query.get("stream", "All") != "All":
        found.append(("stream", query["stream"]))
    if complaints:
        raise field_errors.invalid("PodLogOptions", "", context.info.name, complaints)
    return found


async def log(context: Context) -> Answer:
    """The log of a container, as it is written when `follow` asks for that.

    Raises:
        NotFound, BadRequest, Invalid, ServiceUnavailable, InternalError.
    """
    pod = await _pod(context)
    container = container_of(pod, context.query("container"))
    parameters = log_parameters(context)
    info = context.info
    path = f"/containerLogs/{info.namespace}/{info.name}/{quote(container, safe='')}"
    target = context.core.kubelets.target_of_pod(pod, _with_query(path, parameters))
    upgrade = "upgrade" in context.request.headers
    upstream = await open_upstream(target, "GET", passed_headers(context.request.headers, upgrade=upgrade))
    if upstream.status >= 400:
        raise await _refusal(upstream)
    return answer_of(upstream)


async def _refusal(upstream: Upstream) -> StatusError:
    """What a kubelet has against a request, in its own words."""
    text = (await upstream.text()).strip()
    status = upstream.status
    upstream.close()
    if status == 400:
        return BadRequest(text)
    text = text or f"an error on the server has prevented the request from succeeding ({status})"
    error = StatusError(text, code=status)
    error.reason = {404: "NotFound", 500: "InternalError"}.get(status, "")  # type: ignore[misc]
    return error


def _with_query(path: str, parameters: Parameters) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


# ── exec, attach, port-forward ──


async def exec_(context: Context) -> Answer:
    """A command in a container, its streams over the connection.

    Raises:
        NotFound, BadRequest, Forbidden (admission), ServiceUnavailable.
    """
    await admit_connection(context, _stream_options(context, command=True))
    return await _stream(context, "exec")


async def attach(context: Context) -> Answer:
    """The streams of a running container over the connection.

    Raises:
        NotFound, BadRequest, Forbidden (admission), ServiceUnavailable.
    """
    await admit_connection(context, _stream_options(context, command=False))
    return await _stream(context, "attach")


def _stream_options(context: Context, *, command: bool) -> Document:
    """PodExecOptions or PodAttachOptions as admission sees them."""
    pairs = parse_qsl(context.request.query_text, keep_blank_values=True)
    given = dict(reversed(pairs))
    found: Document = {name: True for name in STREAM_FLAGS if name in given and is_true(given[name])}
    if given.get("container"):
        found["container"] = given["container"]
    if command:
        found["command"] = [value for key, value in pairs if key == "command"]
    return found


def stream_parameters(query_text: str, *, command: bool) -> list[tuple[str, str]]:
    """Options of exec and attach as kubelets take them; without any, standard output and error.

    Raises:
        BadRequest: nothing to stream, or nothing to run.
    """
    pairs = parse_qsl(query_text, keep_blank_values=True)
    given = dict(reversed(pairs))
    flags = {name for name in STREAM_FLAGS if name in given and is_true(given[name])}
    if not {"stdin", "stdout", "stderr"} & given.keys():
        flags |= {"stdout", "stderr"}
    if not flags & {"stdin", "stdout", "stderr"}:
        raise BadRequest("you must specify at least one of stdin, stdout, stderr")
    found = [(kubelet_name, "1") for name, kubelet_name in STREAM_FLAGS.items() if name in flags]
    if command:
        words = [("command", value) for key, value in pairs if key == "command"]
        if not words:
            raise BadRequest("you must specify at least 1 command")
        found += words
    return found


async def _stream(context: Context, kind: str) -> Answer:
    pod = await _pod(context)
    container = container_of(pod, context.query("container"))
    if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        raise BadRequest(f"cannot {kind} a container in a completed pod; current phase is {pod['status']['phase']}")
    parameters = stream_parameters(context.request.query_text, command=kind == "exec")
    info = context.info
    path = f"/{kind}/{info.namespace}/{info.name}/{quote(container, safe='')}"
    return await _upgrade(context, pod, _with_query(path, parameters))


async def port_forward(context: Context) -> Answer:
    """Connections to ports of a pod over this one.

    Raises:
        NotFound, BadRequest, Forbidden (admission), ServiceUnavailable.
    """
    pairs = parse_qsl(context.request.query_text, keep_blank_values=True)
    wanted = [int(value) for key, value in pairs if key == "ports" and value.isascii() and value.isdigit()]
    await admit_connection(context, {"ports": wanted} if wanted else {})
    pod = await _pod(context)
    ports = [("port", value) for key, value in pairs if key == "ports"]
    info = context.info
    return await _upgrade(context, pod, _with_query(f"/portForward/{info.namespace}/{info.name}", ports))


async def _upgrade(context: Context, pod: Document, path: str) -> Answer:
    if "upgrade" not in context.request.headers:
        raise BadRequest("Upgrade request required")
    target = context.core.kubelets.target_of_pod(pod, path)
    headers = passed_headers(context.request.headers, upgrade=True)
    upstream = await open_upstream(target, context.request.method, headers)
    if not upstream.upgraded and upstream.status >= 400:
        raise await _refusal(upstream)
    return answer_of(upstream)


async def admit_connection(context: Context, options: Document) -> None:
    """Ask admission before anything else: connecting is an operation of its own.

    Raises:
        StatusError: it is refused.
    """
    assert context.subresource is not None
    options = {"apiVersion": "v1", "kind": context.subresource.kind, **options}
    request = writes.admission_request(context, "CONNECT", options, None, name=context.info.name, dry_run=False)
    await context.core.admission.mutate(request)
    await context.core.admission.validate(request)
