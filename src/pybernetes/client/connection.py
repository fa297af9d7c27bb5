"""Where the API server is, and who we are there."""

import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Connection:
    """One identity at one server. Certificates come as PEM bytes or as files; bytes win."""

    server: str
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    token: str = field(default="", repr=False)
    user_agent: str = "pybernetes"
    ca_pem: bytes = field(default=b"", repr=False)
    certificate_pem: bytes = field(default=b"", repr=False)
    key_pem: bytes = field(default=b"", repr=False)
    server_name: str = ""
    """What the server's certificate is checked against, when not the host of `server`."""
    insecure: bool = False
    """Believe any server certificate, as `insecure-skip-tls-verify` asks."""

    def ssl_context(self) -> ssl.SSLContext | bool:
        """TLS with the cluster's CA; plain `http://` servers need none.

        Raises:
            OSError, ssl.SSLError: a file is missing or is no PEM.
        """
        if self.server.startswith("http://"):
            return False
        context = ssl.create_default_context(
            cafile=str(self.ca_file) if self.ca_file and not self.ca_pem else None,
            cadata=self.ca_pem.decode("ascii") if self.ca_pem else None,
        )
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate_pem:
            # OpenSSL reads certificates from files only: a private one that lives for this call.
            with tempfile.NamedTemporaryFile(prefix="client-", suffix=".pem") as pair:
                pair.write(self.certificate_pem.rstrip() + b"\n" + self.key_pem)
                pair.flush()
                context.load_cert_chain(pair.name)
        elif self.certificate_file:
            context.load_cert_chain(str(self.certificate_file), str(self.key_file) if self.key_file else None)
        return context
