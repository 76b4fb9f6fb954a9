"""Many frames, each of two parts (a header of its own, a body that others share), in one call to the core."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from transport import SEND_DTYPE

Send = Callable[[npt.NDArray[np.void]], npt.NDArray[np.uint8]]
"""`Node.send_batch`."""


def send_rows(
    send: Send,
    handles: npt.NDArray[np.uint64],
    heads: npt.NDArray[np.void],
    bodies: Sequence[bytes],
    which: npt.NDArray[np.intp],
    priority: int,
    ttl_us: int,
) -> npt.NDArray[np.uint8]:
    """Send to publication `handles[i]` the bytes `heads[i] + bodies[which[i]]`; the frames' fates.

    The core copies before the call returns, so the memory built here lives just as long.
    """
    count = len(handles)
    head_size = heads.dtype.itemsize
    raw = heads.tobytes()
    parts: list[bytes] = []
    for row, body in enumerate(which.tolist()):
        parts.append(raw[row * head_size : (row + 1) * head_size])
        parts.append(bodies[body])
    memory = np.frombuffer(b"".join(parts), np.uint8)
    sizes = np.fromiter(map(len, bodies), np.uint32, len(bodies))[which] + np.uint32(head_size)
    entries = np.zeros(count, SEND_DTYPE)
    entries["publication"] = handles
    entries["payload_len"] = sizes
    entries["payload"] = np.cumsum(sizes, dtype=np.uint64) - sizes + np.uint64(memory.ctypes.data)
    entries["ttl_us"] = ttl_us
    entries["priority"] = priority
    return send(entries)
