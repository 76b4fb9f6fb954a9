"""Tokens: what holds, and the reason of each that does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from relay.auth import MAX_TOKEN, AuthError, Secret, Verdict, Verifier
from relay.token import jwks, mint, new_key
from transport import BadKey, Reason, Stamp, credentials

from .conftest import KEY, PATIENCE, PUBLIC, Clock, JwksServer

GOOD: dict[str, Any] = {
    "aud": "clutchcall",
    "cc": {"publish": ["games/room1/up/{peer}"], "subscribe": ["*"]},
    "peer": "c7",
}


def signed(clock: Clock, change: dict[str, Any], key: bytes = KEY, **header: Any) -> bytes:
    claims = {**GOOD, "exp": clock.now + 60, **change}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, "ES256", headers=header or None).encode()


def private_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem


def reason(verifier: Verifier, token: bytes) -> Reason:
    with pytest.raises(AuthError) as wrong:
        verifier.verify(token, "/", "p1")
    assert wrong.value.text
    assert "\n" not in wrong.value.text
    return wrong.value.reason


def test_a_good_token_becomes_a_stamp() -> None:
    clock = Clock()
    change = {
        "tenant": "blue",
        "sub": "ann",
        "nbf": clock.now,
        "cc": {**GOOD["cc"], "capabilities": ["netcode.v1"]},
    }
    stamp = Verifier(PUBLIC, clock=clock).verify(signed(clock, change), "/main", "p1")
    assert stamp == Stamp(
        peer_id="c7",
        publish=("games/room1/up/c7",),
        subscribe=("*",),
        capabilities=("netcode.v1",),
        tenant="blue",
        subject="ann",
        expires=70.0,
    )


def test_who_has_no_peer_claim_is_known_by_the_suggested_id() -> None:
    clock = Clock()
    stamp = Verifier(PUBLIC, clock=clock).verify(signed(clock, {"peer": None}), "/", "p1")
    assert (stamp.peer_id, stamp.publish) == ("p1", ("games/room1/up/p1",))


def test_a_token_without_grants_allows_nothing() -> None:
    clock = Clock()
    stamp = Verifier(PUBLIC, clock=clock).verify(signed(clock, {"cc": None}), "/", "p1")
    assert (stamp.publish, stamp.subscribe) == ((), ())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"exp": None}, Reason.MALFORMED_TOKEN),
        ({"exp": "soon"}, Reason.MALFORMED_TOKEN),
        ({"exp": True}, Reason.MALFORMED_TOKEN),
        ({"exp": 1e300}, Reason.MALFORMED_TOKEN),
        ({"exp": 1_800_000_000 - 11}, Reason.EXPIRED_TOKEN),
        ({"nbf": 1_800_000_000 + 11}, Reason.UNAUTHORIZED),
        ({"nbf": "later"}, Reason.MALFORMED_TOKEN),
        ({"aud": None}, Reason.MALFORMED_TOKEN),
        ({"aud": "other"}, Reason.UNAUTHORIZED),
        ({"aud": 7}, Reason.UNAUTHORIZED),
        ({"peer": ""}, Reason.MALFORMED_TOKEN),
        ({"peer": "a/b"}, Reason.MALFORMED_TOKEN),
        ({"peer": "x" * 65}, Reason.MALFORMED_TOKEN),
        ({"peer": "c7\n"}, Reason.MALFORMED_TOKEN),
        ({"peer": 7}, Reason.MALFORMED_TOKEN),
        ({"tenant": ["blue"]}, Reason.MALFORMED_TOKEN),
        ({"tenant": "x" * 257}, Reason.MALFORMED_TOKEN),
        ({"sub": "a\nb"}, Reason.MALFORMED_TOKEN),
        ({"sub": 5}, Reason.MALFORMED_TOKEN),
        ({"cc": ["games"]}, Reason.MALFORMED_TOKEN),
        ({"cc": {"publish": "games"}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"publish": [7]}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"publish": [""]}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"publish": ["/"]}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"publish": ["games//up"]}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"publish": ["games\n*"]}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"subscribe": [" *"]}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"subscribe": ["g"] * 65}}, Reason.MALFORMED_TOKEN),
        ({"cc": {"capabilities": ["a\nb"]}}, Reason.MALFORMED_TOKEN),
    ],
    ids=str,
)
def test_each_wrong_claim_has_its_reason(change: dict[str, Any], expected: Reason) -> None:
    clock = Clock()
    verifier = Verifier(PUBLIC, clock=clock)
    assert reason(verifier, signed(clock, change)) == expected
    # Nothing of it is kept: the next good token is judged by itself.
    assert verifier.verify(signed(clock, {}), "/", "p1").peer_id == "c7"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"", Reason.UNAUTHORIZED),
        (b"x", Reason.MALFORMED_TOKEN),
        (b"a.b.c", Reason.MALFORMED_TOKEN),
        (b"\xff\x00.\xfe.", Reason.MALFORMED_TOKEN),
        (b"x" * (MAX_TOKEN + 1), Reason.MALFORMED_TOKEN),
        (b"[" * MAX_TOKEN, Reason.MALFORMED_TOKEN),
    ],
    ids=["none", "word", "dots", "bytes", "long", "deep"],
)
def test_what_is_no_token(token: bytes, expected: Reason) -> None:
    assert reason(Verifier(PUBLIC), token) == expected


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_header_that_nests_too_deep_is_malformed() -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 2900).rstrip(b"=")
    assert reason(Verifier(PUBLIC), deep + b".e30.x") == Reason.MALFORMED_TOKEN


def test_a_part_of_a_token_has_one_text_and_may_be_padded() -> None:
    clock = Clock()
    verifier = Verifier(PUBLIC, clock=clock)
    head, body, tail = signed(clock, {}).split(b".")
    assert len(tail) == 86  # 64 bytes: the last character has four bits that say nothing
    for bad in (tail[:-1] + b"_", tail[:43] + b"+" + tail[44:], tail[:43] + b"\n" + tail[43:], tail + b"="):
        assert reason(verifier, b".".join((head, body, bad))) == Reason.MALFORMED_TOKEN
    assert reason(verifier, b".".join((head + b"\n", body, tail))) == Reason.MALFORMED_TOKEN
    assert verifier.verify(b".".join((head, body, tail + b"==")), "/", "p1").peer_id == "c7"


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": True}, {"b64": False}], ids=str
)
def test_a_header_that_asks_for_more_than_is_known_is_refused(header: dict[str, Any]) -> None:
    clock = Clock()
    verifier = Verifier(PUBLIC, clock=clock)
    head, body = part({"alg": "ES256", **header}), part({**GOOD, "exp": clock.now + 60})
    key = serialization.load_pem_private_key(KEY, None)
    algorithm = jwt.get_algorithm_by_name("ES256")
    tail = algorithm.sign(f"{head}.{body}".encode(), key)
    token = f"{head}.{body}.".encode() + base64.urlsafe_b64encode(tail).rstrip(b"=")
    assert reason(verifier, token) == Reason.MALFORMED_TOKEN


def test_an_unsigned_token_never_holds() -> None:
    clock = Clock()
    claims = part({**GOOD, "exp": clock.now + 60})
    for algorithm in ("none", "None", "NONE", ""):
        token = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}.".encode()
        assert reason(Verifier(PUBLIC, clock=clock), token) == Reason.UNAUTHORIZED


def test_a_public_key_is_no_secret() -> None:
    """A token signed with HS256, the public key's text for a secret."""
    clock = Clock()
    claims = {**GOOD, "exp": clock.now + 60}
    signing = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac.new(PUBLIC, signing.encode(), hashlib.sha256).digest()).rstrip(b"=")
    token = signing.encode() + b"." + mac
    assert reason(Verifier(PUBLIC, clock=clock), token) == Reason.UNAUTHORIZED
    both = Verifier(PUBLIC, clock=clock, algorithms=("ES256", "HS256"))
    assert reason(both, token) == Reason.UNAUTHORIZED


