"""The supervisor: opens the node, the control stack and the admin server, reports each second, and drains."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from importlib import resources
from typing import Any

import transport
from transport import Drop, NodeOptions, NodeStats, Reason, RelayConfig, credentials

from . import metrics
from ._addresses import own_addresses
from ._keys import SourceKeys
from ._log import Log
from ._options import Options
from ._ports import option
from ._upstream import Uplinks
from .admin import AdminServer, Request, Response, json_body, page, text
from .auth import Hook, Verifier
from .control import ControlStack
from .hook import Admission, NoTokens, Open, attach
from .provider import NodeProvider, version
from .token import mint

TOKEN_LIFE = 12 * 3600.0
"""Of the token that is printed with development credentials, seconds: a working day."""
HISTORY = 120
"""Readings kept for the live page: two minutes."""
POLL_SECONDS = 0.05
"""How often a draining relay looks whether all have gone."""


class BadHook(Exception):
    """`--auth` names something that can't be used."""


class Relay:
    """One relay process."""

    def __init__(self, options: Options, log: Log) -> None:
        self._options = options
        self._log = log
        self._status = "starting"
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failure = ""
        self._verifier: Verifier | None = None
        self._up: Uplinks | None = None
        self._readings: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._started = time.monotonic()

    async def run(self) -> int:
        """Until a signal, the duration, or a failure; the exit code. Raises `transport.Error`, `BadHook`."""
        with _Signals(self._on_signal):
            return await self._run()

    async def _run(self) -> int:
        options = self._options
        certificate = self._certificate()
        hook = self._hook()
        role = RelayConfig(certificate.certificate, certificate.key)
        where = f"[{options.bind}]" if ":" in options.bind else options.bind
        key = credentials.state_key()
        state = NodeOptions(state_key=key, limits=options.limits, shards=options.shards)
        with option("--port", options.port, options.bind, 4443):
            node = transport.Node(role, f"{where}:{options.port}", state)
        async with node:
            node.on_event(self._on_event)
            admission = attach(node, hook)
            provider = NodeProvider(node, admission, lambda: self._status)
            control = ControlStack(
                options.bind,
                options.control_port,
                certificate.certificate,
                certificate.key,
                provider,
                options.control_limits,
            )
            admin = AdminServer(
                options.admin_bind, options.admin_port, self._routes(node, admission, control)
            )
            try:
                with option("--control-port", options.control_port, options.bind, 4433):
                    await control.start()
                with option("--admin-port", options.admin_port, options.admin_bind, 9464):
                    await admin.start()
                self._status = "ok"
                self._tell_start(node, control, admin, certificate)
                joining = asyncio.create_task(self._uplinks(node).run())
                try:
                    await self._work(node, admission)
                    await self._leave(node, control)
                finally:
                    joining.cancel()
                    await asyncio.gather(joining, return_exceptions=True)
            finally:
                admission.detach()
                await control.close()
                await admin.close()
        if self._failure:
            self._log.wrong(f"relay: {self._failure}")
            return 1
        self._log.say("stopped", f"stopped after {time.monotonic() - self._started:.0f} s")
        return 0

    # --- what it is made of ---

    def _hook(self) -> Hook:
        options = self._options
        tokens: Hook | None = None
        if options.auth is not None:
            tokens = load_hook(options.auth)
        elif options.jwks is not None or options.development:
            keys: Any = options.jwks or credentials.public_key(credentials.token_key())
            self._verifier = Verifier(keys, audience=options.audience, issuer=options.issuer)
            tokens = self._verifier
        if options.open_scope is not None:
            return Open(options.open_scope, tokens)
        return tokens or NoTokens()

    def _certificate(self) -> credentials.Certificate:
        options = self._options
        if options.cert is not None and options.key is not None:
            return credentials.load_certificate(options.cert, options.key)
        names = own_addresses(options.bind) if options.dev_lan else [options.bind]
        return credentials.development_certificate(names)

    def _tell_start(
        self,
        node: transport.Node,
        control: ControlStack,
        admin: AdminServer,
        certificate: credentials.Certificate,
    ) -> None:
        options, say = self._options, self._log.say
        # A checkout that was never installed has no version to tell.
        release = "" if version() == "unknown" else f"{version()} "
        host = options.bind
        if host in ("0.0.0.0", "::"):
            names = own_addresses(host) if options.development else certificate.names
            host = next((name for name in names if "*" not in name), "HOST")
        url = f"moqt://[{host}]:{node.port}" if ":" in host else f"moqt://{host}:{node.port}"
        say(
            "started",
            f"relay {release}on {node.address} | control stack {control.address} | "
            f"metrics and live page http://{admin.address}/",
            address=node.address,
            control=control.address,
            admin=admin.address,
        )
        token = ""
        if options.development and options.jwks is None and options.auth is None:
            token = mint(credentials.token_key(), ["*"], ["*"], TOKEN_LIFE)
        if options.open_scope is not None:
            scope = f"below {options.open_scope}" if options.open_scope else "everything"
            say("open", f"open: no token is needed for {scope}", scope=options.open_scope)
        if options.dev_lan:
            say(
                "warning",
                "development credentials on the network: anyone with the token below may do everything",
            )
        lines = {
            "CLUTCHCALL_URL": url,
            "CLUTCHCALL_TOKEN": token,
            "CLUTCHCALL_CERT_SHA256": certificate.sha256,
        }
        if not options.development:
            del lines["CLUTCHCALL_CERT_SHA256"]
        for name, value in lines.items():
            if value:
                say("join", f"{name}={value}", name=name, value=value)

    def _uplinks(self, node: transport.Node) -> Uplinks:
        self._up = Uplinks(node, self._options.upstreams, self._log)
        return self._up

    # --- while it runs ---

    async def _work(self, node: transport.Node, admission: Admission) -> None:
        loop = asyncio.get_running_loop()
        end = None if self._options.duration is None else loop.time() + self._options.duration
        before, at = node.stats(), loop.time()
        while not self._stop.is_set():
            at += 1.0
            until = at if end is None else min(at, end)
            try:
                async with asyncio.timeout_at(until):
                    await self._stop.wait()
                return
            except TimeoutError:
                pass
            if end is not None and loop.time() >= end:
                return
            now = node.stats()
            self._report(before, now, admission)
            before = now

    def _report(self, before: NodeStats, now: NodeStats, admission: Admission) -> None:
        incoming = now.objects_in - before.objects_in
        outgoing = now.objects_out - before.objects_out
        cpu = now.cpu - before.cpu
        dropped = {
            drop.name.lower(): now.drops[drop] - before.drops[drop]
            for drop in Drop
            if now.drops[drop] > before.drops[drop]
        }
        reading = {
            "time": round(time.time(), 3),
            "sessions": now.sessions,
            "objects_in": incoming,
            "objects_out": outgoing,
            "drops": dropped,
            "refused": sum(admission.refusals.values()),
            "cpu": round(cpu, 4),
            "us_per_object": round(cpu * 1e6 / outgoing, 2) if outgoing else 0.0,
        }
        self._readings.append(reading)
        words = ", ".join(f"{name} {count}" for name, count in dropped.items()) or "none"
        cost = f"{reading['us_per_object']:.1f} us/object" if outgoing else "idle"
        line = (
            f"{time.strftime('%H:%M:%S')} {now.sessions} sessions | in {incoming}/s out {outgoing}/s | "
            f"drops {words} | refused {reading['refused']} | {cost}"
        )
        self._log.say("status", line, **{name: value for name, value in reading.items() if name != "time"})

    async def _leave(self, node: transport.Node, control: ControlStack) -> None:
        """Not ready, GOAWAY, wait for the sessions to go."""
        if self._failure:
            self._status = "failed"
            return
        self._status = "draining"
        count = node.stats().sessions
        self._log.say(
            "draining", f"draining: {count} sessions have {self._options.drain:g} s to go", sessions=count
        )
        node.goaway(self._options.drain_to, self._options.drain)
        end = time.monotonic() + self._options.drain
        while node.stats().sessions and time.monotonic() < end and not self._hurry.is_set():
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._hurry.wait()
            except TimeoutError:
                continue
        await control.close()

    def _on_signal(self) -> None:
        """The first asks it to drain, the second to make haste."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    def _on_event(self, event: transport.Event) -> None:
        if isinstance(event, transport.NodeFailed):
            self._failure = f"the native core failed: {event.text}: start the relay again"
            self._stop.set()
        elif isinstance(event, transport.Warned):
            self._log.say("warning", event.text)

    # --- the admin server's pages ---

    def _routes(
        self, node: transport.Node, admission: Admission, control: ControlStack
    ) -> dict[str, Callable[[Request], Response]]:
        html = resources.files(__package__ or "relay").joinpath("_page.html").read_text("utf-8")
        return {
            "/": lambda _: page(html),
            "/live.json": lambda _: json_body({"status": self._status, "readings": list(self._readings)}),
            "/metrics": lambda _: Response(
                200, metrics.render(self._samples(node, admission, control)).encode(), metrics.CONTENT_TYPE
            ),
            "/healthz": lambda _: text("failed", 503) if self._failure else text("ok"),
            "/readyz": lambda _: text(self._status, 200 if self._status == "ok" else 503),
        }

    def _samples(
        self, node: transport.Node, admission: Admission, control: ControlStack
    ) -> list[metrics.Sample]:
        sample = metrics.Sample
        found = metrics.from_node(node) + metrics.from_control(control.met())
        ready = float(self._status == "ok")
        uptime = time.monotonic() - self._started
        found += [
            sample("clutchcall_ready", ready, "gauge", "Whether it takes new sessions."),
            sample("clutchcall_uptime_seconds", uptime, "gauge", "Time since the start, seconds."),
            sample(
                "clutchcall_upstreams_up",
                float(len(self._up.up) if self._up else 0),
                "gauge",
                "Relays joined by --upstream that are up now.",
            ),
            sample(
                "clutchcall_auth_requests_total",
                admission.requests,
                "counter",
                "Single requests let through by tokens of their own.",
            ),
            sample(
                "clutchcall_auth_waiting",
                admission.waiting,
                "gauge",
                "Verdicts of the auth hook awaited now.",
            ),
            sample(
                "clutchcall_auth_renewals_total", admission.renewals, "counter", "Tokens refreshed in place."
            ),
        ]
        shown = {Reason.UNAUTHORIZED, Reason.MALFORMED_TOKEN, Reason.EXPIRED_TOKEN, *admission.refusals}
        for reason in sorted(shown):
            labels = {"reason": reason.name.lower()}
            count = admission.refusals[reason]
            words = "Sessions and refreshes refused by the auth hook, by reason."
            found.append(sample("clutchcall_auth_refusals_total", count, "counter", words, labels))
        if self._verifier is not None:
            for result, count in (("kept", self._verifier.hits), ("checked", self._verifier.checks)):
                words = "Tokens that held, by whether the signature had to be checked."
                labels = {"verdict": result}
                found.append(sample("clutchcall_auth_verdicts_total", count, "counter", words, labels))
            if isinstance(keys := self._verifier.keys, SourceKeys):
                words = "Reads of the token keys' source that failed."
                found.append(sample("clutchcall_auth_key_failures_total", keys.failures, "counter", words))
        return found


class _Signals:
    """SIGINT and SIGTERM call `asked` in the loop."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Windows' loop has no handlers of its own; the plain one works everywhere.
            asked = lambda *_: loop.call_soon_threadsafe(self._asked)  # noqa: E731 # the signature is signal's
            self._before[number] = signal.signal(number, asked)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def load_hook(spec: str) -> Hook:
    """The callable that MODULE:CALLABLE names. `BadHook` says in one line what is wrong."""
    module, colon, name = spec.partition(":")
    if not colon or not module or not name:
        raise BadHook(f"--auth {spec}: pass MODULE:CALLABLE")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module)
    except Exception as wrong:
        frames = traceback.extract_tb(wrong.__traceback__)
        place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        what = f"{type(wrong).__name__}: {wrong}".replace("\n", " ")
        raise BadHook(f"--auth {spec}: importing {module} failed{place}: {what}") from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadHook(f"--auth {spec}: {module} has no {name}: check the name")
        found = getattr(found, part)
    if isinstance(found, type):
        raise BadHook(f"--auth {spec}: {name} is a class: name a function, or an object made of it")
    if not callable(found):
        raise BadHook(f"--auth {spec}: {name} can't be called: name a function")
    hook: Hook = found
    return hook
