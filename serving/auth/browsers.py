"""Which web pages may send requests. Programs other than browsers are not affected.

A page of another site can make a visitor's browser send a form to any address, also to one that only that browser can
reach. Such a request is recognised by ``Sec-Fetch-Site`` or ``Origin``, which scripts cannot forge; the two are checked
in the order of Go's ``http.CrossOriginProtection``. A page can also give its own host name this machine's address (DNS
rebinding); such a request is recognised only by its ``Host`` header.
"""

from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers

from serving.auth.exposure import is_loopback

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def is_cross_site(method: str, headers: Headers, allowed_origins: Collection[str]) -> bool:
    """Tell whether a page of a site that is not allowed made the browser send this request.

    Args:
        method: of the request; reading is allowed, because the browser hides the answer from other sites.
        headers: of the request.
        allowed_origins: origins whose pages are allowed, as browsers write them, or ``*``.
    """
    origin = headers.get("origin")
    if method in _READING or "*" in allowed_origins or origin in allowed_origins:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    if origin is None:
        return False
    return origin.partition("://")[2].lower() != headers.get("host", "").lower()


def is_addressed(headers: Headers, allowed_hosts: Collection[str]) -> bool:
    """Tell whether the request was sent to a loopback name, or to one of ``allowed_hosts``.

    A request without a ``Host`` header is not from a browser, and passes.
    """
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return not hosts
    name = _without_port(hosts[0].strip().lower())
    return is_loopback(name) or name.removesuffix(".") in allowed_hosts


def is_host_name(text: str) -> bool:
    """Tell whether ``text`` is a host name or an address, without scheme, port or path."""
    if text.startswith("["):
        try:
            return text.endswith("]") and ip_address(text[1:-1]).version == 6
        except ValueError:
            return False
    return 0 < len(text) <= 253 and all(part.replace("-", "").isalnum() and part.isascii() for part in text.split("."))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.partition(":")[0]