def test_a_secret_takes_hs256_and_nothing_else() -> None:
    clock = Clock()
    secret = Secret(b"s" * 32)
    verifier = Verifier(secret, clock=clock)
    token = mint(secret, ["*"], peer="c7", now=clock.now).encode()
    assert verifier.verify(token, "/", "p1").peer_id == "c7"
    assert reason(verifier, signed(clock, {})) == Reason.UNAUTHORIZED
    assert reason(Verifier(Secret(b"t" * 32), clock=clock), token) == Reason.UNAUTHORIZED
    with pytest.raises(BadKey, match="32"):
        Secret(b"short")
    assert "ssss" not in repr(secret)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
@pytest.mark.parametrize("form", ["pem", "jwks"])
def test_each_algorithm_from_pem_and_jwks(key: Any, form: str) -> None:
    pem = private_pem(key)
    token = mint(pem, ["games"], peer="c7").encode()
    keys: Any = credentials.public_key(pem) if form == "pem" else jwks(pem)
    assert Verifier(keys).verify(token, "/", "p1").peer_id == "c7"
    assert reason(Verifier(PUBLIC), token) == Reason.UNAUTHORIZED
    # The file may hold others beside it.
    mixed: Any = PUBLIC + keys if form == "pem" else {"keys": [*jwks(KEY)["keys"], *keys["keys"]]}
    assert Verifier(mixed).verify(token, "/", "p1").peer_id == "c7"


