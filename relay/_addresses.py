"""The names and addresses by which others on the network reach this machine."""

from __future__ import annotations

import socket


def own_addresses(bind: str) -> list[str]:
    """The address of each family in use if `bind` is a wildcard, else `bind`; then the host name."""
    names: list[str] = []
    if bind not in ("0.0.0.0", "::"):
        names.append(bind)
    else:
        for family, there in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            try:
                # Nothing is sent: connecting a UDP socket only picks the address that would be used.
                with socket.socket(family, socket.SOCK_DGRAM) as probe:
                    probe.connect((there, 9))
                    names.append(probe.getsockname()[0])
            except OSError:
                continue
    name = socket.gethostname()
    # A certificate takes plain ASCII names only.
    return [*names, name] if name.isascii() and name else names
