"""The lossy path: what it decides, and that real packets fare so."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from harness._lines import Line
from harness.lossy import Burst, LossyPath, Profile

COUNT = 20_000


def fates(profile: Profile, seed: str = "7", gap: float = 0.001, size: int = 200) -> list[float | None]:
    line = Line(profile, seed)
    return [line.take(number * gap, size) for number in range(COUNT)]


@pytest.fixture
def echo() -> Iterator[str]:
    """A UDP echo; its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        host, port = server.getsockname()

        def run() -> None:
            while True:
                data, address = server.recvfrom(2048)
                if not data:
                    return
                server.sendto(data, address)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"{host}:{port}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
            ender.sendto(b"", (host, port))
        thread.join()


def test_nothing_is_the_default() -> None:
    assert fates(Profile()) == [number * 0.001 for number in range(COUNT)]


def test_one_seed_decides_the_same_and_another_does_not() -> None:
    profile = Profile(delay=0.04, jitter=0.02, loss=0.05, burst=Burst(0.01, 0.3))
    assert fates(profile) == fates(profile)
    assert fates(profile) != fates(profile, "8")


def test_decisions_depend_on_the_packet_and_not_on_its_time() -> None:
    profile = Profile(loss=0.1, burst=Burst(0.01, 0.3))
    early, late = fates(profile, gap=0.0001), fates(profile, gap=0.5)
    assert [fate is None for fate in early] == [fate is None for fate in late]


def test_the_share_that_is_lost() -> None:
    lost = sum(fate is None for fate in fates(Profile(loss=0.05)))
    assert lost / COUNT == pytest.approx(0.05, rel=0.15)


def test_losses_in_bursts() -> None:
    burst = Burst(enter=0.01, leave=0.25)
    gone = [fate is None for fate in fates(Profile(burst=burst))]
    assert sum(gone) / COUNT == pytest.approx(burst.share, rel=0.25)
    bursts = sum(here and not before for before, here in zip([False, *gone], gone, strict=False))
    assert sum(gone) / bursts == pytest.approx(4, rel=0.25)


def test_jitter_keeps_the_order_unless_asked() -> None:
    profile = Profile(delay=0.04, jitter=0.02)
    kept = [fate for fate in fates(profile) if fate is not None]
    assert kept == sorted(kept)
    assert all(0.02 <= due - number * 0.001 <= 0.06 for number, due in enumerate(kept))
    loose = [fate for fate in fates(Profile(delay=0.04, jitter=0.02, reorder=True)) if fate is not None]
    assert loose != sorted(loose)
    mean = sum(due - number * 0.001 for number, due in enumerate(loose)) / COUNT
    assert mean == pytest.approx(0.04, rel=0.02)


def test_the_rate_and_its_queue_have_a_bound() -> None:
    # 200 bytes a millisecond into 100 kB/s: half of it passes, and what passes waits 0.1 s at most.
    line = Line(Profile(rate=100_000, queue_bytes=10_000), "7")
    dues = [(number * 0.001, line.take(number * 0.001, 200)) for number in range(COUNT)]
    waits = [due - now for now, due in dues if due is not None]
    assert max(waits) <= 0.1 + 1e-9
    assert line.counts.passed == pytest.approx(COUNT / 2, rel=0.02)
    assert line.counts.passed + line.counts.full == COUNT
    assert line.counts.passed_bytes == 200 * line.counts.passed


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 1.5},
        {"loss": -0.1},
        {"delay": -1.0},
        {"delay": 0.01, "jitter": 0.02},
        {"rate": -1.0},
        {"queue_bytes": 100},
    ],
)
def test_a_profile_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(reversed(wrong))):
        Profile(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:x"])
def test_a_target_that_is_none(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        LossyPath(target)


async def test_packets_come_back_late_and_in_order(echo: str) -> None:
    path = LossyPath(echo, Profile(delay=0.03, jitter=0.02), seed=3)
    async with path as address:
        waits, numbers = await asyncio.to_thread(ping, address, 50)
    assert numbers == list(range(50))
    assert min(waits) >= 0.02
    assert path.up.passed == path.down.passed == 50
    assert path.round_trip >= 0.02
    assert path.clients == 1


def test_what_is_lost_is_counted(echo: str) -> None:
    path = LossyPath(echo, Profile(loss=0.3), Profile(), seed=11)
    with path as address:
        _, numbers = ping(address, 200)
    expected = Line(Profile(loss=0.3), "11/0/up")
    assert numbers == [number for number in range(200) if expected.take(0.0, 200) is not None]
    assert path.up.lost == 200 - len(numbers) > 30
    assert path.down.lost == 0


def test_each_client_has_a_way_of_its_own(echo: str) -> None:
    path = LossyPath(echo, Profile(loss=0.3), Profile(), seed=11)
    with path as address:
        _, first = ping(address, 200)
        _, second = ping(address, 200)
    assert path.clients == 2
    assert first != second


def test_a_target_that_is_away_for_a_while(echo: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as away:
        away.bind(("127.0.0.1", 0))
        port = away.getsockname()[1]
    path = LossyPath(f"127.0.0.1:{port}", Profile())
    with path as address:
        assert ping(address, 20, patience=0.05) == ([], [])
        end = time.monotonic() + 20
        while path.up.passed < 20:
            assert time.monotonic() < end
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back, _client(address) as client:
            back.bind(("127.0.0.1", port))
            back.settimeout(20)
            client.send(b"hello")
            assert back.recv(100) == b"hello"


def _client(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((host, int(port)))
    return client


def ping(address: str, count: int, patience: float = 2.0) -> tuple[list[float], list[int]]:
    """Send numbered packets; the round trips and numbers of those that came back."""
    waits: list[float] = []
    numbers: list[int] = []
    with _client(address) as client:
        sent = []
        for number in range(count):
            sent.append(time.monotonic())
            client.send(number.to_bytes(4, "little") + bytes(196))
        client.settimeout(patience)
        while len(numbers) < count:
            try:
                data = client.recv(2048)
            except TimeoutError:
                break
            number = int.from_bytes(data[:4], "little")
            waits.append(time.monotonic() - sent[number])
            numbers.append(number)
    return waits, numbers
