//! What drives a node: passes, sleeps, faults, and the end.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{fence, AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use cc_engine::{Time, Transmit};
use cc_udp::{wait, Interest};

use crate::clock::Clock;
use crate::config::NodeError;
use crate::crew::{Crew, Failed};
use crate::lock::lock;
use crate::outbox::NodeEvent;
use crate::setting::Wires;
use crate::worker::{CpuMeter, Pass, Shared, Worker};

/// How long a close may wait for the socket to take the goodbyes, microseconds.
const GOODBYE: Time = 200_000;
/// Passes that a close makes: a goodbye's timers may give more to send.
const GOODBYE_PASSES: usize = 8;

/// A thread looks at least this often, microseconds: far timers need not fit the system's types.
const LONGEST_SLEEP: Time = 3_600_000_000;

/// How often one of several shards looks at the others while it lingers.
const LINGER_LOOK: Duration = Duration::from_millis(1);

pub(crate) const OPEN: u8 = 0;
pub(crate) const CLOSING: u8 = 1;
pub(crate) const CLOSED: u8 = 2;
pub(crate) const FAILED: u8 = 3;

/// What a thread and the owner share.
pub(crate) struct Core {
    pub(crate) shared: Shared,
    pub(crate) clock: Clock,
    /// The node's, of all its threads.
    pub(crate) state: Arc<AtomicU8>,
    /// How long a close goes on sending what is queued.
    pub(crate) linger: Arc<AtomicU64>,
    /// A close says nothing to anyone.
    pub(crate) mute: Arc<AtomicBool>,
    pub(crate) worker: Mutex<Worker>,
    /// One of several shards.
    pub(crate) crew: Option<Crew>,
    /// Taken before the worker's lock and given back once that is held, by everyone: so a busy thread, which wants the
    /// lock again right after each pass, can't starve a reader.
    pub(crate) turn: Mutex<()>,
    pub(crate) wires: Option<Wires>,
}

impl Core {
    pub(crate) fn check(&self) -> Result<(), NodeError> {
        match self.state.load(Ordering::Acquire) {
            OPEN => Ok(()),
            _ => Err(NodeError::Closed),
        }
    }

