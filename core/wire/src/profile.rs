//! Which draft of MoQT a session speaks.

/// A draft of MoQT, chosen by ALPN (or by WebTransport's protocol negotiation).
///
/// Ordered by number, so that `profile >= Profile::D20` reads as "from -20 on".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// draft-ietf-moq-transport-18.
    D18,
    /// draft-ietf-moq-transport-20.
    D20,
    /// draft-ietf-moq-transport-21: -20's bytes under another name.
    D21,
    /// draft-ietf-moq-transport-22.
    D22,
}

impl Profile {
    /// All profiles, the most wanted first: the order in which to offer ALPNs.
    pub const PREFERRED: [Profile; 4] = [Profile::D22, Profile::D21, Profile::D20, Profile::D18];

    /// The protocol id on the wire, such as `moqt-22`.
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Profile::D18 => b"moqt-18",
            Profile::D20 => b"moqt-20",
            Profile::D21 => b"moqt-21",
            Profile::D22 => b"moqt-22",
        }
    }

    /// The profile that a protocol id names; `None` for one that is not spoken here.
    pub fn from_alpn(alpn: &[u8]) -> Option<Self> {
        Self::PREFERRED.into_iter().find(|profile| profile.alpn() == alpn)
    }

    /// The draft's number.
    pub fn number(self) -> u8 {
        match self {
            Profile::D18 => 18,
            Profile::D20 => 20,
            Profile::D21 => 21,
            Profile::D22 => 22,
        }
    }
}
