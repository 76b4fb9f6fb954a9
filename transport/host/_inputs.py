"""The inputs of all of a room's players, a jitter buffer each, as arrays: no Python a player or packet.

A buffer holds inputs of the next ticks and gives those of one tick. An input that comes for a tick that was
run is counted late and forgotten; where none is there, the player's last one is repeated and counted missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from . import protocol

if TYPE_CHECKING:
    from ._peer import Peer

DEPTH: Final = 32
"""Ticks that a player may send ahead."""
_WORSE: Final = 0.5
_BETTER: Final = 0.1
"""Share of a change in earliness that is believed at once: a player that gets later is told soon, and one
that gets earlier within ten packets, so that its clock does not run away on old news.
"""
_CLEARLY: Final = 8.0
"""A change of so many ticks is no jitter, and believed at once."""
_NOT_HEARD: Final = np.inf


@dataclass(frozen=True)
class Inputs(Mapping["Peer", np.void]):
    """Each player's input for one tick: by peer, or all at once by slot."""

    tick: int
    by_slot: npt.NDArray[np.void]
    """Zeros for empty slots and for players never heard."""
    present: npt.NDArray[np.bool_]
    """By slot, too: whether the input is of this very tick, and not the last one repeated."""
    peers: tuple[Peer, ...] = field(repr=False)

    def __getitem__(self, peer: Peer) -> np.void:
        value: np.void = self.by_slot[peer.slot]
        return value

    def __iter__(self) -> Iterator[Peer]:
        return iter(self.peers)

    def __len__(self) -> int:
        return len(self.peers)


class InputBuffer:
    """Jitter buffers for `slots` players with inputs of one dtype."""

    def __init__(self, dtype: npt.DTypeLike, slots: int) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.slots = slots
        self.consumed = 0
        """The last tick whose inputs were taken."""
        self.newest = np.zeros(slots, np.int64)
        """Newest input tick heard, by slot; 0: none."""
        self.acked = np.zeros(slots, np.int64)
        """Newest snapshot tick that the player has, by slot; 0: none."""
        self.lead = np.full(slots, _NOT_HEARD)
        """Recent earliness, ticks, by slot; infinite: never heard."""
        self.late = 0
        """Packets whose newest input came after its tick."""
        self.early = 0
        """Packets from beyond what the buffer holds."""
        self.missing = 0
        """Times that a tick had to repeat a player's last input."""
        self.malformed = 0
        self.taken = 0
        """Packets."""
        self._values = np.zeros((slots, DEPTH), self.dtype)
        self._ticks = np.zeros((slots, DEPTH), np.int64)
        self._last = np.zeros(slots, self.dtype)

    def reset(self, slot: int) -> None:
        """The slot's player is another one, or starts anew."""
        self.newest[slot] = self.acked[slot] = 0
        self.lead[slot] = _NOT_HEARD
        self._ticks[slot] = 0
        self._last[slot] = np.zeros((), self.dtype)

    def put(
        self,
        data: npt.NDArray[np.uint8],
        at: npt.NDArray[np.int64],
        size: npt.NDArray[np.int64],
        slots: npt.NDArray[np.int64],
        positions: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.uint32]:
        """Take packets: payload i is `data[at[i]:at[i] + size[i]]`, of player `slots[i]`, arrived at tick
        position `positions[i]`.

        Returns the "sent" times of those that were well-formed, in their order.
        """
        head_size = protocol.INPUT_HEADER.itemsize
        keep = size >= head_size
        at, size, slots, positions = at[keep], size[keep], slots[keep], positions[keep]
        wrong = len(keep) - len(at)
        head = _gather(data, at, protocol.INPUT_HEADER)
        counts = head["count"].astype(np.int64)
        good = (
            (counts >= 1)
            & (counts <= protocol.MAX_INPUTS)
            & (head["size"] == self.dtype.itemsize)
            & (size == head_size + counts * self.dtype.itemsize)
        )
        if not good.all():
            wrong += int((~good).sum())
            at, slots, positions, head, counts = (
                at[good],
                slots[good],
                positions[good],
                head[good],
                counts[good],
            )
        self.malformed += wrong
        self.taken += len(at)
        sent: npt.NDArray[np.uint32] = head["sent"]
        if not len(at):
            return sent
        ticks = head["tick"].astype(np.int64)
        self._note_lead(slots, ticks, positions)
        inside = ticks <= self.consumed + DEPTH
        self.early += int((~inside).sum())
        self._note_acks(slots[inside], ticks[inside], head["ack"][inside].astype(np.int64))
        for place in range(int(counts.max())):
            tick = ticks - place
            due = (counts > place) & inside & (tick > self.consumed) & (tick > 0)
            if place == 0:
                self.late += int((inside & (tick <= self.consumed)).sum())
            if not due.any():
                continue
            source = at[due] + head_size + place * self.dtype.itemsize
            slot, ring = slots[due], tick[due] % DEPTH
            self._values[slot, ring] = _gather(data, source, self.dtype)
            self._ticks[slot, ring] = tick[due]
        return sent

    def take(self, tick: int, peers: tuple[Peer, ...]) -> Inputs:
        """The inputs for a tick. Going back is not possible: inputs up to `tick` are consumed."""
        ring = tick % DEPTH
        present = self._ticks[:, ring] == tick
        if tick > self.consumed:
            self.consumed = tick
            np.copyto(self._last, self._values[:, ring], where=present)
            heard = self.newest > 0
            self.missing += int((heard & ~present).sum())
        return Inputs(tick, self._last.copy(), present, peers)

    def _note_lead(
        self, slots: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64], positions: npt.NDArray[np.float64]
    ) -> None:
        lowest = np.full(self.slots, np.inf)
        np.minimum.at(lowest, slots, np.clip(ticks - positions, -500.0, 500.0))
        heard = np.unique(slots)
        now, known = lowest[heard], self.lead[heard]
        first = ~(np.abs(now - known) < _CLEARLY)
        known[first] = now[first]
        self.lead[heard] = known + (now - known) * np.where(now < known, _WORSE, _BETTER)

    def _note_acks(
        self, slots: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64], acks: npt.NDArray[np.int64]
    ) -> None:
        """Of several packets of one player the newest counts, also where it takes an acknowledgement back: a
        player that lost its states says so.
        """
        order = np.argsort(ticks, kind="stable")
        slots, ticks, acks = slots[order], ticks[order], acks[order]
        newer = ticks >= self.newest[slots]
        self.newest[slots[newer]] = ticks[newer]
        self.acked[slots[newer]] = acks[newer]


def _gather(
    data: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], dtype: np.dtype[Any]
) -> npt.NDArray[np.void]:
    """Records of `dtype` that begin at these bytes."""
    rows = data[at[:, None] + np.arange(dtype.itemsize)]
    return np.ascontiguousarray(rows).view(dtype).reshape(len(at))