    /// The worker, of an open node.
    pub(crate) fn hold(&self) -> Result<MutexGuard<'_, Worker>, NodeError> {
        self.check()?;
        let worker = self.grab();
        // The thread may have failed while this waited for it.
        self.check()?;
        Ok(worker)
    }

    /// The worker, in whatever state.
    pub(crate) fn grab(&self) -> MutexGuard<'_, Worker> {
        let _turn = lock(&self.turn);
        lock(&self.worker)
    }

    /// Runs `work`; what went wrong otherwise.
    fn attempt<R>(&self, work: impl FnOnce(&Core) -> std::io::Result<R>) -> Result<R, Failed> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => Err(Failed::Socket(e)),
            Err(panic) => {
                let words = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                Err(Failed::Fault(words.to_owned()))
            }
        }
    }

    /// Runs `work`; a panic or an unusable socket fails the node for good, and tells the owner.
    pub(crate) fn guard<R>(&self, work: impl FnOnce(&Core) -> std::io::Result<R>) -> Result<R, NodeError> {
        self.attempt(work).map_err(|failed| self.fail(&failed))
    }

    /// The node is over.
    pub(crate) fn fail(&self, failed: &Failed) -> NodeError {
        let before = self.state.swap(FAILED, Ordering::SeqCst);
        self.shared.inbox.close();
        if let Some(crew) = &self.crew {
            crew.end_all();
        }
        // Of several threads the first one tells.
        if before != FAILED {
            self.shared.outbox.push_last(NodeEvent::Failed(failed.to_string()));
        }
        NodeError::Closed
    }

    pub(crate) fn start(self: &Arc<Core>, name: String) -> std::io::Result<JoinHandle<()>> {
        let core = self.clone();
        std::thread::Builder::new().name(name).spawn(move || core.run())
    }

    /// The thread's whole life.
    fn run(&self) {
        let mut cpu = CpuMeter::default();
        let mut packets = true;
        while self.check().is_ok() {
            let passed = self.attempt(|core| {
                let mut worker = core.grab();
                let now = core.clock.now();
                Ok((now, worker.pass_after(&core.shared, now, std::mem::replace(&mut packets, true))?))
            });
            let (now, pass) = match passed {
                Ok(passed) => passed,
                Err(failed) => match self.begin_anew(failed) {
                    Ok(()) => continue,
                    Err(failed) => {
                        self.fail(&failed);
                        return;
                    }
                },
            };
            let sleep = self.sleep_for(&pass);
            cpu.publish(&self.shared.counters, now);
            if sleep != Some(Duration::ZERO) {
                match self.guard(|core| core.sleep(&pass, sleep)) {
                    Ok(readable) => packets = readable,
                    Err(_) => return,
                }
            }
        }
        let _ = self.guard(|core| core.goodbye(&mut core.grab()));
        if let Some(crew) = &self.crew {
            crew.set_busy(false);
        }
    }

    /// How long nothing is due; none: until something happens.
    fn sleep_for(&self, pass: &Pass) -> Option<Duration> {
        if pass.again {
            return Some(Duration::ZERO);
        }
        pass.next.map(|next| Duration::from_micros(next.saturating_sub(self.clock.now()).min(LONGEST_SLEEP)))
    }

    fn has_arrivals(&self) -> bool {
        self.crew.is_some() && {
            fence(Ordering::SeqCst);
            self.grab().has_arrivals()
        }
    }

    /// Sleeps until a packet, an order, another shard or the time comes; whether there may be packets.
    fn sleep(&self, pass: &Pass, time: Option<Duration>) -> std::io::Result<bool> {
        if !self.shared.inbox.may_sleep() || self.check().is_err() || self.has_arrivals() {
            self.shared.inbox.awake(false);
            return Ok(true);
        }
        let interest = Interest { writable: pass.blocked };
        let (Some(socket), Some(waker)) = (&self.shared.socket, self.shared.inbox.bell().as_waker()) else {
            return Ok(true);
        };
        let ready = wait(socket, waker, interest, time)?;
        self.shared.inbox.awake(ready.woken);
        Ok(ready.socket_readable)
    }

    /// Goes on until nothing of the node's own is queued, on any shard, or the time is up.
    fn linger(&self, worker: &mut Worker, time: Time) -> std::io::Result<()> {
        let began = self.clock.machine();
        worker.finish();
        loop {
            // Looked at before the pass: what another shard sent before it was quiet is taken in by that.
            let others_busy = self.crew.as_ref().is_some_and(Crew::others_busy);
            let pass = worker.pass(&self.shared, self.clock.now())?;
            let left = time.saturating_sub(self.clock.machine() - began);
            let busy = worker.engine().is_finishing() || worker.is_crossing();
            if let Some(crew) = &self.crew {
                crew.set_busy(busy);
            }
            if left == 0 || !(busy || others_busy) {
                return Ok(());
            }
            let mut sleep = self.sleep_for(&pass).unwrap_or(Duration::MAX).min(Duration::from_micros(left));
            if self.crew.is_some() {
                // Other shards rouse nobody who has not said that it sleeps.
                sleep = sleep.min(LINGER_LOOK);
            }
            if !sleep.is_zero() {
                let interest = Interest { writable: pass.blocked };
                let (Some(socket), Some(waker)) = (&self.shared.socket, self.shared.inbox.bell().as_waker()) else {
                    return Ok(());
                };
                let ready = wait(socket, waker, interest, Some(sleep))?;
                self.shared.inbox.awake(ready.woken);
            }
        }
    }

    /// Sends the goodbyes.
    pub(crate) fn goodbye(&self, worker: &mut Worker) -> std::io::Result<()> {
        if self.mute.load(Ordering::SeqCst) {
            return Ok(());
        }
        if let Some(wires) = &self.wires {
            let now = self.clock.now();
            let mut words = |transmit: &Transmit, bytes: &[u8]| (wires.last_words)(transmit, bytes);
            worker.exchange(&self.shared, now, std::iter::empty(), &mut words);
            worker.end(now);
            worker.exchange(&self.shared, now, std::iter::empty(), &mut words);
            return Ok(());
        }
        worker.pass(&self.shared, self.clock.now())?;
        let linger = self.linger.load(Ordering::SeqCst);
        if linger > 0 && !self.clock.is_told() {
            self.linger(worker, linger)?;
        }
        let began = self.clock.machine();
        worker.end(self.clock.now());
        for _ in 0..GOODBYE_PASSES {
            let pass = worker.pass(&self.shared, self.clock.now())?;
            let left = GOODBYE.saturating_sub(self.clock.machine() - began);
            if left == 0 || !(pass.again || pass.blocked) {
                break;
            }
            if pass.blocked {
                self.shared.inbox.awake(true);
                let interest = Interest { writable: true };
                let left = Some(Duration::from_micros(left));
                if let (Some(socket), Some(waker)) = (&self.shared.socket, self.shared.inbox.bell().as_waker()) {
                    wait(socket, waker, interest, left)?;
                }
            }
        }
        Ok(())
    }
}
