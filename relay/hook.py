"""Answers a node's admission questions with a hook's verdicts, and keeps the table of the node's sessions.

    admission = attach(node, Verifier("keys.json"))

A session waits in the core, unread, until it is answered; a refresh of its token is answered the same way and
must name the same subject, tenant and peer. A single request that shows a token of its own waits alone.
Everything runs in the node's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import transport
from transport import Auth, AuthRefresh, AuthRequest, Event, Reason, SessionDown, SessionUp, Stamp

from .auth import Answer, AuthError, Hook, Verdict

MAX_WAITING = 4096
"""Verdicts awaited at once; a session beyond that is refused as EXCESSIVE_LOAD."""
ADMITTED_SECONDS = 60.0
"""An admitted session that is not up by then left before it was."""
_NOBODY = ".control."
"""Suggested where no session is known: a hook hands it back if the token names no peer."""
_GONE = (transport.BadHandle, transport.Closed)
"""What the core says of a session that has just ended."""
_log = logging.getLogger("relay.hook")


@dataclass(slots=True)
class Session:
    """A session that is up."""

    handle: int
    """As in `transport.Node.close_session`."""
    stamp: Stamp
    claims: Mapping[str, Any] = field(repr=False)
    """Its token's; empty where a hook gave none."""
    path: str
    """Of the URL that it dialled."""
    address: str
    draft: int
    resumed: bool
    """Whether its peer id was here within the last minute."""
    since: float
    """When it came up, on `time.monotonic`."""
    expires: float | None
    """When its token ends, on `time.monotonic`; none: never."""

    @property
    def peer_id(self) -> str:
        """Its peer id."""
        return self.stamp.peer_id


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, beside the token."""

    handle: int
    """The session's."""
    path: str
    """Of the URL that it dialled."""
    address: str
    """Its "ip:port"."""
    suggested_peer: str
    """The peer id that it gets if its token names none."""
    renewal: bool
    """Whether the session is up already and shows a new token."""
    number: int = 0
    """Of the single request that shows a token of its own; 0: the token is the session's."""
    what: str = ""
    """What that request asks, as "subscribe games/room1//c7"."""


class Admit(Protocol):
    """An application's own rules, after the token was found good."""

    def __call__(self, request: Request, verdict: Verdict, /) -> Stamp:
        """The stamp to use, as given or narrowed; or raise `AuthError`, for example with REFUSED."""
        ...


_Done: TypeAlias = Callable[[Verdict], None]


class Open:
    """The hook of `--open`: who shows no token may do all below a prefix; tokens go to another hook."""

    def __init__(self, prefix: str = "", tokens: Hook | None = None) -> None:
        self.prefix = prefix
        self._tokens = tokens

    def __call__(self, token: bytes, path: str, suggested_peer: str) -> Answer | Awaitable[Answer]:
        """As in `Hook`."""
        if token and self._tokens is not None:
            return self._tokens(token, path, suggested_peer)
        grants = (self.prefix or "*",)
        return Stamp(suggested_peer, publish=grants, subscribe=grants)


class NoTokens:
    """The hook for tokens where no keys are known: it refuses."""

    def __call__(self, token: bytes, path: str, suggested_peer: str) -> Answer:
        """As in `Hook`."""
        raise AuthError(Reason.UNAUTHORIZED, "tokens are not checked here: start it with --jwks FILE or URL")


