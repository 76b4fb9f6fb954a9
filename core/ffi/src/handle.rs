//! Handles: 64-bit names of what callers opened.
//!
//! A handle carries its kind (8 bits, never 0), a generation (24 bits) and a place in the table (32 bits). A place that
//! is used again has another generation, so a stale handle is told from a live one; a place whose generations are used
//! up is left empty. The table's lock is held for a look-up or a change, never while a call does its work.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::boundary::{Answer, Failure};
use crate::generated::status;
use crate::link::Link;
use crate::node::NodeBox;
use crate::opus::{OpusDecoder, OpusEncoder};
use crate::session::Session;
use crate::subscribe::Subscription;
use crate::track::Track;

/// Most handles at once: 40 bytes each.
const HANDLES: usize = 1 << 20;
const GENERATIONS: u32 = 1 << 24;

/// What a handle can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Node = 1,
    Link = 2,
    Session = 3,
    Publication = 4,
    Subscription = 5,
    OpusEncoder = 6,
    OpusDecoder = 7,
}

impl Kind {
    fn of(handle: u64) -> Option<Kind> {
        match (handle >> 56) as u8 {
            1 => Some(Kind::Node),
            2 => Some(Kind::Link),
            3 => Some(Kind::Session),
            4 => Some(Kind::Publication),
            5 => Some(Kind::Subscription),
            6 => Some(Kind::OpusEncoder),
            7 => Some(Kind::OpusDecoder),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Node => "node",
            Kind::Link => "link",
            Kind::Session => "session",
            Kind::Publication => "publication",
            Kind::Subscription => "subscription",
            Kind::OpusEncoder => "Opus encoder",
            Kind::OpusDecoder => "Opus decoder",
        }
    }
}

/// What a handle names.
#[derive(Clone)]
pub(crate) enum Object {
    Node(Arc<NodeBox>),
    Link(Arc<Link>),
    Session(Arc<Session>),
    Publication(Arc<Track>),
    Subscription(Arc<Subscription>),
    OpusEncoder(Arc<OpusEncoder>),
    OpusDecoder(Arc<OpusDecoder>),
}

/// Something that handles of one kind name.
pub(crate) trait Named: Sized {
    const KIND: Kind;
    fn wrap(object: Arc<Self>) -> Object;
    fn unwrap(object: &Object) -> Option<&Arc<Self>>;
}

macro_rules! named {
    ($($type:ident as $kind:ident),* $(,)?) => {$(
        impl Named for $type {
            const KIND: Kind = Kind::$kind;
            fn wrap(object: Arc<Self>) -> Object {
                Object::$kind(object)
            }
            fn unwrap(object: &Object) -> Option<&Arc<Self>> {
                match object {
                    Object::$kind(object) => Some(object),
                    _ => None,
                }
            }
        }
    )*};
}

named!(
    NodeBox as Node,
    Link as Link,
    Session as Session,
    Track as Publication,
    Subscription as Subscription,
    OpusEncoder as OpusEncoder,
    OpusDecoder as OpusDecoder,
);

struct Slot {
    generation: u32,
    object: Option<Object>,
}

struct Table {
    slots: Vec<Slot>,
    /// Oldest first, so that a place rests as long as possible before it is used again.
    free: VecDeque<u32>,
}

static TABLE: RwLock<Table> = RwLock::new(Table { slots: Vec::new(), free: VecDeque::new() });

fn look() -> RwLockReadGuard<'static, Table> {
    TABLE.read().unwrap_or_else(PoisonError::into_inner)
}

fn change() -> RwLockWriteGuard<'static, Table> {
    TABLE.write().unwrap_or_else(PoisonError::into_inner)
}

fn pack(kind: Kind, generation: u32, index: u32) -> u64 {
    (kind as u64) << 56 | u64::from(generation) << 32 | u64::from(index)
}

fn unpack(handle: u64) -> (u32, usize) {
    ((handle >> 32) as u32 & (GENERATIONS - 1), (handle & 0xffff_ffff) as usize)
}

impl Table {
    fn slot(&self, handle: u64) -> Option<&Slot> {
        let (generation, index) = unpack(handle);
        self.slots.get(index).filter(|slot| slot.generation == generation)
    }

    fn reserve(&mut self, kind: Kind) -> Answer<u64> {
        let index = match self.free.pop_front() {
            Some(index) => index,
            None if self.slots.len() < HANDLES => {
                self.slots.push(Slot { generation: 1, object: None });
                (self.slots.len() - 1) as u32
            }
            None => {
                return Err(Failure::new(
                    status::LIMIT,
                    format!("{HANDLES} handles are open: close what is not needed any more"),
                ))
            }
        };
        Ok(pack(kind, self.slots[index as usize].generation, index))
    }

    fn release(&mut self, handle: u64) -> Option<Object> {
        let (generation, index) = unpack(handle);
        let slot = self.slots.get_mut(index).filter(|slot| slot.generation == generation)?;
        slot.generation += 1;
        let object = slot.object.take();
        if slot.generation < GENERATIONS {
            self.free.push_back(index as u32);
        }
        object
    }
}

/// Forgets every handle; the next ones are as in a new process.
pub(crate) fn start_over() {
    let forgotten = std::mem::replace(&mut *change(), Table { slots: Vec::new(), free: VecDeque::new() });
    // Outside the lock: what ends here may let go of handles of its own.
    drop(forgotten);
}

