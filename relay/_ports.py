"""What keeps a program from listening, in the words of whoever typed its command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import transport


@contextlib.contextmanager
def option(name: str, port: int, bind: str, otherwise: int) -> Iterator[None]:
    """Failures to bind within name the option that chooses the port; `otherwise` is one without privilege.

    Errors keep their type: `transport.AddressInUse`, `PermissionDenied` and `AddressNotAvailable`.
    """
    try:
        yield
    except transport.AddressInUse:
        text = f"{name} {port}: another program has that port on {bind}: stop it, or pass {name} N (0: any)"
        raise transport.AddressInUse(text) from None
    except transport.PermissionDenied:
        if 0 < port < 1024:
            text = f"{name} {port} needs privilege: run with sudo/setcap or {name} {otherwise}"
        else:
            text = f"{name} {port}: the system does not allow it on {bind}: pass {name} N (0: any)"
        raise transport.PermissionDenied(text) from None
    except transport.AddressNotAvailable:
        which = "--admin-bind" if name == "--admin-port" else "--bind"
        text = f"{which} {bind}: this machine has no such address: pass one of its own, or 0.0.0.0 for all"
        raise transport.AddressNotAvailable(text) from None
