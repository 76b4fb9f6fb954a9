//! A client made of `moq-net` and `moq-tokio`: native QUIC, one draft, the relay's certificate pinned.

use moq_tokio::moq_net::{origin, Version};
use moq_tokio::{Client, Connection};

use crate::{soon, Relay};

/// Their number of a draft, from ours.
///
/// # Panics
/// For a draft that they do not speak.
pub fn version(draft: u8) -> Version {
    format!("moq-transport-{draft}").parse().expect("a draft of theirs")
}

/// One session with the relay. What it publishes and what it finds are kept apart, so nothing is found but through the
/// relay.
pub struct Theirs {
    /// Where it publishes.
    pub publish: origin::Producer,
    /// What it finds.
    pub found: origin::Consumer,
    _client: Client,
    connection: Connection,
}

impl Theirs {
    /// Connects, and waits until the session stands.
    ///
    /// # Panics
    /// If it does not.
    pub async fn connect(relay: &Relay, draft: u8) -> Theirs {
        let mut config = moq_tokio::connect::Config::default();
        config.bind = Some("127.0.0.1:0".parse().expect("an address"));
        config.tls.fingerprint = vec![relay.fingerprint()];
        config.version = vec![version(draft)];
        let publish = moq_tokio::origin::spawn();
        let finds = moq_tokio::origin::spawn();
        let found = finds.consume();
        let client = config.init(Default::default()).expect("a client");
        let client = client.with_publisher(&publish).with_subscriber(finds).with_reconnect(false);
        let url = format!("moqt://localhost:{}/", relay.address().port()).parse().expect("a url");
        let address = moq_tokio::connect::Addr::pinned(url, [relay.address()]).expect("an address");
        let connection = soon("their session", client.clone().connect(address).established()).await.expect("a session");
        Theirs { publish, found, _client: client, connection }
    }

    /// Ends the session.
    pub fn close(self) {
        drop(self.connection);
    }
}
