"""What happens on a node, as flat values, and the bounded queue through which an application reads it.

`Up`, `Down`, `LinkClosed` and `Goaway` are about a link; `Auth`, `AuthRefresh`, `AuthRequest`, `SessionUp`
and `SessionDown` about a relay's sessions; the others about publications, feeds and the node itself.
Durations are seconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from ._generated.constants import Reason

if TYPE_CHECKING:
    from ._feed import Feed
    from ._link import Link
    from ._publication import Publication

KEPT = 1024
"""Events that wait in one `EventStream`; beyond that the oldest go, counted in `missed`."""


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """A track as a feed sees it."""

    id: int
    """As in `Received.track` and in a batch's "track" column; unique in a node's life."""
    namespace: str
    name: str
    capability: str
    """Its tag; empty: none."""
    kind: int
    """A `transport.TrackKind`, or 0 if the publisher did not say."""
    publisher: str
    """Peer id of its publisher; empty if unknown."""
    properties: Mapping[int, int | bytes] = field(default_factory=dict, compare=False, repr=False)
    """Audio and Video: what it was published with; of other kinds see `Feed.track_properties`."""


@dataclass(frozen=True, slots=True)
class Up:
    """The link is up."""

    link: Link
    resumed: bool
    """Whether it was up before."""
    gap: float
    """How long it was down; 0 the first time."""
    draft: int
    peer_id: str


@dataclass(frozen=True, slots=True)
class Down:
    """The link was lost, or an attempt failed; it dials again by itself after `retry`."""

    link: Link
    reason: Reason
    code: int
    """As seen on the wire; 0 if none was."""
    retry: float
    text: str


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The link is closed for good."""

    link: Link
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Goaway:
    """The relay is about to stop, and the link goes to `uri`, or dials the same place again if that is empty:
    beside the session that stands, which it leaves when everything has moved.
    """

    link: Link
    uri: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Auth:
    """A session asks to be admitted; answer with `Node.accept` or `Node.refuse`."""

    session: int
    token: bytes = field(repr=False)
    path: str
    """Of the URL that it dialled."""
    address: str
    """Its "ip:port"."""
    suggested_peer_id: str
    """The same each time the same client comes back."""


@dataclass(frozen=True, slots=True)
class AuthRefresh:
    """A session shows a new token; answer with `Node.accept` or `Node.refuse`."""

    session: int
    token: bytes = field(repr=False)
    request: int


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """A single request of a session shows a token of its own; answer with `Node.accept` or `Node.refuse`,
    naming the request.
    """

    session: int
    token: bytes = field(repr=False)
    request: int
    what: str
    """What it asks, as "subscribe games/room1//c7"."""


@dataclass(frozen=True, slots=True)
class SessionUp:
    """A session was admitted."""

    session: int
    peer_id: str
    tenant: str
    address: str
    draft: int
    resumed: bool
    """Whether this peer id was here within the last minute."""


@dataclass(frozen=True, slots=True)
class SessionDown:
    """A session ended."""

    session: int
    reason: Reason
    code: int
    text: str
    peer_id: str


@dataclass(frozen=True, slots=True)
class Published:
    """The other side takes the publication."""

    publication: Publication


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """The other side does not take the publication."""

    publication: Publication
    reason: Reason
    text: str
    url: str = ""
    """With REDIRECTED: where to publish it; empty: at the same relay."""
    namespace: str = ""
    track: str = ""
    """With REDIRECTED: its names there; both empty: the same."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The number of subscribers that want the publication changed."""

    publication: Publication
    subscribers: int


@dataclass(frozen=True, slots=True)
class NewGroupWanted:
    """A subscriber asks for a new group soon: a video encoder makes a keyframe.

    Told of publications whose properties hold DYNAMIC_GROUPS (0x30) with the value 1.
    """

    publication: Publication


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The other side serves the feed."""

    feed: Feed


@dataclass(frozen=True, slots=True)
class SubscribeRefused:
    """The other side does not serve the feed."""

    feed: Feed
    reason: Reason
    text: str
    url: str = ""
    """With REDIRECTED: where to ask for it; empty: at the same relay."""
    namespace: str = ""
    track: str = ""
    """With REDIRECTED: its names there; both empty: the same."""


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A track matches the feed."""

    feed: Feed
    track: TrackInfo


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """A track of the feed is over."""

    feed: Feed
    track: TrackInfo
    reason: Reason
    """TRACK_ENDED: its publisher ended it; PUBLISHER_LOST: its session was lost; or why this feed has it no
    more.
    """


@dataclass(frozen=True, slots=True)
class TrackResumed:
    """A track goes on after the link was down; what lies between `last` and `first` did not arrive."""

    feed: Feed
    track: TrackInfo
    last: int
    """Group id before the gap."""
    first: int
    """Group id after it."""
    gap: float


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """The node's thread is gone: every further call says that it is closed."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something works, but worse than it could."""

    text: str


LinkEvent: TypeAlias = (
    Up | Down | LinkClosed | Goaway | Published | PublishRefused | Demand | NewGroupWanted
    | Subscribed | SubscribeRefused | TrackAdded | TrackEnded | TrackResumed
)  # fmt: skip
"""What `Link.events()` yields."""
FeedEvent: TypeAlias = Subscribed | SubscribeRefused | TrackAdded | TrackEnded | TrackResumed
"""What `Feed.events()` yields."""
Event: TypeAlias = (
    LinkEvent | Auth | AuthRefresh | AuthRequest | SessionUp | SessionDown | NodeFailed | Warned
)
"""What `Node.events()` yields: everything on that node."""

_E = TypeVar("_E")


class EventStream(Generic[_E]):
    """Events from now on, for one reader: `async for event in stream`, or `take()` in a plain loop.

    It ends after the object's last event, once the object is closed. Up to 1024 events wait; `missed` counts
    the older ones that had to go.
    """

    def __init__(self, home: list[EventStream[_E]]) -> None:
        self.missed = 0
        self._waiting: deque[_E] = deque()
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._home = home
        home.append(self)

    def take(self) -> list[_E]:
        """What waits now, oldest first."""
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def close(self) -> None:
        """Stop reading."""
        if self in self._home:
            self._home.remove(self)
        self._end()

    def __aiter__(self) -> EventStream[_E]:
        return self

    async def __anext__(self) -> _E:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._waiting.popleft()

    def _put(self, event: _E) -> None:
        if len(self._waiting) >= KEPT:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(event)
        self._wake()

    def _end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def put_all(streams: list[EventStream[_E]], event: _E) -> None:
    """Give an event to each reader."""
    for stream in streams:
        stream._put(event)


def end_all(streams: list[EventStream[_E]]) -> None:
    """Tell each reader that no more comes."""
    for stream in streams:
        stream._end()
    streams.clear()
