//! quinn's own controllers, with the readings that the engine needs.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

use super::readings::{Meter, Readings};

/// A controller that decides as the one inside does, and reports.
pub struct Metered {
    inner: Box<dyn Controller>,
    meter: Meter,
}

/// A factory that wraps what `inner` builds, and the readings.
pub(super) fn factory<F>(inner: Arc<F>) -> (Arc<dyn ControllerFactory + Send + Sync>, Arc<Readings>)
where
    F: ControllerFactory + Send + Sync + 'static,
{
    let readings = Arc::new(Readings::new(true));
    let factory = Factory { inner, readings: readings.clone() };
    (Arc::new(factory), readings)
}

struct Factory<F> {
    inner: Arc<F>,
    readings: Arc<Readings>,
}

impl<F: ControllerFactory> ControllerFactory for Factory<F> {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = self.inner.clone().build(now, current_mtu);
        let meter = Meter::new(self.readings.clone(), inner.window());
        Box::new(Metered { inner, meter })
    }
}

impl Controller for Metered {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
        self.meter.sent(bytes);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
        self.meter.acked(sent, bytes);
        self.meter.estimate(rtt.get());
        self.meter.window(self.inner.window(), Some(rtt.get()));
        self.meter.delay(rtt.min(), rtt.get().saturating_sub(rtt.min()));
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_packet_num_acked: Option<u64>) {
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
        self.meter.end_batch(now, in_flight);
        self.meter.window(self.inner.window(), None);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        self.meter.lost(lost_bytes);
        self.meter.window(self.inner.window(), None);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
        self.meter.window(self.inner.window(), None);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Metered { inner: self.inner.clone_box(), meter: self.meter.clone() })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
