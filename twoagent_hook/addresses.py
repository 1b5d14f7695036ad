"""Where a provider is: whether requests to its base URL would go where they should, and not in clear."""

from urllib.parse import urlsplit

from twoagent_hook.errors import ConfigError


def loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or (host.startswith("127.") and host.replace(".", "").isdigit())


_SHARED = "fd00:ec2::/32"  # the same service of one cloud, by its IPv6 address


def _link_local(host: str) -> bool:
    """Whether it is an address of this link alone, in any way of writing it that a resolver takes."""
    import ipaddress
    import socket  # 5 ms, which a run that finds nothing staged need not wait for

    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, UnicodeEncodeError):
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_link_local or mapped in ipaddress.ip_network(_SHARED))


def check_base_url(name: str, url: str, origin: str, *, allow_insecure: bool) -> None:
    """Refuse an address to which requests would go wrong, or in clear.

    Args:
        name: the provider's.
        origin: where the address stands, for messages.

    Raises:
        ConfigError: with the right address where there is one; never with a password that stands in it.
    """
    key = f"{origin}: base-url of {name}"
    try:
        parts = urlsplit(url.strip())
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ConfigError(f"{key} is no address", _EXAMPLE) from None
    if parts.username or parts.password:
        raise ConfigError(f"{key} holds a user name or password", "keys belong into `api-key-env`")
    if not known:
        raise ConfigError(f"{key} is no http(s) address: {url!a}", _EXAMPLE)
    _check_host(key, parts.netloc, parts.hostname or "")
    clean = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if any(char.isspace() or not char.isprintable() for char in url.strip()):
        raise ConfigError(
            f"{key} holds white space or a control character",
            f'write "{"".join(c for c in clean if c.isprintable() and not c.isspace())}"',
        )
    if "?" in url or "#" in url or url != url.strip():
        what = "a query string" if "?" in url else "a fragment" if "#" in url else "white space around it"
        raise ConfigError(f"{key} has {what}, which would end up in the path", f'write "{clean}"')
    for tail in ("/chat/completions", "/completions", "/responses", "/models"):
        if clean.endswith(tail):
            raise ConfigError(f"{key} already ends with {tail}", f'write "{clean.removesuffix(tail)}"')
    if parts.scheme == "http" and not loopback(parts.hostname or "") and not allow_insecure:
        raise ConfigError(
            f"{key} is plain http, so the change and the key could be read on the way",
            "use https, or set `allow-insecure = true` for a host inside your own network",
        )


def _check_host(key: str, netloc: str, host: str) -> None:
    if _link_local(host):
        raise ConfigError(f"{key} is link-local, where clouds hand out credentials", "name the endpoint itself")
    if not netloc.isascii():
        raise ConfigError(f"{key} is not ASCII: {netloc!a}", "write the host's name in punycode")


_EXAMPLE = 'write it like "https://api.example.com/v1"'
