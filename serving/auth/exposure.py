"""Which machines can reach an address."""

from ipaddress import IPv6Address, ip_address

NOWHERE = "none"
"""Setting of a container whose port is not published: only containers of its own, trusted network can reach it."""


def address_to_open(host: str, port: int) -> str:
    """Return the URL for a browser of this machine to reach what listens on ``host``; loopback for all addresses."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach ``host``; False for names other than localhost."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
