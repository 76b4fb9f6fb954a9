//! The core's library for tests: its whole C ABI, and a world in virtual time in which its nodes stand.
//!
//! | call | |
//! |---|---|
//! | `cc_world_open(options, &world)` | a world; options as JSON: `seed`, `tls`, `log_bytes`, `qlog`, `live` |
//! | `cc_world_ask(world, question, &answer)` | all but the passing of time, JSON both ways ([`mod@ask`]) |
//! | `cc_world_place(world, place)` | where the nodes stand that `cc_node_open` opens from now on |
//! | `cc_world_run(world, until_us, &now_us, nodes, cap, &count)` | lets time pass until then, or until nodes have news |
//! | `cc_world_close(world)` | forgets it; its nodes must be closed before |
//!
//! Nodes are opened and used by the ABI's own calls, from whatever language. A process has one world at a time: opening
//! one forgets every handle, so that ids repeat. The programs in a world are its
//! owner's matter: they run between two calls of `cc_world_run`, and take no time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clutchcall_core_ffi::generated::CcStr;
use clutchcall_core_ffi::inside;

mod ask;
mod place;
mod qlog;
mod recorder;
mod world;

use world::{Options, World};

/// Most bytes of a question: a profile and its name.
const QUESTION: usize = 2 << 20;

/// The world and the last answer.
struct Open {
    number: u64,
    world: World,
    answer: String,
}

static OPEN: Mutex<Option<Open>> = Mutex::new(None);
static OPENED: Mutex<u64> = Mutex::new(0);

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with the world called `number`.
fn with<T>(number: u64, act: impl FnOnce(&mut Open) -> Result<T, String>) -> Result<T, String> {
    match &mut *lock(&OPEN) {
        Some(open) if open.number == number => act(open),
        _ => Err(format!("there is no world {number}")),
    }
}

/// Writes through a pointer that the caller gave.
///
/// # Safety
/// It is null or writable.
unsafe fn write<T>(at: *mut T, value: T, what: &str) -> Result<(), String> {
    if at.is_null() {
        return Err(format!("{what} is null"));
    }
    // SAFETY: not null, and writable by the caller's promise.
    unsafe { at.write_unaligned(value) };
    Ok(())
}

/// Opens a world at time 0.
///
/// # Safety
/// As in the ABI: pointers are null or point to what their types say.
#[no_mangle]
pub unsafe extern "C" fn cc_world_open(options: CcStr, world: *mut u64) -> i32 {
    inside::call("cc_world_open", || {
        // SAFETY: the caller's promise.
        let text = unsafe { inside::utf8(options, "options", QUESTION) }?;
        let options: Options = serde_json::from_str(text).map_err(|error| format!("options: {error}"))?;
        let mut open = lock(&OPEN);
        if open.is_some() {
            return Err("a world is open already: close it, or use another process".into());
        }
        inside::start_over();
        inside::stand_on(Some(HOST));
        let mut number = lock(&OPENED);
        *number += 1;
        *open = Some(Open { number: *number, world: World::new(options), answer: String::new() });
        // SAFETY: the caller's promise.
        unsafe { write(world, *number, "world") }
    })
}

/// Closes a world.
#[no_mangle]
pub extern "C" fn cc_world_close(world: u64) -> i32 {
    inside::call("cc_world_close", || {
        with(world, |_| Ok(()))?;
        inside::stand_on(None);
        let closed = lock(&OPEN).take();
        // Outside the lock: nodes that are still open take their leave.
        drop(closed);
        inside::start_over();
        Ok(())
    })
}

/// Answers a question; the answer stays until the next one.
///
/// # Safety
/// As in the ABI.
#[no_mangle]
pub unsafe extern "C" fn cc_world_ask(world: u64, question: CcStr, answer: *mut CcStr) -> i32 {
    inside::call("cc_world_ask", || {
        // SAFETY: the caller's promise.
        let question = unsafe { inside::utf8(question, "question", QUESTION) }?;
        with(world, |open| {
            open.answer = ask::answer(&mut open.world, question)?;
            let length = u32::try_from(open.answer.len()).map_err(|_| "the answer is beyond 4 GiB".to_owned())?;
            let text = CcStr { ptr: open.answer.as_ptr(), len: length, reserved: 0 };
            // SAFETY: the caller's promise.
            unsafe { write(answer, text, "answer") }
        })
    })
}

/// Has the nodes that are opened from now on, by whatever code, stand in a place of the world; beyond the last place:
/// none can be opened.
#[no_mangle]
pub extern "C" fn cc_world_place(world: u64, place: u32) -> i32 {
    inside::call("cc_world_place", || {
        with(world, |open| {
            open.world.standing = Some(place as usize).filter(|place| *place < open.world.places.len());
            Ok(())
        })
    })
}

/// How nodes are opened while there is a world.
const HOST: inside::Host = inside::Host { setting, opened, closing };

fn setting(handle: u64, config: &mut cc_shard::NodeConfig) -> Result<cc_shard::Setting, String> {
    let mut open = lock(&OPEN);
    let world = &mut open.as_mut().ok_or("there is no world")?.world;
    let place =
        world.standing.ok_or("a world is open, and no machine of it is named: open nodes in a program of one")?;
    world.setting(place, handle, config)
}

fn opened(handle: u64, opened: Option<inside::Opened>) {
    if let Some(open) = &mut *lock(&OPEN) {
        open.world.opened(handle, opened);
    }
}

fn closing(handle: u64) {
    if let Some(open) = &mut *lock(&OPEN) {
        open.world.closing(handle);
    }
}

/// Lets time pass until `until_us`, or until nodes have events or frames for their owner: their handles, at most `cap`.
///
/// # Safety
/// As in the ABI; `nodes` has room for `cap`.
#[no_mangle]
pub unsafe extern "C" fn cc_world_run(
    world: u64,
    until_us: u64,
    now_us: *mut u64,
    nodes: *mut u64,
    cap: u32,
    count: *mut u32,
) -> i32 {
    inside::call("cc_world_run", || {
        if nodes.is_null() && cap > 0 {
            return Err("nodes is null".into());
        }
        with(world, |open| {
            if open.world.options.live {
                return Err("this world is live: its time passes by itself".into());
            }
            let told = open.world.run(until_us, cap as usize);
            for (at, handle) in told.iter().enumerate() {
                // SAFETY: at most `cap` were told, and `nodes` has room for them by the caller's promise.
                unsafe { nodes.add(at).write_unaligned(*handle) };
            }
            // SAFETY: the caller's promise.
            unsafe {
                write(now_us, open.world.now, "now_us")?;
                write(count, told.len() as u32, "count")
            }
        })
    })
}
