"""All plugins in order; for each kind of write only those that look at it are asked.

Follows: kubernetes pkg/kubeapiserver/options/plugins.go (order); apiserver pkg/admission/chain.go.
"""

from collections.abc import Awaitable, Callable, Sequence

from pybernetes.apiserver.admission.plugin import Plugin
from pybernetes.apiserver.request import AdmissionRequest

Step = Callable[[AdmissionRequest], Awaitable[None] | None]
_Key = tuple[str, str, str, str]

MAX_REMEMBERED = 4096
"""Kinds of writes whose plugins are remembered: far more than there are. Arbitrary."""


class Chain:
    """Implements `interfaces.Admission`."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._steps: dict[_Key, tuple[tuple[Step, ...], tuple[Step, ...]]] = {}

    def follow(self) -> None:
        """Let plugins follow what configures them; from now on the state in memory is complete."""
        for plugin in self.plugins:
            plugin.follow(self._steps.clear)

    async def mutate(self, request: AdmissionRequest) -> None:
        steps = self._of(request)[0]
        for step in steps:
            waiting = step(request)
            if waiting is not None:
                await waiting
        # A webhook changed something: whoever came before it sees that, too. Follows: pkg/admission/reinvocation.go.
        if request.reinvocation is not None and request.reinvocation.wanted:
            request.reinvocation.again = True
            for step in steps:
                waiting = step(request)
                if waiting is not None:
                    await waiting

    async def validate(self, request: AdmissionRequest) -> None:
        for step in self._of(request)[1]:
            waiting = step(request)
            if waiting is not None:
                await waiting

    def _of(self, request: AdmissionRequest) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        key = (request.resource.group, request.resource.plural, request.subresource, request.operation)
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) >= MAX_REMEMBERED:
                self._steps.clear()
            asked = [plugin for plugin in self.plugins if plugin.handles(*key)]
            mutating = tuple(plugin.mutate for plugin in asked if type(plugin).mutate is not Plugin.mutate)
            validating = tuple(plugin.validate for plugin in asked if type(plugin).validate is not Plugin.validate)
            found = self._steps[key] = (mutating, validating)
        return found