class Admission:
    """Made by `attach`."""

    def __init__(self, node: transport.Node, hook: Hook, admit: Admit | None) -> None:
        self.sessions: dict[int, Session] = {}
        """Sessions that are up, by handle."""
        self.peers: dict[str, Session] = {}
        """The same by peer id."""
        self.refusals: Counter[Reason] = Counter()
        """Refused sessions, refreshes and single requests, by reason."""
        self.renewals = 0
        """Tokens refreshed in place."""
        self.requests = 0
        """Single requests that were let through by tokens of their own."""
        self._node = node
        self._hook = hook
        self._admit = admit
        self._admitted: dict[int, tuple[float, Request, Verdict]] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._asked: list[tuple[Request, bytes]] = []
        self._detached = False
        self._detach = node.on_event(self._on_event)

    @property
    def hook(self) -> Hook:
        """What decides."""
        return self._hook

    @property
    def waiting(self) -> int:
        """Verdicts awaited now."""
        return len(self._tasks)

    def detach(self) -> None:
        """Answer no more; what is under way is dropped."""
        self._detach()
        self._detached = True
        for task in self._tasks:
            task.cancel()

    def kick(self, peer_id: str, text: str = "") -> Session:
        """End a peer's session with KICKED. `KeyError` if it has none."""
        session = self.peers[peer_id]
        with contextlib.suppress(*_GONE):
            self._node.close_session(session.handle, Reason.KICKED, text)
        return session

    async def renew(self, token: bytes) -> Session:
        """Replace the token of the session that the new token is for, as the control stack asks.

        The new token names its session: by its peer id, else by its subject and tenant. `AuthError` if the
        token does not hold or names another subject or tenant, `KeyError` if there is no such session,
        `LookupError` if there are several.
        """
        verdict = await judge(self._hook, token, "/", _NOBODY)
        session = self._meant(verdict)
        request = Request(session.handle, session.path, session.address, session.peer_id, True)
        verdict = await judge(self._hook, token, session.path, session.peer_id)
        self._finish(request, verdict)
        return session

    def _meant(self, verdict: Verdict) -> Session:
        named = verdict.stamp.peer_id
        if named != _NOBODY:
            return self.peers[named]
        stamp = verdict.stamp
        same = [
            session
            for session in self.sessions.values()
            if stamp.subject
            and (session.stamp.subject, session.stamp.tenant) == (stamp.subject, stamp.tenant)
        ]
        if len(same) > 1:
            raise LookupError(f"{len(same)} sessions have that subject")
        if not same:
            raise KeyError(stamp.subject)
        return same[0]

    # --- events ---

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Auth):
            request = Request(event.session, event.path, event.address, event.suggested_peer_id, False)
            self._decide(request, event.token)
        elif isinstance(event, AuthRefresh):
            session = self.sessions.get(event.session)
            if session is not None:
                request = Request(event.session, session.path, session.address, session.peer_id, True)
                self._decide(request, event.token)
        elif isinstance(event, AuthRequest):
            session = self.sessions.get(event.session)
            if session is not None:
                single = (event.request, event.what)
                request = Request(
                    event.session, session.path, session.address, session.peer_id, False, *single
                )
                self._decide(request, event.token)
        elif isinstance(event, SessionUp):
            self._up(event)
        elif isinstance(event, SessionDown):
            self._down(event)

    def _up(self, event: SessionUp) -> None:
        _, request, verdict = self._admitted.pop(event.session, (0.0, None, None))
        now = time.monotonic()
        # A node that is open by its own configuration asks nobody.
        stamp = verdict.stamp if verdict else Stamp(event.peer_id, tenant=event.tenant)
        session = Session(
            handle=event.session,
            stamp=stamp,
            claims=verdict.claims if verdict else {},
            path=request.path if request else "/",
            address=event.address,
            draft=event.draft,
            resumed=event.resumed,
            since=now,
            expires=None if stamp.expires is None else now + stamp.expires,
        )
        self.sessions[event.session] = session
        self.peers[session.peer_id] = session

    def _down(self, event: SessionDown) -> None:
        session = self.sessions.pop(event.session, None)
        if session is not None and self.peers.get(session.peer_id) is session:
            del self.peers[session.peer_id]

    def _decide(self, request: Request, token: bytes) -> None:
        if not self._asked:
            self._node.after_events(self._answer)
        self._asked.append((request, token))

    def _answer(self) -> None:
        """Decides on all that asked together. The node is told then, so that its thread is roused once."""
        asked, self._asked = self._asked, []
        if self._detached:
            return
        for request, verdict in [(request, self._judge(request, token)) for request, token in asked]:
            if verdict is not None:
                try:
                    self._finish(request, verdict)
                except Exception as wrong:
                    self._refuse(request, wrong)

    def _judge(self, request: Request, token: bytes) -> Verdict | None:
        """None: it is refused, or the hook's answer is awaited."""
        try:
            answer = self._hook(token, request.path, request.suggested_peer)
            if not inspect.isawaitable(answer):
                return _verdict(answer)
        except Exception as wrong:
            self._refuse(request, wrong)
            return None
        if len(self._tasks) >= MAX_WAITING:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
            text = "too many sessions wait to be admitted: try again"
            self._refuse(request, AuthError(Reason.EXCESSIVE_LOAD, text))
            return None
        task = asyncio.ensure_future(self._await(request, answer))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return None

    async def _await(self, request: Request, answer: Awaitable[Answer]) -> None:
        try:
            self._finish(request, _verdict(await answer))
        except Exception as wrong:
            self._refuse(request, wrong)

    def _finish(self, request: Request, verdict: Verdict) -> None:
        """Let it in; raises what speaks against it."""
        session = self.sessions.get(request.handle)
        if request.renewal:
            if session is None:
                raise KeyError(request.suggested_peer)
            _check_same(session.stamp, verdict.stamp)
        if self._admit is not None:
            verdict = replace(verdict, stamp=self._admit(request, verdict))
        try:
            self._node.accept(request.handle, verdict.stamp, request.number)
        except _GONE:
            return
        except transport.BadArgument as wrong:
            _log.info("stamp of %s: %s", verdict.stamp.peer_id, wrong)
            raise AuthError(Reason.MALFORMED_TOKEN, "the token's grants can't be read") from None
        if request.number:
            self.requests += 1
            return
        now = time.monotonic()
        if request.renewal and session is not None:
            session.stamp = verdict.stamp
            session.claims = verdict.claims
            session.expires = None if verdict.stamp.expires is None else now + verdict.stamp.expires
            self.renewals += 1
        else:
            self._sweep(now)
            self._admitted[request.handle] = (now, request, verdict)

    def _sweep(self, now: float) -> None:
        """No event tells of sessions that left before they were up."""
        while self._admitted:
            oldest = next(iter(self._admitted))
            if now - self._admitted[oldest][0] < ADMITTED_SECONDS:
                return
            del self._admitted[oldest]

    def _refuse(self, request: Request, wrong: Exception) -> None:
        if isinstance(wrong, AuthError):
            reason, text = wrong.reason, wrong.text
        elif request.renewal and isinstance(wrong, KeyError) and request.handle not in self.sessions:
            return  # it left meanwhile
        else:
            reason, text = Reason.INTERNAL, "the token could not be checked: try again later"
            _log.error(
                "auth hook failed for %s: %s: %s", request.address, type(wrong).__name__, wrong,
                exc_info=wrong if _log.isEnabledFor(logging.DEBUG) else None,
            )  # fmt: skip
        self.refusals[reason] += 1
        with contextlib.suppress(*_GONE):
            self._node.refuse(request.handle, reason, text, request.number)


def attach(node: transport.Node, verifier: Hook, *, admit: Admit | None = None) -> Admission:
    """Let `verifier` decide on the node's sessions from now on; `admit` may narrow or refuse what it lets in.

    A hook that awaits needs the node to run in an event loop.
    """
    return Admission(node, verifier, admit)


async def judge(hook: Hook, token: bytes, path: str, suggested_peer: str) -> Verdict:
    """What a hook says of a token, outside of a session."""
    answer = hook(token, path, suggested_peer)
    return _verdict(await answer if inspect.isawaitable(answer) else answer)


def _verdict(answer: object) -> Verdict:
    if isinstance(answer, Verdict):
        return answer
    if isinstance(answer, Stamp):
        return Verdict(answer, {})
    raise TypeError(f"the auth hook returned {type(answer).__name__}: return a transport.Stamp")


def _check_same(old: Stamp, new: Stamp) -> None:
    for what in ("subject", "tenant", "peer_id"):
        if getattr(old, what) != getattr(new, what):
            words = what.replace("_", " ")
            raise AuthError(Reason.UNAUTHORIZED, f"the new token names another {words}: connect anew with it")
