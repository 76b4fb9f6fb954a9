//! The game on the relay itself: reads all inputs, sends each client its state, chats with all.

use cc_engine::{Delivery, Event, Place, PublicationId, SubscriptionId, Time};
use cc_wire::Namespace;

use super::message::Message;
use super::report::{self, Flow, Sessions};
use super::{namespace, Settings, Tracks};
use crate::app::Ctx;
use crate::topology::WorldError;

const UP: SubscriptionId = 1;
/// Bytes of one state.
const STATE_SIZE: usize = 400;
/// Bytes of a chat message.
const CHAT_SIZE: usize = 60;

fn state(client: usize) -> PublicationId {
    client as PublicationId * 2
}

fn chat(client: usize) -> PublicationId {
    client as PublicationId * 2 + 1
}

/// The host's bot and what it counted.
#[derive(Debug)]
pub struct Host {
    chat_every: u64,
    until: Time,
    tracks: Vec<Tracks>,
    up: Namespace,
    /// By client: somebody reads its state.
    playing: Vec<bool>,
    pub(super) state_sent: Vec<u64>,
    pub(super) chat_sent: Vec<u64>,
    input_places: Vec<report::Place>,
    chat_places: Vec<report::Place>,
    /// How often it was started.
    life: u32,
    pub(super) input: Flow,
    pub(super) chat: Flow,
    pub(super) sessions: Sessions,
    pub(super) damaged: u64,
}

impl Host {
    pub(super) fn new(settings: &Settings) -> Result<Host, WorldError> {
        let clients = settings.clients;
        Ok(Host {
            chat_every: settings.chat_every,
            until: settings.until,
            tracks: (0..clients).map(Tracks::down).collect::<Result<_, _>>()?,
            up: namespace("up", None)?,
            playing: vec![false; clients],
            state_sent: vec![0; clients],
            chat_sent: vec![0; clients],
            input_places: vec![report::Place::default(); clients],
            chat_places: vec![report::Place::default(); clients],
            life: 0,
            input: Flow::default(),
            chat: Flow::default(),
            sessions: Sessions::default(),
            damaged: 0,
        })
    }

    pub(super) fn start(&mut self, ctx: &mut Ctx<'_>) {
        self.life += 1;
        for (client, tracks) in self.tracks.iter().enumerate() {
            ctx.publish(state(client), Place::Node, tracks.frames.clone());
            ctx.publish(chat(client), Place::Node, tracks.chat.clone());
        }
        ctx.subscribe(UP, Place::Node, self.up.clone());
    }

    pub(super) fn tick(&mut self, ctx: &mut Ctx<'_>, number: u64) {
        if ctx.now() >= self.until {
            return;
        }
        for client in 0..self.tracks.len() {
            if !self.playing[client] {
                continue;
            }
            let sent = ctx.now();
            let message = |number| Message { number, sent, client: client as u32 };
            ctx.send(state(client), message(self.state_sent[client]).encode(STATE_SIZE));
            self.state_sent[client] += 1;
            if self.chat_every > 0 && (number + client as u64).is_multiple_of(self.chat_every) {
                ctx.send(chat(client), message(self.chat_sent[client]).encode(CHAT_SIZE));
                self.chat_sent[client] += 1;
            }
        }
    }

    pub(super) fn event(&mut self, _ctx: &mut Ctx<'_>, event: &Event) {
        match event {
            Event::SessionUp { session, resumed, .. } => self.sessions.up.push((*session, *resumed)),
            Event::SessionDown { .. } => self.sessions.downs += 1,
            Event::PublishDemand { publication, subscribers } if publication % 2 == 0 && *subscribers > 0 => {
                if let Some(playing) = self.playing.get_mut((publication / 2) as usize) {
                    *playing = true;
                }
            }
            _ => {}
        }
    }

    pub(super) fn frame(&mut self, ctx: &mut Ctx<'_>, frame: &Delivery) {
        let message = Message::decode(&frame.payload).filter(|message| (message.client as usize) < self.tracks.len());
        let Some(message) = message else {
            self.damaged += 1;
            return;
        };
        let client = message.client as usize;
        let source = (self.life, frame.track);
        match frame.flags & cc_engine::flag::TEXT {
            0 => self.input.take(message, &mut self.input_places[client], source, ctx.now()),
            _ => self.chat.take(message, &mut self.chat_places[client], source, ctx.now()),
        }
    }
}
