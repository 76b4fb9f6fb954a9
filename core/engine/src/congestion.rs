//! Congestion control, and what the engine can read from it.
//!
//! quinn owns the controller of a connection and shows neither its window nor
//! the bytes in flight. So a controller made here shares [`Readings`] with the
//! engine, which plans from them how much to hand over and tells the
//! application its send rate. One [`CongestionControl::factory`] call a connection: readings are
//! not to be mixed.
//!
//! Nothing here reads a clock or draws randomness ([`CongestionControl::Bbr`],
//! quinn's own, draws some).

mod metered;
mod readings;
mod realtime;
mod samples;

#[cfg(test)]
mod quic_tests;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use quinn_proto::congestion::{BbrConfig, ControllerFactory, CubicConfig};

pub use metered::Metered;
pub use readings::Readings;
pub use realtime::{Realtime, RealtimeConfig, RealtimeFactory};

/// Which controller a connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CongestionControl {
    /// Delay-based, for real-time play: short queues, tolerant of random loss.
    #[default]
    Realtime,
    /// Loss-based (RFC 9438), for paths shared with bulk transfers.
    Cubic,
    /// quinn's BBR, which its authors call experimental.
    Bbr,
}

impl CongestionControl {
    /// A factory for one connection's controller, for
    /// `TransportConfig::congestion_controller_factory`, and its readings, with
    /// the default settings.
    pub fn factory(self) -> (Arc<dyn ControllerFactory + Send + Sync>, Arc<Readings>) {
        self.factory_with(&RealtimeConfig::default())
    }

    /// As [`factory`](Self::factory), with settings for
    /// [`CongestionControl::Realtime`]; the others have none.
    pub fn factory_with(self, config: &RealtimeConfig) -> (Arc<dyn ControllerFactory + Send + Sync>, Arc<Readings>) {
        match self {
            CongestionControl::Realtime => {
                let (factory, readings) = RealtimeFactory::new(config.clone());
                (factory, readings)
            }
            CongestionControl::Cubic => metered::factory(Arc::new(CubicConfig::default())),
            CongestionControl::Bbr => metered::factory(Arc::new(BbrConfig::default())),
        }
    }
}
