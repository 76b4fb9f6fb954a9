//! Incoming data: subgroup and fetch streams, and datagrams.

use bytes::Bytes;
use cc_wire::{codes, Datagram, DatagramHeader, ObjectHeader, SubgroupHeader, UniStream};

use crate::aliases::Route;
use crate::api::{DataEnd, DataKey, Ended, Event, RequestKey};
use crate::assembly::{Assembly, Bounds, Format, Head, Step};
use crate::requests::End;
use crate::session::{Fault, Owner, Session};
use crate::slab::Key;
use crate::states::{Kind, Phase, Side};
use crate::transport::{Chunk, ReadError, StreamId, Transport};

/// Read at once from a data stream, in bytes.
const CHUNK: usize = 64 << 10;
/// Read of a stream's second packet together with its first, in bytes: no more than a packet has.
const SMALL: usize = 1500;
/// Read of a stream before SETUP is complete, in bytes: enough to tell the control stream.
const PEEK: usize = 32;

/// A unidirectional stream of the peer's, the control stream aside.
#[derive(Debug)]
pub(crate) struct DataState {
    id: StreamId,
    stage: Stage,
    assembly: Assembly,
    /// The peer has finished; its last bytes are in the assembly.
    finished: bool,
    /// The owner has been told of the start.
    pub told: bool,
    /// The owner wants none of it any more.
    pub given_up: bool,
    /// The request it belongs to, once it has started.
    pub request: Option<RequestKey>,
}

#[derive(Debug)]
enum Stage {
    /// Its type and header are not complete.
    Start,
    /// A subgroup whose alias is not known, or not decided on. Left unread.
    Held(SubgroupHeader),
    /// Objects.
    Objects(Format),
    /// Padding.
    Discard,
    /// The stream is gone, and the owner is yet to be told.
    Over,
}

impl DataState {
    pub fn new(id: StreamId) -> Self {
        Self {
            id,
            stage: Stage::Start,
            assembly: Assembly::default(),
            finished: false,
            told: false,
            given_up: false,
            request: None,
        }
    }
}

/// What is there of a stream that has just begun. A small object that lies across two packets is put together.
fn read_first(id: StreamId, transport: &mut dyn Transport) -> Result<Chunk, ReadError> {
    let first = transport.read(id, CHUNK)?;
    if first.fin || first.bytes.is_empty() || first.bytes.len() > SMALL {
        return Ok(first);
    }
    match transport.read(id, SMALL) {
        Ok(Chunk { bytes, fin }) if bytes.is_empty() => Ok(Chunk { fin, ..first }),
        Ok(Chunk { bytes, fin }) => Ok(Chunk { bytes: [first.bytes, bytes].concat().into(), fin }),
        Err(ReadError::Blocked) => Ok(first),
        Err(error) => Err(error),
    }
}

impl Session {
    /// Stops a stream of objects that is of no use; nothing more is told of it, not even its end.
    pub fn stop_data(&mut self, data: DataKey, code: u64) {
        let Some(state) = self.data.get(data.0) else { return };
        let request = state.request;
        if !matches!(state.stage, Stage::Over) {
            self.drop_stream(data.0, Some(code));
        }
        self.data.remove(data.0);
        if let Some(request) = request {
            self.data_over(request, data.0);
        }
    }

    /// The peer has begun a one-way stream. The control stream, and one that came whole with a single object, need no
    /// state here.
    pub(crate) fn begin_data(&mut self, id: StreamId, transport: &mut dyn Transport) {
        if self.over {
            return;
        }
        let mut first = None;
        let ready = self.ready();
        if !(ready && self.full()) {
            match if ready { read_first(id, transport) } else { transport.read(id, PEEK) } {
                Ok(chunk) if ready && chunk.fin && self.take_whole(&chunk.bytes) => return,
                Ok(chunk) if !ready && matches!(UniStream::decode(&chunk.bytes), Ok(Some((UniStream::Setup, _)))) => {
                    if let Err(fault) = self.make_control(id, &chunk, transport) {
                        self.fail(fault);
                    }
                    return;
                }
                Ok(chunk) => first = Some(chunk),
                Err(ReadError::Blocked) => {}
                Err(ReadError::Reset(_) | ReadError::Gone) => return,
            }
        }
        let key = self.data.insert(DataState::new(id));
        self.streams.insert(id, Owner::Data(key));
        self.tally.data_streams += 1;
        if first.is_none_or(|chunk| self.take_chunk(key, chunk)) {
            self.read(id, transport);
        }
    }