/// A handle that names nothing yet; given back when dropped unfilled.
pub(crate) struct Reserved(u64);

impl Reserved {
    /// A new handle of a kind.
    pub(crate) fn new(kind: Kind) -> Answer<Reserved> {
        change().reserve(kind).map(Reserved)
    }

    /// The handle.
    pub(crate) fn handle(&self) -> u64 {
        self.0
    }

    /// Lets it name `object` from now on.
    pub(crate) fn fill<T: Named>(self, object: Arc<T>) -> u64 {
        let handle = self.0;
        std::mem::forget(self);
        let (generation, index) = unpack(handle);
        let mut table = change();
        if let Some(slot) = table.slots.get_mut(index).filter(|slot| slot.generation == generation) {
            slot.object = Some(T::wrap(object));
        }
        handle
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        change().release(self.0);
    }
}

/// What a handle names.
///
/// # Errors
/// BAD_HANDLE: none, of another kind, or closed.
pub(crate) fn get<T: Named>(handle: u64) -> Answer<Arc<T>> {
    let found = view().get::<T>(handle);
    // The kind in the handle is checked by what it names; here it only makes the words right.
    found.ok_or_else(|| bad(handle, T::KIND.word(), Kind::of(handle) == Some(T::KIND)))
}

/// What a handle of several kinds names.
///
/// # Errors
/// BAD_HANDLE, as for [`get`]; `wanted` says in words what it should have been.
pub(crate) fn get_any(handle: u64, wanted: &'static str) -> Answer<Object> {
    let found = look().slot(handle).and_then(|slot| slot.object.clone());
    found.ok_or_else(|| bad(handle, wanted, Kind::of(handle).is_some()))
}

/// The table for many look-ups under one lock, during which nothing else is done.
pub(crate) struct View(RwLockReadGuard<'static, Table>);

/// See [`View`].
pub(crate) fn view() -> View {
    View(look())
}

impl View {
    /// What a handle names, if it is one of that kind and open.
    pub(crate) fn get<T: Named>(&self, handle: u64) -> Option<Arc<T>> {
        self.0.slot(handle).and_then(|slot| slot.object.as_ref()).and_then(T::unwrap).cloned()
    }

    /// Whether a handle was made as one of a kind, closed or not.
    pub(crate) fn is_of(&self, handle: u64, kind: Kind) -> bool {
        let (generation, index) = unpack(handle);
        let made = |slot: &Slot| generation >= 1 && generation <= slot.generation;
        Kind::of(handle) == Some(kind) && self.0.slots.get(index).is_some_and(made)
    }
}

/// Takes what a handle names out of the table: the handle is stale from now on.
///
/// # Errors
/// As for [`get`].
pub(crate) fn take<T: Named>(handle: u64) -> Answer<Arc<T>> {
    let object = get::<T>(handle)?;
    // Two threads may close at once: the one that finds it in the table has it.
    match change().release(handle) {
        Some(_) => Ok(object),
        None => Err(bad(handle, T::KIND.word(), true)),
    }
}

/// Forgets a handle of whatever kind.
pub(crate) fn forget(handle: u64) {
    // Dropped after the lock is given back: the last owner of a node waits for its thread.
    let object = change().release(handle);
    drop(object);
}

/// The failure for a handle that is not what it should be.
pub(crate) fn bad(handle: u64, wanted: &'static str, right_kind: bool) -> Failure {
    let text = if handle == 0 {
        format!("0 is no {wanted}: open one first")
    } else if right_kind {
        format!("the {wanted} {handle:#x} was closed: open a new one")
    } else {
        format!("{handle:#x} is no {wanted}: pass the handle that its open call gave")
    };
    Failure::new(status::BAD_HANDLE, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table { slots: Vec::new(), free: VecDeque::new() }
    }

    #[test]
    fn a_place_used_again_has_another_handle() {
        let mut table = table();
        let first = table.reserve(Kind::Link).unwrap();
        assert!(table.slot(first).is_some());
        table.release(first);
        let second = table.reserve(Kind::Link).unwrap();
        assert_eq!(unpack(first).1, unpack(second).1);
        assert_ne!(first, second);
        assert!(table.slot(first).is_none() && table.slot(second).is_some());
        assert!(table.release(first).is_none(), "a stale handle releases nothing");
        assert!(table.slot(second).is_some());
    }

    #[test]
    fn a_place_whose_generations_are_used_up_rests() {
        let mut table = table();
        let first = table.reserve(Kind::Node).unwrap();
        table.slots[unpack(first).1].generation = GENERATIONS - 1;
        table.release(pack(Kind::Node, GENERATIONS - 1, 0));
        let second = table.reserve(Kind::Node).unwrap();
        assert_ne!(unpack(second).1, unpack(first).1);
    }

    #[test]
    fn a_handle_is_never_zero_and_carries_its_kind() {
        let mut table = table();
        let kinds = [Kind::Node, Kind::Link, Kind::Session, Kind::Publication, Kind::Subscription];
        for kind in kinds.into_iter().chain([Kind::OpusEncoder, Kind::OpusDecoder]) {
            let handle = table.reserve(kind).unwrap();
            assert_ne!(handle, 0);
            assert_eq!(Kind::of(handle), Some(kind));
        }
        assert_eq!(Kind::of(0), None);
        assert_eq!(Kind::of(u64::MAX), None);
    }
}