def test_an_algorithm_can_be_ruled_out() -> None:
    token = mint(KEY, ["*"]).encode()
    assert reason(Verifier(PUBLIC, algorithms=("EdDSA",)), token) == Reason.UNAUTHORIZED
    with pytest.raises(ValueError, match="none"):
        Verifier(PUBLIC, algorithms=("none",))


def test_a_signature_by_another_key() -> None:
    assert reason(Verifier(PUBLIC), mint(new_key(), ["*"]).encode()) == Reason.UNAUTHORIZED
    token = mint(KEY, ["*"]).encode()
    head, claims, signature = token.split(b".")
    other = part({"aud": "clutchcall", "exp": 9e9, "cc": {"publish": ["*"]}}).encode()
    assert reason(Verifier(PUBLIC), b".".join((head, other, signature))) == Reason.UNAUTHORIZED
    assert reason(Verifier(PUBLIC), b".".join((head, claims, b""))) == Reason.UNAUTHORIZED


def test_the_issuer_counts_where_one_is_named() -> None:
    token = mint(KEY, ["*"], issuer="accounts").encode()
    assert Verifier(PUBLIC, issuer="accounts").verify(token, "/", "p1").publish == ("*",)
    assert Verifier(PUBLIC).verify(token, "/", "p1").publish == ("*",)
    assert reason(Verifier(PUBLIC, issuer="others"), token) == Reason.UNAUTHORIZED
    assert reason(Verifier(PUBLIC, issuer="accounts"), mint(KEY, ["*"]).encode()) == Reason.UNAUTHORIZED


def test_clocks_may_differ_by_the_leeway() -> None:
    clock = Clock()
    verifier = Verifier(PUBLIC, clock=clock)
    token = signed(clock, {"nbf": clock.now + 9, "exp": clock.now + 20})
    assert verifier.verify(token, "/", "p1").expires == 30.0
    clock.now += 29.5
    assert verifier.verify(token, "/", "p1").expires == pytest.approx(0.5)
    clock.now += 0.5
    assert reason(verifier, token) == Reason.EXPIRED_TOKEN


def test_a_verdict_is_kept_by_the_token_until_it_expires() -> None:
    clock = Clock()
    verifier = Verifier(PUBLIC, clock=clock)
    token = signed(clock, {"peer": None})
    first = verifier.verify(token, "/", "p1")
    again = verifier.verify(token, "/", "p2")
    assert (verifier.checks, verifier.hits) == (1, 1)
    # What depends on the session is not kept.
    assert (first.peer_id, again.peer_id) == ("p1", "p2")
    clock.now += 80
    assert reason(verifier, token) == Reason.EXPIRED_TOKEN
    assert reason(verifier, token) == Reason.EXPIRED_TOKEN
    assert verifier.checks == 2


def test_kept_verdicts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.auth.KEPT_VERDICTS", 2)
    clock = Clock()
    verifier = Verifier(PUBLIC, clock=clock)
    one, two, three = (signed(clock, {"peer": name}) for name in ("a", "b", "c"))
    for token in (one, two, one, three, one):
        verifier.verify(token, "/", "p1")
    assert (verifier.checks, verifier.hits) == (3, 2)
    verifier.verify(two, "/", "p1")  # it was the least recently used
    assert verifier.checks == 4


# --- keys from a URL ---


def test_keys_rotate(jwks_server: JwksServer) -> None:
    ticks = Clock(0.0)
    old, new = new_key(), new_key()
    jwks_server.show(jwks(old))
    verifier = Verifier(_source(jwks_server, ticks))
    assert verifier.verify(mint(old, ["*"]).encode(), "/", "p1").publish == ("*",)
    # A key that is not there makes it ask again, but not within 10 s.
    assert reason(verifier, mint(new, ["*"]).encode()) == Reason.UNAUTHORIZED
    assert jwks_server.asked == 1
    jwks_server.show(jwks(new))
    ticks.now += 10.0
    assert verifier.verify(mint(new, ["*"]).encode(), "/", "p1").publish == ("*",)
    assert jwks_server.asked == 2
    # The old key is gone, and verdicts by it with it.
    assert reason(verifier, mint(old, ["*"]).encode()) == Reason.UNAUTHORIZED


