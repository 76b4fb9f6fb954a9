"""Bodies of the control stack: which media type, how DTOs are read and written, and failures as ErrorBody."""

from __future__ import annotations

from typing import TypeVar

from transport._generated import wire
from transport._generated.dtos import Body, ErrorBody

JSON = "application/json"
MSGPACK = "application/msgpack"
_ALIASES = {
    JSON: JSON,
    MSGPACK: MSGPACK,
    "application/x-msgpack": MSGPACK,
    "application/vnd.msgpack": MSGPACK,
}
_D = TypeVar("_D", bound=Body)


class ControlError(Exception):
    """A call that failed: what the peer gets as `ErrorBody`, and what `ControlClient` raises."""

    def __init__(
        self, code: int, error: str, message: str, *, field: str | None = None, retry_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        """HTTP status."""
        self.error = error
        """A stable word, such as not_found."""
        self.message = message
        self.field = field
        self.retry_ms = retry_ms

    def body(self) -> ErrorBody:
        """As a DTO."""
        return ErrorBody(
            code=self.code, error=self.error, message=self.message, field=self.field, retry_ms=self.retry_ms
        )


def media_type(header: str) -> str | None:
    """JSON or MSGPACK for a Content-Type; none for any other."""
    return _ALIASES.get(header.partition(";")[0].strip().lower())


def accepted(header: str, otherwise: str) -> str | None:
    """The type to answer with: the first of an Accept header that is known, `otherwise` for a wildcard.

    Weights are passed over, except that q=0 excludes. None if nothing fits.
    """
    if not header.strip():
        return otherwise
    for entry in header.split(","):
        name, _, parameters = entry.partition(";")
        if parameters.replace(" ", "").lower() in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            continue
        if name.strip() in ("*/*", "application/*"):
            return otherwise
        known = media_type(name)
        if known is not None:
            return known
    return None


def decode(data: bytes, kind: str) -> object:
    """The value in a body. `ControlError` 400 if it is malformed."""
    try:
        return wire.from_json(data) if kind == JSON else wire.unpack(data)
    except wire.WireError as wrong:
        raise ControlError(400, "bad_body", f"body: {wrong.message}", field=wrong.path) from None
    except UnicodeDecodeError:
        raise ControlError(400, "bad_body", "body: it is not UTF-8") from None


def read(dto: type[_D], value: object) -> _D:
    """A DTO in a value. `ControlError` 400 names the field at fault."""
    try:
        return dto.from_wire(value)
    except wire.WireError as wrong:
        raise ControlError(400, "bad_field", f"{wrong.path}: {wrong.message}", field=wrong.path) from None


def encode(dto: Body, kind: str) -> bytes:
    """A DTO as a body."""
    value = dto.to_wire()
    return wire.to_json(value).encode() if kind == JSON else wire.pack(value)
