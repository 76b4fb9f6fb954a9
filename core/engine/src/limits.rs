//! Everything that a peer can make an engine hold: the bounds, by name, and how often each was met.
//!
//! One table gives each bound its field, its number in the C ABI (`CcBound`), its default and its unit;
//! docs/limits.md says what the peer is told. A bound of 0 admits nothing, but for [`Limits::handshakes_unproven`],
//! where it means that every address has to be proven.

use std::fmt;

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $variant:ident, $field:ident = $default:expr;)+) => {
        /// Bounds, all in bytes unless they say otherwise.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: usize,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($field: $default,)+ }
            }
        }

        /// A bound of [`Limits`]; as a number it is the C ABI's, and its place in [`Refusals`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Limit {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Limit {
            /// Every bound, in the order of their numbers.
            pub const ALL: &'static [Limit] = &[$(Limit::$variant,)+];

            /// Its name: the field's.
            pub fn name(self) -> &'static str {
                match self { $(Limit::$variant => stringify!($field),)+ }
            }
        }

        impl Limits {
            /// The value of a bound.
            pub fn get(&self, limit: Limit) -> usize {
                match limit { $(Limit::$variant => self.$field,)+ }
            }

            /// Sets a bound.
            pub fn set(&mut self, limit: Limit, value: usize) {
                match limit { $(Limit::$variant => self.$field = value,)+ }
            }
        }
    };
}

limits! {
    /// Connections at once, those in their handshake and those that drain among them.
    Connections, connections = 16_384;
    /// Connections from one address, or one /64 of IPv6; loopback is not counted.
    ConnectionsPerAddress, connections_per_address = 1024;
    /// Handshakes under way from addresses that have not proven themselves; above, strangers are sent Retry.
    HandshakesUnproven, handshakes_unproven = 256;
    /// Handshakes under way in all.
    Handshakes, handshakes = 4096;
    /// The same from one address that has proven itself, or one /64; loopback is not counted.
    HandshakesPerAddress, handshakes_per_address = 64;
    /// Sessions that wait to be admitted.
    Parked, parked = 2048;
    /// Bytes that a connection may send on all streams together and that are not read yet, before it is admitted.
    ParkedBytes, parked_bytes = 64 << 10;
    /// The same once it is admitted.
    ReceiveBytes, receive_bytes = 8 << 20;
    /// Streams that a peer may open at first, each direction. quinn has a table of what is received, and one of what is
    /// sent; with this many, and a control stream of our own, these hold 32 and 16 places: the next sizes are twice that.
    StreamsInitial, streams_initial = 13;
    /// Streams that a peer may have open at most, each direction.
    StreamsMax, streams_max = 4096;
    /// Requests of one session's peer under way.
    Requests, requests = 1024;
    /// Prefixes that one session watches for tracks or namespaces.
    Watches, watches = 256;
    /// Namespaces that one session announces.
    NamespacesPerSession, namespaces_per_session = 256;
    /// Namespaces announced in all.
    Namespaces, namespaces = 65_536;
    /// Tracks that one session may publish.
    TracksPerSession, tracks_per_session = 1024;
    /// Tracks in all.
    Tracks, tracks = 65_536;
    /// Properties of one track.
    PropertyBytes, property_bytes = 16 << 10;
    /// Tracks that one session receives.
    SubscriptionsPerSession, subscriptions_per_session = 1024;
    /// Requests that one session waits for others to answer: tracks asked of their publisher by name.
    Asks, asks = 64;
    /// FETCHes of one session under way.
    Fetches, fetches = 64;
    /// Objects of FETCHes that are passed on and wait for one session to take them.
    FetchBytes, fetch_bytes = 8 << 20;
    /// Subgroups of one track open at once.
    Subgroups, subgroups = 1024;
    /// Largest object on a stream.
    ObjectBytes, object_bytes = 16 << 20;
    /// Messages and objects of one session of which only a part has come.
    AssemblyBytes, assembly_bytes = 32 << 20;
    /// The same of all sessions.
    AssemblyTotal, assembly_total = 256 << 20;
    /// Datagrams of one session that came before their track's alias.
    EarlyBytes, early_bytes = 64 << 10;
    /// Streams of one session that came before their track's alias, left unread.
    EarlyStreams, early_streams = 64;
    /// REQUEST_UPDATEs of one request without an answer; further ones are left unread.
    Updates, updates = 16;
    /// The same where the peer is told of it (MAX_REQUEST_UPDATES, from draft -20 on).
    RequestUpdates, request_updates = 8;
    /// Ranges that one request may have in its filters (MAX_FILTER_RANGES, from draft -20 on).
    FilterRanges, filter_ranges = 64;
    /// Tokens that one session's peer has registered, with 16 for each.
    TokenBytes, token_bytes = 16 << 10;
    /// A session's sending queue.
    SessionBytes, session_bytes = 8 << 20;
    /// One track in it.
    TrackBytes, track_bytes = 4 << 20;
    /// One subgroup stream in it.
    SubgroupBytes, subgroup_bytes = 4 << 20;
    /// Recent objects kept of a local publication.
    PastOwnBytes, past_own_bytes = 2 << 20;
    /// Recent objects kept of a track that is passed on; as much again of what was fetched of it.
    PastTrackBytes, past_track_bytes = 256 << 10;
    /// Objects kept of all tracks; a quarter of it is for what comes live alone.
    PastBytes, past_bytes = 64 << 20;
    /// Text of one track that waits for what comes before it, or for a reader that is slow.
    ReorderBytes, reorder_bytes = 1 << 20;
    /// Fragments of one track's frames that wait for the others.
    FragmentBytes, fragment_bytes = 256 << 10;
    /// Text and fragments that wait, of all tracks.
    ReorderTotal, reorder_total = 64 << 20;
    /// Packets that answer strangers (Retry, version negotiation, stateless reset, refusals) and wait to be sent.
    Answers, answers = 1024;
}

