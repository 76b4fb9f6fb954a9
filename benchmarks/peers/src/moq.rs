//! A publisher and subscribers made of `moq-net`, for any relay that speaks MoQT: moq-relay, and ours.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use moq_net::track::{Info, Subscriber};
use moq_net::{group, track, Timescale, Timestamp, Version};
use moq_tokio::{Client, Connection};
use tokio::time::timeout;

use crate::crowd::{tally, turns, Play, Publisher, Tally};

const BROADCAST: &str = "bench/peers";
const PATIENCE: Duration = Duration::from_secs(20);

struct Session {
    publish: moq_net::origin::Producer,
    found: moq_net::origin::Consumer,
    _client: Client,
    _connection: Connection,
}

async fn dial(port: u16, sha256: &str, draft: &str) -> anyhow::Result<Session> {
    let mut config = moq_tokio::connect::Config::default();
    config.bind = Some("127.0.0.1:0".parse()?);
    config.tls.fingerprint = vec![sha256.into()];
    config.version = vec![format!("moq-transport-{draft}").parse::<Version>().map_err(anyhow::Error::msg)?];
    let publish = moq_tokio::origin::spawn();
    let finds = moq_tokio::origin::spawn();
    let found = finds.consume();
    let client = config.init(Default::default())?;
    let client = client.with_publisher(&publish).with_subscriber(finds).with_reconnect(false);
    let url = format!("moqt://localhost:{port}/").parse()?;
    let address =
        moq_tokio::connect::Addr::pinned(url, [SocketAddr::from((Ipv4Addr::LOCALHOST, port))]).context("an address")?;
    let connection = timeout(PATIENCE, client.clone().connect(address).established()).await.context("a session")??;
    Ok(Session { publish, found, _client: client, _connection: connection })
}

fn now(tick: u64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::new(tick, Timescale::MICRO)?)
}

struct Sender {
    tracks: Vec<track::Producer>,
    groups: Vec<Option<group::Producer>>,
    payload: Bytes,
    objects: u64,
    runtime: tokio::runtime::Handle,
}

impl Publisher for Sender {
    fn send(&mut self, tick: u64) -> anyhow::Result<()> {
        let _inside = self.runtime.enter();
        for (track, open) in self.tracks.iter_mut().zip(&mut self.groups) {
            if self.objects == 0 {
                track.append_datagram(now(tick)?, self.payload.clone())?;
                continue;
            }
            let mut group = match open.take() {
                Some(group) => group,
                None => track.append_group()?,
            };
            group.write_frame(now(tick)?, self.payload.clone())?;
            if (tick + 1) % self.objects == 0 {
                group.finish()?;
            } else {
                *open = Some(group);
            }
        }
        Ok(())
    }
}

async fn read(mut from: Subscriber, number: usize, objects: u64, tally: &Tally) -> anyhow::Result<()> {
    if objects == 0 {
        while from.recv_datagram().await?.is_some() {
            tally.add(number);
        }
    }
    while let Some(mut group) = from.recv_group().await? {
        while group.read_frame().await?.is_some() {
            tally.add(number);
        }
    }
    Ok(())
}

/// A publisher and its subscribers, each with a socket of its own.
pub fn play(port: u16, sha256: &str, draft: &str, play: Play) -> anyhow::Result<()> {
    let _ = moq_tokio::crypto::install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    let (tally, told) = tally(play);
    let (_sessions, tracks) = runtime.block_on(async {
        let publisher = dial(port, sha256, draft).await?;
        let broadcast = publisher.publish.create_broadcast(BROADCAST)?;
        let tracks = (0..play.tracks)
            .map(|number| {
                broadcast.create_track(format!("t{number}"), Info::default().with_timescale(Timescale::MICRO))
            })
            .collect::<Result<Vec<_>, _>>()?;
        broadcast.announce(Default::default())?;
        let mut sessions = vec![publisher];
        for number in 0..play.subscribers {
            let session = dial(port, sha256, draft).await?;
            let found = timeout(PATIENCE, session.found.routed_broadcast(BROADCAST)).await.context("a broadcast")??;
            for track in 0..play.tracks {
                let asked = found.track(&format!("t{track}"))?.subscribe(None);
                let reader = timeout(PATIENCE, asked).await.context("SUBSCRIBE_OK")??;
                let tally = tally.clone();
                tokio::spawn(async move { read(reader, number, play.objects, &tally).await });
            }
            sessions.push(session);
        }
        anyhow::Ok((sessions, (broadcast, tracks)))
    })?;
    let (_broadcast, tracks) = tracks;
    let sender = Sender {
        groups: tracks.iter().map(|_| None).collect(),
        tracks,
        payload: vec![0; play.size].into(),
        objects: play.objects,
        runtime: runtime.handle().clone(),
    };
    turns(play, sender, &tally, &told)
}
