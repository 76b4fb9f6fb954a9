"""The glue to event loops, with a pipe in the place of a node's descriptor."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from transport import BadState, Error, EventStream, WrongThread
from transport._events import KEPT, put_all
from transport._loop import Glue, Outcome

from .conftest import bounded, until


class Pipe:
    """A descriptor that becomes readable on `ring`, and counts the times that it was answered."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        self.answered = 0

    def ring(self) -> None:
        os.write(self.into, b"!")

    def answer(self) -> None:
        os.read(self.out, 1)
        self.answered += 1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    found = Pipe()
    yield found
    os.close(found.out)
    os.close(found.into)


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that can't watch descriptors, as Windows' proactor."""

    def add_reader(self, fd: object, callback: Callable[..., object], *args: object) -> None:
        raise NotImplementedError

    def remove_reader(self, fd: object) -> bool:
        raise NotImplementedError


async def _rings_are_answered(pipe: Pipe) -> None:
    glue = Glue(pipe.out, pipe.answer)
    glue.attach()
    for count in range(1, 20):
        pipe.ring()
        await until(lambda count=count: pipe.answered == count)  # type: ignore[misc]
    glue.detach()


@pytest.mark.skipif(os.name == "nt", reason="Windows' select watches sockets only")
def test_a_loop_that_watches_descriptors(pipe: Pipe) -> None:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_rings_are_answered(pipe))


@pytest.mark.skipif(os.name == "nt", reason="Windows' select watches sockets only")
def test_a_loop_that_cannot_gets_a_thread_that_ends(pipe: Pipe) -> None:
    before = threading.active_count()

    class Quiet(NoReaders):
        # The loop's own wake-up pair is watched by the selector directly.
        def _add_reader(self, fd: int, callback: Callable[..., object], *args: object) -> object:
            return asyncio.SelectorEventLoop._add_reader(self, fd, callback, *args)  # type: ignore[attr-defined]

    with asyncio.Runner(loop_factory=Quiet) as runner:
        runner.run(_rings_are_answered(pipe))
    assert threading.active_count() == before


async def test_a_node_without_descriptor_is_looked_at_again_and_again() -> None:
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1

    glue = Glue(-1, look)
    glue.attach()
    await until(lambda: looked > 3)
    glue.detach()


async def test_another_thread_is_told_so(pipe: Pipe) -> None:
    glue = Glue(pipe.out, pipe.answer)
    with pytest.raises(WrongThread, match="another thread"):
        await asyncio.to_thread(glue.check)


def test_a_second_event_loop_is_told_so_while_the_first_lives(pipe: Pipe) -> None:
    glue = Glue(pipe.out, pipe.answer)

    async def attach() -> None:
        glue.attach()

    first = asyncio.SelectorEventLoop()
    first.run_until_complete(attach())
    with asyncio.Runner() as second, pytest.raises(WrongThread, match="event loop"):
        second.run(attach())
    glue.detach()
    first.close()
    with asyncio.Runner() as third:
        third.run(_attach_and_detach(glue))


async def _attach_and_detach(glue: Glue) -> None:
    glue.attach()
    glue.detach()


async def test_waiting_in_a_running_loop_is_a_mistake(pipe: Pipe) -> None:
    with pytest.raises(BadState, match="await"):
        Glue(pipe.out, pipe.answer).wait(0.1)


def test_a_plain_wait_ends_when_something_comes(pipe: Pipe) -> None:
    glue = Glue(pipe.out, pipe.answer)
    pipe.ring()
    glue.wait(30.0)
    glue.wait(0.001)


async def test_an_outcome_is_settled_once() -> None:
    outcome = Outcome()
    waiting = [asyncio.create_task(outcome.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not outcome.check()
    outcome.settle()
    outcome.settle(Error("too late"))
    await bounded(asyncio.gather(*waiting))
    assert outcome.check()
    failed = Outcome()
    failed.settle(Error("no"))
    with pytest.raises(Error, match="no"):
        await failed.wait()


async def test_a_slow_reader_of_events_loses_the_oldest_and_is_told() -> None:
    home: list[EventStream[int]] = []
    stream = EventStream(home)
    for number in range(KEPT + 5):
        put_all(home, number)
    assert stream.missed == 5
    assert stream.take() == list(range(5, KEPT + 5))
    put_all(home, 1)
    stream.close()
    assert [number async for number in stream] == [1]
    assert home == []