    /// Tells of a stream that is a subgroup with one object, in one step. False, and nothing done, if it is anything else,
    /// or too large, or waits for its alias: the ordinary way finds out.
    pub(crate) fn take_whole(&mut self, bytes: &Bytes) -> bool {
        let limits = &self.config.limits;
        let Ok(Some((UniStream::Subgroup(header), start))) = UniStream::decode(bytes) else { return false };
        let Route::To(key) = self.aliases.route(header.alias, self.now) else { return false };
        let rest = bytes.slice(start..);
        let Ok(Some((object, used))) = ObjectHeader::decode_shared(&rest, None, header.has_properties) else {
            return false;
        };
        let fits = object.payload_len <= limits.object_bytes
            && object.properties.len() <= limits.properties_bytes
            && self.tally.assembly + bytes.len() <= limits.assembly_bytes;
        if !fits || object.payload_len != (rest.len() - used) as u64 {
            return false;
        }
        self.counters.objects += 1;
        self.counters.object_bytes += object.payload_len;
        self.events.push(Event::Whole { key, header, object, payload: rest.slice(used..) });
        if let Some(state) = self.requests.get_mut(key.0).filter(|state| state.end == End::Live) {
            state.data_ended += 1;
            self.check_drained(key);
        }
        true
    }

    /// Adds what was read of a stream to what is there. False: the stream is given up.
    fn take_chunk(&mut self, key: Key, chunk: Chunk) -> bool {
        let Some(state) = self.data.get_mut(key) else { return false };
        state.finished = chunk.fin;
        self.tally.assembly += chunk.bytes.len();
        state.assembly.push(chunk.bytes);
        if matches!(state.stage, Stage::Discard) {
            self.tally.assembly -= state.assembly.held();
            state.assembly = Assembly::default();
        }
        if self.tally.assembly > self.config.limits.assembly_bytes {
            self.counters.rare().streams_excess += 1;
            self.counters.rare().excess_assembly += 1;
            self.break_off(key, codes::stream_reset::EXCESSIVE_LOAD);
            return false;
        }
        true
    }

