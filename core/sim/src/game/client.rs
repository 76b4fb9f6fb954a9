//! A player: sends inputs, reads states, chats.

use cc_engine::{Delivery, Event, LinkId, Place, PublicationId, SubscriptionId, Time};
use cc_wire::Namespace;

use super::message::Message;
use super::report::{self, Flow, Ups};
use super::{namespace, Settings, Tracks, HOST};
use crate::app::Ctx;
use crate::topology::WorldError;

const LINK: LinkId = 1;
const INPUT: PublicationId = 1;
const CHAT: PublicationId = 2;
const DOWN: SubscriptionId = 1;
/// Bytes of one input.
const INPUT_SIZE: usize = 64;
/// Chat messages are so long, and up to as much again.
const CHAT_SIZE: usize = 40;

/// One client's bot and what it counted.
#[derive(Debug)]
pub struct Client {
    number: usize,
    chat_every: u64,
    until: Time,
    tracks: Tracks,
    down: Namespace,
    /// Somebody reads the inputs: the match is on.
    playing: bool,
    pub(super) input_sent: u64,
    pub(super) chat_sent: u64,
    pub(super) state: Flow,
    pub(super) chat: Flow,
    state_place: report::Place,
    chat_place: report::Place,
    /// How often it was started.
    life: u32,
    pub(super) ups: Ups,
    pub(super) damaged: u64,
}

impl Client {
    pub(super) fn new(settings: &Settings, number: usize) -> Result<Client, WorldError> {
        Ok(Client {
            number,
            chat_every: settings.chat_every,
            until: settings.until,
            tracks: Tracks::up(number)?,
            down: namespace("down", Some(number))?,
            playing: false,
            input_sent: 0,
            chat_sent: 0,
            state: Flow::default(),
            chat: Flow::default(),
            state_place: report::Place::default(),
            chat_place: report::Place::default(),
            life: 0,
            ups: Ups::default(),
            damaged: 0,
        })
    }

    /// Peer ids, one a time its link came up.
    pub fn peers(&self) -> &[String] {
        &self.ups.peers
    }

    /// States, as it counted them; `sent` is the host's to know.
    pub fn state(&self) -> &Flow {
        &self.state
    }

    /// Messages, as it counted them; `sent` is the host's to know.
    pub fn chat(&self) -> &Flow {
        &self.chat
    }

    pub(super) fn start(&mut self, ctx: &mut Ctx<'_>) {
        self.life += 1;
        ctx.dial(LINK, HOST);
        let place = Place::Link(LINK);
        ctx.publish(INPUT, place, self.tracks.frames.clone());
        ctx.publish(CHAT, place, self.tracks.chat.clone());
        ctx.subscribe(DOWN, place, self.down.clone());
    }

    pub(super) fn tick(&mut self, ctx: &mut Ctx<'_>, number: u64) {
        if !self.playing || ctx.now() >= self.until {
            return;
        }
        let client = self.number as u32;
        let input = Message { number: self.input_sent, sent: ctx.now(), client };
        ctx.send(INPUT, input.encode(INPUT_SIZE));
        self.input_sent += 1;
        if self.chat_every > 0 && number.is_multiple_of(self.chat_every) {
            let size = CHAT_SIZE + ctx.rng().below(CHAT_SIZE as u64) as usize;
            let chat = Message { number: self.chat_sent, sent: ctx.now(), client };
            ctx.send(CHAT, chat.encode(size));
            self.chat_sent += 1;
        }
    }

    pub(super) fn event(&mut self, _ctx: &mut Ctx<'_>, event: &Event) {
        match event {
            Event::LinkUp { peer_id, .. } => self.ups.peers.push(peer_id.clone()),
            Event::LinkDown { .. } => self.ups.downs += 1,
            Event::LinkClosed { .. } => self.ups.closed += 1,
            Event::PublishDemand { publication: INPUT, subscribers } if *subscribers > 0 => self.playing = true,
            _ => {}
        }
    }

    pub(super) fn frame(&mut self, ctx: &mut Ctx<'_>, frame: &Delivery) {
        let message = Message::decode(&frame.payload).filter(|message| message.client as usize == self.number);
        let Some(message) = message else {
            self.damaged += 1;
            return;
        };
        let source = (self.life, frame.track);
        match frame.flags & cc_engine::flag::TEXT {
            0 => self.state.take(message, &mut self.state_place, source, ctx.now()),
            _ => self.chat.take(message, &mut self.chat_place, source, ctx.now()),
        }
    }
}
