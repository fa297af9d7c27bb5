"""What goes wrong before there is a cluster to answer: every one says what is wrong and what to do about it."""


class ClusterError(Exception):
    """A command cannot do its work. `hint` is the sentence that helps; the command prints both and exits 1."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class BadOption(ClusterError):
    """A flag or a configuration value that cannot be meant."""


class BadState(ClusterError):
    """The state directory is not ours, of another version, or damaged."""


class BadImage(ClusterError):
    """An image archive that cannot be imported."""


class NotRunning(ClusterError):
    """The command needs a running cluster."""
