"""How a server's address is written, and the endpoint that it stands for."""

import re
from typing import TYPE_CHECKING, Any

from chat.client.errors import BadAddress
from chat.client.network.lean import lean_endpoints, with_tls
from chat.client.network.trust import AUTHORITIES, Trust

if TYPE_CHECKING:
    from twisted.internet.interfaces import IStreamClientEndpoint

__all__ = ["DEFAULT_SERVER", "endpoint_for", "host_and_port", "server_string", "shown"]

DEFAULT_PORT = 8889
MOST = 65_535
DIGITS = 6  # enough digits to see that a number is too high
DEFAULT_SERVER = f"tcp:127.0.0.1:{DEFAULT_PORT}"


def server_string(server: str) -> str:
    """A Twisted client endpoint string for ``host``, ``host:port``, ``[v6]:port`` or one itself.

    ``tls:`` or ``tcp:`` may stand before each of them.
    """
    short = re.fullmatch(r"(tls:|tcp:)?(?:\[([^\]]*)\]|([^:\[\]]+))(?::(\d+))?", server.strip())
    if short is None:
        return server.strip() or DEFAULT_SERVER
    host = (short[2] or short[3]).replace(":", r"\:")
    return f"{short[1] or 'tcp:'}{host}:{short[4] or DEFAULT_PORT}"


def host_and_port(server: str) -> tuple[str, str, int] | None:
    """``tcp`` or ``tls``, the host and the port of a server written as ``server_string`` takes it;
    None for an endpoint of another kind."""
    plain = re.fullmatch(r"(tcp|tls):((?:[^:\\=]|\\:)+):(\d+)", server_string(server))
    return plain and (plain[1], plain[2].replace(r"\:", ":"), int(plain[3][:DIGITS]))


def shown(server: str) -> str:
    """The same as a person reads it: without the backslashes of an endpoint string."""
    kind, host, port = host_and_port(server) or ("", "", 0)
    return f"{kind}:[{host}]:{port}" if ":" in host else server


def endpoint_for(reactor: Any, server: str, trust: Trust = AUTHORITIES) -> "IStreamClientEndpoint":
    """The endpoint of a server written as ``server_string`` takes it.

    :param trust: whom to believe, for ``tls:host:port``.
    :raises BadAddress: it is no endpoint string.
    :raises ValueError: no authorities are where ``trust`` says.
    """
    found = host_and_port(server)
    if found is not None:
        kind, host, port = found
        if not 1 <= port <= MOST:  # The resolver would take it modulo 65,536.
            raise BadAddress("bad-port", server, f"ports are 1 to {MOST}")
        if kind == "tls":
            from chat.client.network.tls import TlsEndpoint

            return TlsEndpoint(reactor, host, port, trust)
        # Tries the IPv4 and IPv6 addresses of a name, which the plain "tcp:" does not.
        return lean_endpoints().HostnameEndpoint(reactor, host, port)  # type: ignore[no-any-return]
    try:
        endpoint: IStreamClientEndpoint = with_tls().clientFromString(
            reactor, server_string(server)
        )
    except (ValueError, TypeError, KeyError, IndexError):  # whose text is for programmers
        why = "write it as host, host:port or tls:host:port"
        raise BadAddress("bad-address", server, why) from None
    return endpoint
