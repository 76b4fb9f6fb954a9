//! qlog of connections, for programs that look into the engine; behind the feature `qlog`, off in what ships.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use quinn_proto::{QlogConfig, TransportConfig};

/// Where a connection's qlog goes: called for each connection with whether this side was dialled; none: it has none.
/// Times in it count from the engine's time 0.
pub type QlogOpen = Arc<dyn Fn(bool) -> Option<Box<dyn Write + Send + Sync>> + Send + Sync>;

/// Sets a new connection's stream up.
pub(crate) fn set_up(open: &QlogOpen, server: bool, start: Instant, transport: &mut TransportConfig) {
    if let Some(writer) = open(server) {
        let mut config = QlogConfig::default();
        config.writer(writer).start_time(start);
        transport.qlog_stream(config.into_stream());
    }
}
