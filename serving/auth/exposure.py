"""Who could reach an address at all."""

from ipaddress import IPv6Address, ip_address

NOWHERE = "none"
"""Of a container whose port is not published: reached only by the containers of its own, trusted network."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on ``host``. Of a name other than localhost nobody knows."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