    pub(crate) fn read_data(&mut self, key: Key, id: StreamId, transport: &mut dyn Transport) -> Result<(), Fault> {
        loop {
            let ready = self.ready();
            let full = self.full();
            let Some(state) = self.data.get_mut(key) else { return Ok(()) };
            match &mut state.stage {
                Stage::Over | Stage::Held(_) => return Ok(()),
                Stage::Discard => {}
                Stage::Start => match UniStream::decode(state.assembly.unread())? {
                    None => {}
                    Some((UniStream::Setup, _)) => {
                        let Some(mut state) = self.data.remove(key) else { return Ok(()) };
                        self.tally.data_streams -= 1;
                        self.tally.assembly -= state.assembly.held();
                        let all = Chunk { bytes: state.assembly.take_unread(), fin: state.finished };
                        return self.make_control(id, &all, transport);
                    }
                    Some(_) if !ready => {
                        self.put_off(id);
                        return Ok(());
                    }
                    Some((start, used)) => {
                        state.assembly.consume(used);
                        self.tally.assembly -= used;
                        self.start_data(key, start)?;
                        continue;
                    }
                },
                Stage::Objects(_) => {
                    if full {
                        self.put_off(id);
                        return Ok(());
                    }
                    if self.next_object(key)? {
                        continue;
                    }
                }
            }
            let Some(state) = self.data.get_mut(key) else { return Ok(()) };
            if state.finished {
                return self.data_finished(key);
            }
            let most = if ready { CHUNK } else { PEEK };
            match transport.read(id, most) {
                Ok(chunk) => {
                    if chunk.bytes.is_empty() && !chunk.fin {
                        return Ok(());
                    }
                    if !self.take_chunk(key, chunk) {
                        return Ok(());
                    }
                }
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Reset(code)) => {
                    self.end_data(key, None, DataEnd::Reset(code));
                    return Ok(());
                }
                Err(ReadError::Gone) => {
                    self.end_data(key, None, DataEnd::Reset(codes::stream_reset::SESSION_CLOSED));
                    return Ok(());
                }
            }
        }
    }

    /// The stream is the peer's control stream, with what was read of it.
    fn make_control(&mut self, id: StreamId, all: &Chunk, transport: &mut dyn Transport) -> Result<(), Fault> {
        self.found_control(id, &all.bytes)?;
        if all.fin {
            return Err(Fault::violation("the control stream was closed"));
        }
        self.read_control(id, transport)
    }

    fn start_data(&mut self, key: Key, start: UniStream) -> Result<(), Fault> {
        match start {
            UniStream::Setup => Ok(()),
            UniStream::Padding => {
                if let Some(state) = self.data.get_mut(key) {
                    state.stage = Stage::Discard;
                    self.tally.assembly -= state.assembly.held();
                    state.assembly = Assembly::default();
                }
                Ok(())
            }
            UniStream::Subgroup(header) => {
                self.place_subgroup(key, header);
                Ok(())
            }
            UniStream::Fetch { request_id } => self.place_fetch(key, request_id),
        }
    }

    fn place_subgroup(&mut self, key: Key, header: SubgroupHeader) {
        match self.aliases.route(header.alias, self.now) {
            Route::To(request) => {
                let format = Format::subgroup(&header);
                self.begin(key, request, format);
                self.events.push(Event::SubgroupStart { data: DataKey(key), key: request, header });
            }
            Route::Held | Route::Unknown => {
                let until = self.now.saturating_add(self.config.limits.unknown_alias_time);
                let most = self.config.limits.unknown_alias_streams;
                if self.early.keep_stream(until, header.alias, key, most) {
                    if let Some(state) = self.data.get_mut(key) {
                        state.stage = Stage::Held(header);
                    }
                } else {
                    self.counters.rare().streams_unknown += 1;
                    self.drop_stream(key, Some(codes::stream_reset::EXCESSIVE_LOAD));
                    self.data.remove(key);
                }
            }
            Route::Retired => {
                self.counters.rare().streams_retired += 1;
                self.drop_stream(key, Some(codes::stream_reset::CANCELLED));
                self.data.remove(key);
            }
        }
    }

    fn place_fetch(&mut self, key: Key, request_id: u64) -> Result<(), Fault> {
        if let Some((request, order)) = self.fills.remove(&request_id) {
            self.begin(key, request, Format::fetch(order));
            self.events.push(Event::FetchStart { data: DataKey(key), key: request });
            return Ok(());
        }
        let Some(&request) = self.fetches.get(&request_id) else {
            if request_id & 1 != self.next_id & 1 || request_id >= self.next_id {
                return Err(Fault::violation("objects for a FETCH that was never asked"));
            }
            self.counters.rare().streams_retired += 1;
            self.drop_stream(key, Some(codes::stream_reset::CANCELLED));
            self.data.remove(key);
            return Ok(());
        };
        let Some(state) = self.requests.get(request.0) else { return Ok(()) };
        if !state.data.is_empty() || state.data_ended > 0 {
            return Err(Fault::violation("a second stream of objects for a FETCH"));
        }
        let format = Format::fetch(state.order);
        self.begin(key, request, format);
        self.events.push(Event::FetchStart { data: DataKey(key), key: request });
        Ok(())
    }

    fn begin(&mut self, key: Key, request: RequestKey, format: Format) {
        if let Some(state) = self.data.get_mut(key) {
            state.stage = Stage::Objects(format);
            state.request = Some(request);
        }
        if let Some(state) = self.requests.get_mut(request.0) {
            state.data.push(key);
        }
    }

    /// Surfaces the next object; false when bytes are missing or the stream is given up.
    fn next_object(&mut self, key: Key) -> Result<bool, Fault> {
        let bounds = Bounds {
            object_bytes: self.config.limits.object_bytes,
            properties_bytes: self.config.limits.properties_bytes,
        };
        let profile = self.config.profile;
        let Some(state) = self.data.get_mut(key) else { return Ok(false) };
        let Stage::Objects(format) = &mut state.stage else { return Ok(false) };
        let before = state.assembly.held();
        let step = state.assembly.step(format, profile, bounds)?;
        let after = state.assembly.held();
        self.tally.assembly = self.tally.assembly + after - before;
        match step {
            Step::Object(head, payload) => {
                self.counters.objects += 1;
                self.counters.object_bytes += payload.len() as u64;
                match head {
                    Head::Subgroup(header) => self.events.object(DataKey(key), header, payload),
                    Head::Fetch(item) => {
                        self.events.push(Event::FetchItem { data: DataKey(key), item, payload });
                    }
                }
                Ok(true)
            }
            Step::More => Ok(false),
            Step::TooLarge => {
                self.counters.rare().streams_too_large += 1;
                self.break_off(key, codes::stream_reset::EXCESSIVE_LOAD);
                // Over: the caller's next look finds that.
                Ok(true)
            }
        }
    }

    /// The peer finished a stream, and all its bytes have been looked at.
    fn data_finished(&mut self, key: Key) -> Result<(), Fault> {
        let Some(state) = self.data.get(key) else { return Ok(()) };
        if !state.assembly.at_boundary() {
            return Err(Fault::violation("a stream finished inside a header or an object"));
        }
        self.end_data(key, None, DataEnd::Fin);
        Ok(())
    }

    /// Gives a stream up for a bound of ours, as if the peer had reset it.
    fn break_off(&mut self, key: Key, code: u64) {
        self.end_data(key, Some(code), DataEnd::Reset(code));
    }

    /// A stream is over, by itself or (`stop`) by our doing.
    fn end_data(&mut self, key: Key, stop: Option<u64>, end: DataEnd) {
        self.drop_stream(key, stop);
        let Some(request) = self.data.get(key).and_then(|state| state.request) else {
            self.data.remove(key);
            return;
        };
        self.events.push(Event::SubgroupEnd { data: DataKey(key), end });
        self.data_over(request, key);
    }

    /// A request has one stream of objects less.
    fn data_over(&mut self, request: RequestKey, key: Key) {
        let Some(state) = self.requests.get_mut(request.0) else { return };
        let before = state.data.len();
        state.data.retain(|data| *data != key);
        if state.data.len() == before || state.end != End::Live {
            return;
        }
        state.data_ended += 1;
        if (state.kind, state.side) == (Some(Kind::Fetch), Side::Requester) {
            self.check_fetched(request);
        } else {
            self.check_drained(request);
        }
    }

    /// Ends a FETCH once it is both answered and through.
    pub(crate) fn check_fetched(&mut self, key: RequestKey) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        if state.phase == Phase::Established && state.data_ended > 0 {
            state.outbox.finish();
            self.end_request(key, Event::Ended { key, cause: Ended::Finished });
            self.mark_dirty(key);
        }
    }

    /// The request that a stream belongs to has ended; `here`: by the owner, who hears no more of
    /// it than the end of what has started.
    pub(crate) fn give_up_data(&mut self, key: Key, here: bool) {
        self.drop_stream(key, Some(codes::stream_reset::CANCELLED));
        let Some(state) = self.data.get_mut(key) else { return };
        state.given_up = here;
        if !here || state.told {
            let end = DataEnd::Reset(codes::stream_reset::CANCELLED);
            self.events.push(Event::SubgroupEnd { data: DataKey(key), end });
        }
    }

    /// Lets go of a stream; its state stays for the events that name it.
    fn drop_stream(&mut self, key: Key, stop: Option<u64>) {
        let Some(state) = self.data.get_mut(key) else { return };
        if matches!(state.stage, Stage::Over) {
            return;
        }
        state.stage = Stage::Over;
        self.tally.assembly -= state.assembly.held();
        state.assembly = Assembly::default();
        self.tally.data_streams -= 1;
        let id = state.id;
        self.streams.remove(&id);
        if let Some(code) = stop {
            self.stop(id, code);
        }
    }

    /// What has become of an alias decides about the data that waited for it.
    pub(crate) fn settle_alias(&mut self, alias: u64) {
        if !matches!(self.aliases.route(alias, self.now), Route::To(_) | Route::Retired) {
            return;
        }
        let (datagrams, streams) = self.early.take(alias);
        for bytes in datagrams {
            if let Ok(Datagram::Object(header, offset)) = Datagram::decode_shared(&bytes) {
                self.route_datagram(bytes, header, offset);
            }
        }
        for key in streams {
            let Some(state) = self.data.get(key) else { continue };
            let (id, Stage::Held(header)) = (state.id, &state.stage) else { continue };
            let header = *header;
            self.place_subgroup(key, header);
            self.put_off(id);
        }
    }

    /// The object of a datagram, if it is one for a subscription that is known and wanted.
    pub(crate) fn object_of(&mut self, bytes: &Bytes) -> Option<(RequestKey, DatagramHeader, Bytes)> {
        if self.over || !self.control.queued {
            return None;
        }
        let Ok(Datagram::Object(header, offset)) = Datagram::decode_shared(bytes) else { return None };
        let Route::To(key) = self.aliases.route(header.alias, self.now) else { return None };
        if !self.wanted(key) {
            return None;
        }
        self.counters.objects += 1;
        self.counters.object_bytes += (bytes.len() - offset) as u64;
        Some((key, header, bytes.slice(offset..)))
    }

    pub(crate) fn take_datagram(&mut self, bytes: Bytes) -> Result<(), Fault> {
        if !self.control.queued {
            self.counters.rare().datagrams_parked += 1;
            return Ok(());
        }
        if self.full() {
            self.counters.rare().datagrams_unpolled += 1;
            return Ok(());
        }
        match Datagram::decode_shared(&bytes)? {
            Datagram::Object(header, offset) => self.route_datagram(bytes, header, offset),
            Datagram::Padding => self.counters.rare().datagrams_padding += 1,
        }
        Ok(())
    }

    fn route_datagram(&mut self, bytes: Bytes, header: DatagramHeader, offset: usize) {
        match self.aliases.route(header.alias, self.now) {
            Route::To(key) => {
                self.counters.objects += 1;
                self.counters.object_bytes += (bytes.len() - offset) as u64;
                self.events.datagram(key, header, bytes.slice(offset..));
            }
            Route::Held | Route::Unknown => {
                let until = self.now.saturating_add(self.config.limits.unknown_alias_time);
                let limit = self.config.limits.unknown_alias_bytes;
                if !self.early.keep_datagram(until, header.alias, bytes, limit) {
                    self.counters.rare().datagrams_unknown += 1;
                }
            }
            Route::Retired => self.counters.rare().datagrams_retired += 1,
        }
    }

    /// Drops what has waited too long for its alias. What waits for the owner's answer to a
    /// PUBLISH goes on waiting.
    pub(crate) fn expire_early(&mut self) {
        let limits = &self.config.limits;
        let until = self.now.saturating_add(limits.unknown_alias_time.max(1));
        let (bytes_limit, streams_limit) = (limits.unknown_alias_bytes, limits.unknown_alias_streams);
        while let Some((alias, bytes)) = self.early.expired_datagram(self.now) {
            let held = self.aliases.route(alias, self.now) == Route::Held;
            if !held || !self.early.keep_datagram(until, alias, bytes, bytes_limit) {
                self.counters.rare().datagrams_unknown += 1;
            }
        }
        while let Some((alias, key)) = self.early.expired_stream(self.now) {
            let Some(state) = self.data.get(key) else { continue };
            if !matches!(state.stage, Stage::Held(_)) {
                continue;
            }
            let held = self.aliases.route(alias, self.now) == Route::Held;
            if !held || !self.early.keep_stream(until, alias, key, streams_limit) {
                self.counters.rare().streams_unknown += 1;
                self.drop_stream(key, Some(codes::stream_reset::CANCELLED));
                self.data.remove(key);
            }
        }
    }
}
