"""Everything this package raises. Each message is one line: what, where, what to do.

An error is the application's (`BadArgument`, `BadState`, `TooLarge`, ...), the machine's (`AddressInUse`,
...), the other side's (`Refused`, `Closed`, `Unreachable`, ...) or a fault of this package (`Internal`).
"""

from __future__ import annotations

import re

from ._generated.constants import Reason, Status


class Error(Exception):
    """The root of all errors of this package."""


class BadArgument(Error, ValueError):
    """A value that can't be used was passed; the message names it."""


class BadUrl(BadArgument):
    """A URL that can't be dialled."""


class BadName(BadArgument):
    """A namespace or track name that can't be used."""


class BadState(Error, RuntimeError):
    """The object can't do that now."""


class WrongThread(BadState):
    """An object was used outside the thread or event loop that owns it."""


class BadHandle(BadState):
    """The thing was closed, or never was."""


class Exists(BadState):
    """There is one with that name already."""


class Limit(Error):
    """A configured limit was reached."""


class TooLarge(Error, ValueError):
    """More bytes than the thing may have. A frame's own `send` returns `Fate.TOO_LARGE` instead."""


class NativeMissing(Error, ImportError):
    """The native library was not found or can't be loaded."""


class VersionMismatch(Error):
    """The two sides speak no common draft, or the native library is of another version than this package."""


class AddressInUse(Error, OSError):
    """The UDP port belongs to another program."""


class PermissionDenied(Error, OSError):
    """The system does not allow it."""


class AddressNotAvailable(Error, OSError):
    """This machine has no such address."""


class IoFailed(Error, OSError):
    """The system refused something else."""


class BadCertificate(Error, ValueError):
    """The certificate given can't be used."""


class BadKey(Error, ValueError):
    """The private key given can't be used."""


class Internal(Error):
    """A fault of this package; please report the message."""


class Ended(Error):
    """A link, session or track ended, or never came to be. `reason` says why, `text` in the other side's
    words.
    """

    def __init__(self, message: str, reason: Reason, text: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.text = text


class Closed(Ended):
    """It was open once and is closed now."""


class Refused(Ended):
    """The other side said no."""


class Unauthorized(Refused):
    """The token does not allow it, or none was given."""


class ExpiredToken(Refused):
    """The token is past its time."""


class MalformedToken(Refused):
    """The token can't be read."""


class Redirected(Refused):
    """It is to be asked for elsewhere: at `url` (empty: the same relay), as `namespace` and `track` (both
    empty: the same names).
    """

    def __init__(
        self,
        message: str,
        reason: Reason,
        text: str = "",
        *,
        url: str = "",
        namespace: str = "",
        track: str = "",
    ) -> None:
        super().__init__(message, reason, text)
        self.url = url
        self.namespace = namespace
        self.track = track


class CertificateMismatch(Ended):
    """The relay's certificate is not one that was to be trusted."""


class Unreachable(Ended):
    """Nothing can be sent to that address."""


class TimedOut(Ended, TimeoutError):
    """Nothing was heard in time."""


class NoCommonDraft(Ended, VersionMismatch):
    """The relay speaks none of the drafts offered."""


_BY_STATUS: dict[int, type[Error]] = {
    Status.BAD_HANDLE: BadHandle,
    Status.BAD_ARGUMENT: BadArgument,
    Status.BAD_STATE: BadState,
    Status.TOO_LARGE: TooLarge,
    Status.BUFFER_TOO_SMALL: Internal,
    Status.VERSION_MISMATCH: VersionMismatch,
    Status.EXISTS: Exists,
    Status.LIMIT: Limit,
    Status.BAD_NAME: BadName,
    Status.BAD_URL: BadUrl,
    Status.ADDRESS_IN_USE: AddressInUse,
    Status.PERMISSION: PermissionDenied,
    Status.ADDRESS_NOT_AVAILABLE: AddressNotAvailable,
    Status.IO: IoFailed,
    Status.BAD_CERTIFICATE: BadCertificate,
    Status.BAD_KEY: BadKey,
}

_BY_REASON: dict[int, tuple[type[Ended], str]] = {
    Reason.UNAUTHORIZED: (Unauthorized, "pass a token that allows it"),
    Reason.MALFORMED_TOKEN: (MalformedToken, "pass the token whole, as it was issued"),
    Reason.EXPIRED_TOKEN: (ExpiredToken, "pass a fresh token"),
    Reason.TIMEOUT: (TimedOut, "check the address, the UDP port and any firewall between"),
    Reason.CERTIFICATE: (CertificateMismatch, "pass trust=transport.Pinned(<hash that the relay prints>)"),
    Reason.VERSION: (NoCommonDraft, "update the older side"),
    Reason.UNREACHABLE: (Unreachable, "check the address and that the relay runs"),
    Reason.KICKED: (Refused, "the relay's operator removed this peer"),
    Reason.REFUSED: (Refused, "the application on the relay turned it away"),
    Reason.EXCESSIVE_LOAD: (Refused, "try again later, or another relay"),
    Reason.DOES_NOT_EXIST: (Refused, "check the namespace and name"),
    Reason.UNINTERESTED: (Refused, "nobody may or wants to receive it"),
    Reason.DUPLICATE: (Refused, "another publisher has that track: choose another name"),
    Reason.LIMIT: (Refused, "close what is no longer needed"),
    Reason.ROOM_CLOSED: (Refused, "the room is closed"),
    Reason.REDIRECTED: (Redirected, "ask for it where the error's url, namespace and track say"),
}


def from_status(status: int, what: str, detail: str) -> Error:
    """The error for a call of the native library that failed."""
    # Whose call it was is said already, in this language's words.
    detail = re.sub(r"^cc_\w+: ", "", detail)
    if status == Status.CLOSED:
        return Closed(_sentence(what, detail or "it is closed: open a new one"), Reason.LOCAL)
    kind = _BY_STATUS.get(status, Internal)
    return kind(_sentence(what, detail or f"status {status}"))


def from_reason(reason: Reason, what: str, text: str = "", advice: str = "") -> Ended:
    """The error for something that the other side, or the network, ended or refused."""
    kind, hint = _BY_REASON.get(reason, (Closed, "open it again"))
    words = reason.name.lower().replace("_", " ")
    if text and text.lower() != words:
        words = f"{words} ({text})"
    return kind(_sentence(what, f"{words}: {advice or hint}"), reason, text)


def is_final(reason: Reason) -> bool:
    """Whether dialling again with the same token and trust can't help."""
    kind = _BY_REASON.get(reason, (Closed, ""))[0]
    return kind not in (Closed, TimedOut, Unreachable) and reason != Reason.EXCESSIVE_LOAD


def _sentence(what: str, why: str) -> str:
    return f"{what}: {why}".replace("\n", " ")
