"""Values that an application hands over: checked where they are made, with a word about what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import transport
from transport import _url, _values

HASH = "ab" * 32


@pytest.mark.parametrize(
    "make",
    [
        lambda: transport.Frame("a", "b", priority=256),
        lambda: transport.Frame("a", "b", priority=-1),
        lambda: transport.Frame("a", "b", ttl=-0.1),
        lambda: transport.Frame("a", "b", ttl=float("nan")),
        lambda: transport.Frame("a", "b", queue_bytes=-1),
        lambda: transport.Text("a", "b", window=-1),
        lambda: transport.Pinned("abc"),
        lambda: transport.Pinned("zz" * 32),
        lambda: transport.Stamp("c7", publish="games"),  # type: ignore[arg-type]
        lambda: transport.Stamp("c7", subscribe=("a\nb",)),
        lambda: transport.Stamp("c7", expires=0),
        lambda: transport.LinkOptions(resume_secret=b"short"),
        lambda: transport.LinkOptions(alpns="moqt-18"),  # type: ignore[arg-type]
        lambda: transport.LinkOptions(connect_timeout=-1),
        lambda: transport.NodeOptions(state_key=b"short"),
        lambda: transport.Batch(0),
    ],
)
def test_a_value_that_cannot_be_is_refused_where_it_is_made(make: Callable[[], object]) -> None:
    with pytest.raises(transport.BadArgument) as refused:
        make()
    assert "\n" not in str(refused.value)
    assert "pass" in str(refused.value)


def test_a_hash_is_taken_as_people_paste_it() -> None:
    pasted = ":".join(["AB"] * 32)
    assert transport.Pinned(pasted) == transport.Pinned(HASH)


def test_a_pem_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(transport.BadCertificate, match=r"absent\.pem"):
        transport.Pem(tmp_path / "absent.pem").read()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("moqt://127.0.0.1:7777", "127.0.0.1", 7777),
        ("moqt://play.example/room", "play.example", 443),
        ("moqt://[::1]:4000/a?b=c", "::1", 4000),
    ],
)
def test_urls_are_taken_apart(text: str, host: str, port: int) -> None:
    url = _url.parse(text)
    assert (url.host, url.port, url.text) == (host, port, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:7777",
        "https://play.example",
        "moqt://",
        "moqt://a:0",
        "moqt://a:99999",
        "moqt://a:port",
        "moqt://user@a:1",
        "moqt://a b:1",
        "moqt://a:1/\n",
        "moqt://[::1:1",
    ],
)
def test_a_url_that_cannot_be_dialled_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(transport.BadUrl) as refused:
        _url.parse(text)
    assert "\n" not in str(refused.value)
    assert ": pass " in str(refused.value)


async def test_localhost_is_tried_at_127_0_0_1_first() -> None:
    found = await _url.resolve(_url.parse("moqt://localhost:7777"))
    assert found.split(",")[0] == "127.0.0.1:7777"
    assert _url.resolve_now(_url.parse("moqt://[::1]:7")) == "[::1]:7"


def test_the_environment_is_taken_when_nothing_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUTCHCALL_URL", "moqt://127.0.0.1:1")
    monkeypatch.setenv("CLUTCHCALL_TOKEN", "secret")
    monkeypatch.setenv("CLUTCHCALL_CERT_SHA256", HASH)
    taken = _values.from_environment(None, None, None)
    assert taken == ("moqt://127.0.0.1:1", b"secret", transport.Pinned(HASH))
    # A token is for the relay that it was given with.
    assert _values.from_environment("moqt://elsewhere:1", None, None) == ("moqt://elsewhere:1", b"", None)


def test_a_time_above_zero_never_becomes_none() -> None:
    assert _values.micros(1e-9, "ttl") == 1
    assert _values.millis(1e-9, "ttl") == 1
    assert _values.micros(None, "ttl") == 0
    assert _values.micros(0.05, "ttl") == 50_000