impl Limit {
    /// How many there are.
    pub const COUNT: usize = Limit::ALL.len();

    /// The bound of this name.
    pub fn from_name(name: &str) -> Option<Limit> {
        Limit::ALL.iter().copied().find(|limit| limit.name() == name)
    }
}

/// How often each bound was met: something was refused, dropped or put off for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refusals([u64; Limit::COUNT]);

impl Default for Refusals {
    fn default() -> Self {
        Refusals([0; Limit::COUNT])
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Limit::ALL.iter().filter(|l| self.of(**l) > 0).map(|l| (l.name(), self.of(*l)))).finish()
    }
}

impl Refusals {
    /// How often this one was met.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// All of them, by number.
    pub fn all(&self) -> &[u64; Limit::COUNT] {
        &self.0
    }

    pub(crate) fn set(&mut self, limit: Limit, times: u64) {
        self.0[limit as usize] = times;
    }

    pub(crate) fn add(&mut self, limit: Limit, times: u64) {
        self.0[limit as usize] += times;
    }

    pub(crate) fn met(&mut self, limit: Limit) {
        self.add(limit, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in docs/limits.md: name and default.
    fn documented() -> Vec<(String, String)> {
        let page = include_str!("../../../docs/limits.md");
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let rows = page.lines().filter(|line| line.starts_with("| `")).map(cells);
        rows.map(|cells| (cells[1].trim_matches('`').to_owned(), cells[2].clone())).collect()
    }

    fn shown(value: usize) -> String {
        match value {
            bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
            bytes if bytes >= 16 << 10 && bytes % (1 << 10) == 0 && bytes != 65_536 && bytes != 16_384 => {
                format!("{} KiB", bytes >> 10)
            }
            number if number >= 10_000 => format!("{},{:03}", number / 1000, number % 1000),
            number => number.to_string(),
        }
    }

    #[test]
    fn the_page_of_limits_shows_each_with_its_default() {
        let defaults = Limits::default();
        let real: Vec<(String, String)> =
            Limit::ALL.iter().map(|limit| (limit.name().to_owned(), shown(defaults.get(*limit)))).collect();
        assert_eq!(documented(), real);
    }

    #[test]
    fn each_is_found_by_its_name_and_set_alone() {
        for (number, limit) in Limit::ALL.iter().copied().enumerate() {
            assert_eq!((limit as usize, Limit::from_name(limit.name())), (number, Some(limit)));
            let mut limits = Limits::default();
            limits.set(limit, 7);
            assert_eq!(limits.get(limit), 7);
            let changed = Limit::ALL.iter().filter(|l| limits.get(**l) != Limits::default().get(**l)).count();
            assert_eq!(changed, 1);
        }
        assert_eq!(Limit::from_name("nothing"), None);
    }
}
