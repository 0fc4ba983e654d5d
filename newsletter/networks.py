"""Which network does a client's address lie in, and how much of it is kept as evidence?"""

from __future__ import annotations

import hmac
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal

Keeping = Literal["truncated", "hashed", "none"]

_PURPOSE = b"dateline.client\0"
_V4, _V6 = 24, 56
"""What one household or office commonly has: the rest of the address says which person's machine it is."""


def network_of(client: str) -> str:
    """The network of an address: ``203.0.113.0/24``, ``2001:db8::/56``; empty for what is no address."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network((address, _V4 if address.version == 4 else _V6), strict=False))


def kept(client: str, how: Keeping, key: str) -> str:
    """A client's address as it may be kept: its network, a keyed hash of the whole of it, or nothing."""
    if how == "none" or not (network := network_of(client)):
        return ""
    if how == "truncated":
        return network
    address = ip_address(client.partition("%")[0])
    whole = getattr(address, "ipv4_mapped", None) or address
    return hmac.digest(key.encode(), _PURPOSE + str(whole).encode(), "sha256").hex()
