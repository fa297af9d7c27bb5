"""Who asks and whether they may: the security rooms put together from the server's settings.

Follows: kube-apiserver pkg/kubeapiserver/options/{authentication,authorization}.go.
"""

from dataclasses import dataclass

from pybernetes.apiserver.authn.authenticator import Authenticator
from pybernetes.apiserver.authn.keys import TokenKeys
from pybernetes.apiserver.authn.request_header import RequestHeader
from pybernetes.apiserver.authn.reviews import TokenIssuer
from pybernetes.apiserver.authn.static_tokens import load
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.request import ObjectReader
from pybernetes.effects import Clock, Ids


@dataclass(frozen=True, slots=True)
class Security:
    """The parts that answer reviews and issue tokens, besides deciding requests."""

    authenticator: Authenticator
    authorizer: Authorizer
    keys: TokenKeys | None
    issuer: TokenIssuer | None
    request_header: RequestHeader | None = None


def assemble(config: Config, reader: ObjectReader, clock: Clock, ids: Ids) -> Security:
    """The security of one server.

    Raises:
        UnusableKey, UnusableTokenFile, UnusableAuthority: a file of the settings cannot be used.
    """
    keys = None
    if config.service_account_signing_key:
        keys = TokenKeys.load(config.service_account_signing_key, config.service_account_keys)
    authenticator = Authenticator(
        reader,
        clock,
        keys,
        static=load(config.token_auth_file) if config.token_auth_file else None,
        issuers=(config.service_account_issuer,),
        audiences=config.api_audiences,
    )
    issuer = TokenIssuer(reader, keys, clock, ids, authenticator) if keys is not None and keys.can_sign else None
    settings = config.request_header
    request_header = RequestHeader(settings, config.client_ca) if settings.client_ca else None
    return Security(authenticator, Authorizer(reader), keys, issuer, request_header)
