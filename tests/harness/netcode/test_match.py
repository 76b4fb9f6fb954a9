"""Matches over bad networks: nobody is lost, and what is reliable arrives once and in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import transport
from harness.world import World

from .games import STATE, Walk, Walker, network


@pytest.mark.timeout(4000)
def test_64_clients_play_at_3_percent_loss_and_40_ms_jitter(world: World, cc_full: bool) -> None:
    world.host(Walk)
    world.clients(64, Walker, network=network(delay_ms=40, loss=3, jitter_ms=40))
    world.run(3600 if cc_full else 6)
    world.assert_no_disconnect()
    world.assert_reliable_complete()
    assert world.latency(0.5, priority=STATE) < 0.070


@pytest.mark.timeout(4000)
def test_10_minutes_at_5_percent_loss_and_50_ms_jitter(world: World, cc_full: bool) -> None:
    world.host(Walk)
    world.clients(4, Walker, network=network(delay_ms=30, loss=5, jitter_ms=50))
    world.run(minutes=10 if cc_full else 0.5)
    world.assert_no_disconnect()
    world.assert_reliable_complete()
    assert world.p99_latency(priority=STATE) < 0.110
    assert world.starvation(buffer=0.150) < 0.01


def test_a_client_whose_main_thread_stands_still_for_60_s(world: World) -> None:
    host = world.host(Walk)
    sleeper, other = world.clients(2, Walker, network="home-broadband")
    world.run(5)
    world.pause(sleeper, 60)
    meanwhile = world.window()
    world.run(55)
    assert meanwhile.starvation(buffer=0.1, machine=other) == 0
    world.run(10)
    before = sleeper.bot.newest
    world.run(1)
    world.assert_no_disconnect()
    world.assert_reliable_complete()
    assert sleeper.bot.newest >= before + 59, "it gets fresh states again"
    assert int(sleeper.bot.events[-1].split()[1]) >= host.rooms["main"].tick // 60 - 1


def test_a_20_s_outage(world: World) -> None:
    host = world.host(Walk)
    cut_off, other = world.clients(2, Walker, network="home-broadband")
    world.run(5)
    world.network(cut_off).outage(20)
    meanwhile = world.window()
    world.run(25)
    assert meanwhile.starvation(buffer=0.1, machine=other) == 0
    assert 0.75 < meanwhile.starvation(buffer=0.1, machine=cut_off) < 0.95
    afterwards = world.window()
    world.run(10)
    world.assert_no_disconnect(other)
    world.assert_reliable_complete()
    assert afterwards.starvation(buffer=0.1, machine=cut_off) < 0.05
    assert {peer.id for peer in host.rooms["main"].players} == {"bot-1", "bot-2"}
    assert other.bot.events.count("bot-1 is here") == 1, "it was never given up"


def test_messages_sent_into_an_outage_arrive_when_it_is_over(world: World) -> None:
    world.relay()
    sent, heard = 0, list[int]()

    async def talk(machine: Any) -> None:
        async with machine.connect() as link:
            track = await link.publish(transport.Text("chat", "talker"))
            nonlocal sent
            while sent < 175:
                if track.send(f"{sent}") == transport.Fate.QUEUED:
                    sent += 1
                await asyncio.sleep(0.2)
            await asyncio.Event().wait()

    async def listen(machine: Any) -> None:
        async with machine.connect() as link, link.subscribe("chat") as feed:
            async for message in feed:
                heard.append(int(message.text))

    world.machine(listen, name="listener")
    talker = world.machine(talk, name="talker", network="home-broadband")
    world.run(5)
    world.network(talker).outage(20)
    world.run(45)
    assert heard == list(range(sent))
    assert sent > 100


def test_a_nat_gives_another_port(world: World) -> None:
    world.host(Walk)
    roaming, _ = world.clients(2, Walker, network=network(delay_ms=20))
    world.run(5)
    world.network(roaming).rebind()
    meanwhile = world.window()
    world.run(5)
    world.assert_no_disconnect()
    world.assert_reliable_complete()
    assert world.network(roaming).lost()["stale_binding"] > 0
    assert meanwhile.starvation(buffer=0.1, machine=roaming) < 0.1


def test_a_player_that_crashes_and_comes_back(world: World) -> None:
    host = world.host(Walk)
    victim, witness = world.clients(2, Walker, network=network(delay_ms=20))
    world.run(5)
    world.kill(victim)
    world.run(3)
    world.restart(victim)
    world.run(5)
    world.assert_no_disconnect()
    world.assert_reliable_complete(witness)
    assert "bot-1 is back" in witness.bot.events
    assert len(host.rooms["main"].players) == 2


def test_a_host_that_is_killed_and_started_again(world: World) -> None:
    world.host(Walk)
    bots = world.clients(2, Walker, network=network(delay_ms=20))
    world.run(5)
    world.restart("host")
    world.run(20)
    assert all(bot.bot.link.is_up for bot in bots)
    fresh = world.window()
    world.run(5)
    assert fresh.starvation(buffer=0.1) < 0.02