def test_a_revoked_key_ends_kept_verdicts(jwks_server: JwksServer) -> None:
    ticks = Clock(0.0)
    old, new = new_key(), new_key()
    jwks_server.show(jwks(old))
    verifier = Verifier(_source(jwks_server, ticks))
    token = mint(old, ["*"]).encode()
    verifier.verify(token, "/", "p1")
    jwks_server.show(jwks(new))
    ticks.now += 599.0
    verifier.verify(token, "/", "p1")
    assert jwks_server.asked == 1
    ticks.now += 1.0
    assert reason(verifier, token) == Reason.UNAUTHORIZED
    assert jwks_server.asked == 2


def test_a_url_that_fails_keeps_the_keys_and_says_so_once(
    jwks_server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = Clock(0.0)
    key = new_key()
    jwks_server.show(jwks(key))
    source = _source(jwks_server, ticks)
    verifier = Verifier(source)
    jwks_server.status = 500
    for _ in range(3):
        ticks.now += 601.0
        assert verifier.verify(mint(key, ["*"]).encode(), "/", "p1").publish == ("*",)
    assert (jwks_server.asked, source.failures) == (4, 3)
    assert [record.message for record in caplog.records if "500" in record.message] == [
        f"keys from {jwks_server.url}: HTTP status 500: check the URL; the keys of before stay in use"
    ]


@pytest.mark.parametrize(
    ("status", "document", "words"),
    [
        (404, b"", "404"),
        (200, b"<html>", "neither PEM nor JSON"),
        (200, b"{}", "JWKS"),
        (200, b'{"keys":[]}', "no key in it"),
        (200, b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', "no key in it"),
        (200, b'{"keys":' + b"[" * 5000 + b"]" * 5000 + b"}", "neither PEM nor JSON|no key in it|JWKS"),
        (200, b" " * ((1 << 20) + 1), "bytes"),
    ],
    ids=["404", "html", "empty", "none", "secret", "deep", "long"],
)
def test_a_url_that_never_worked_is_an_error(
    jwks_server: JwksServer, status: int, document: bytes, words: str
) -> None:
    jwks_server.status, jwks_server.document = status, document
    with pytest.raises(BadKey, match=words):
        Verifier(jwks_server.url)


def test_a_redirect_is_not_followed(jwks_server: JwksServer) -> None:
    jwks_server.status = 302
    jwks_server.headers = {"Location": "http://127.0.0.1:1/elsewhere"}
    with pytest.raises(BadKey, match=r"redirects to http://127.0.0.1:1/elsewhere"):
        Verifier(jwks_server.url)


async def test_many_sessions_wait_for_one_fetch(
    jwks_server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Clock(0.0)
    old, new = new_key(), new_key()
    jwks_server.show(jwks(old))
    source = _source(jwks_server, ticks)
    verifier = Verifier(source)
    jwks_server.show(jwks(old), jwks(new))
    ticks.now += 10.0
    begun, gate, refresh = asyncio.Event(), threading.Event(), source.refresh
    loop = asyncio.get_running_loop()

    def slow() -> None:
        loop.call_soon_threadsafe(begun.set)
        assert gate.wait(PATIENCE)
        refresh()

    monkeypatch.setattr(source, "refresh", slow)
    token = mint(new, ["*"]).encode()
    first = verifier(token, "/", "p0")
    await begun.wait()
    answers = [first, *(verifier(token, "/", f"p{number}") for number in range(1, 50))]
    assert not any(isinstance(answer, Verdict) for answer in answers)
    # Who was signed by a key that is known does not wait.
    assert isinstance(verifier(mint(old, ["*"]).encode(), "/", "p1"), Verdict)
    gate.set()
    verdicts = await asyncio.gather(*answers)  # type: ignore[arg-type] # all are awaitable, as just seen
    assert {verdict.stamp.peer_id for verdict in verdicts} == {f"p{number}" for number in range(50)}
    assert jwks_server.asked == 2
    assert isinstance(verifier(token, "/", "p1"), Verdict)


def _source(server: JwksServer, ticks: Clock) -> Any:
    from relay._keys import SourceKeys

    return SourceKeys(server.url, clock=ticks)
