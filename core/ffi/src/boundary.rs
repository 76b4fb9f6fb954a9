//! What every call passes through: panics caught, sizes and nulls checked, failures told in words.

use std::borrow::Cow;
use std::cell::RefCell;
use std::mem::{size_of, MaybeUninit};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

use cc_shard::NodeError;
use cc_wire::Profile;

use crate::generated::*;

/// Why a call failed: a status, and one line that says what, where and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: i32,
    pub(crate) text: Cow<'static, str>,
}

/// What the body of a call answers.
pub(crate) type Answer<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(status: i32, text: impl Into<Cow<'static, str>>) -> Failure {
        Failure { status, text: text.into() }
    }

    /// The caller's argument is wrong.
    pub(crate) fn argument(text: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(status::BAD_ARGUMENT, text)
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Failure {
        let status = match error {
            NodeError::Closed | NodeError::Unknown => status::CLOSED,
            NodeError::Full => status::LIMIT,
            NodeError::WrongDrive => status::BAD_STATE,
        };
        Failure::new(status, error.to_string())
    }
}

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a call's body, and turns what it answers into a status.
pub(crate) fn call(name: &'static str, body: impl FnOnce() -> Answer) -> i32 {
    // What a panic leaves behind is only reached through locks and handles that check for it.
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return status::OK,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(status::PANIC, "a fault inside the core; close the object, and please report it"),
    };
    let status = failure.status;
    // A thread that is ending has no place for words any more; its status stands.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.clear();
            last.push_str(name);
            last.push_str(": ");
            last.push_str(&failure.text);
        }
    });
    status
}

/// A struct that begins with its size, as the IDL has it.
///
/// # Safety
/// `repr(C)`, begins with a `u32` size, and any bytes of the caller's form a value.
pub(crate) unsafe trait Versioned: Copy {
    /// All zero and empty.
    const EMPTY: Self;
    /// The size of the first version that had it.
    const FIRST: usize;
}

macro_rules! versioned {
    ($($name:ident = $first:expr),* $(,)?) => {$(
        // SAFETY: generated: `repr(C)`, `size` first, only integers, pointers and arrays of them.
        unsafe impl Versioned for $name {
            const EMPTY: Self = $name::EMPTY;
            const FIRST: usize = $first;
        }
    )*};
}

versioned! {
    CcVersion = size_of::<CcVersion>(),
    CcNodeConfig = size_of::<CcNodeConfig>(),
    CcNodeStats = size_of::<CcNodeStats>(),
    CcLinkConfig = size_of::<CcLinkConfig>(),
    CcLinkStats = size_of::<CcLinkStats>(),
    CcStamp = size_of::<CcStamp>(),
    CcTrackConfig = size_of::<CcTrackConfig>(),
    CcRepeat = size_of::<CcRepeat>(),
    CcOpusConfig = size_of::<CcOpusConfig>(),
    CcTrackStats = size_of::<CcTrackStats>(),
    CcSubscribeConfig = size_of::<CcSubscribeConfig>(),
    CcSubscriptionStats = size_of::<CcSubscriptionStats>(),
    CcBatch = size_of::<CcBatch>(),
}

/// The size that the caller wrote into a struct, if it is one that is known.
///
/// # Safety
/// `at` is null or points to at least the struct's size field.
unsafe fn size_at<T: Versioned>(at: *const T, what: &'static str) -> Answer<usize> {
    if at.is_null() {
        return Err(Failure::argument(format!("{what} is null")));
    }
    // SAFETY: the caller's promise; every such struct begins with a u32.
    let size = unsafe { at.cast::<u32>().read_unaligned() } as usize;
    if size < T::FIRST || size > size_of::<T>() {
        return Err(Failure::new(
            status::VERSION_MISMATCH,
            format!(
                "{what}.size is {size}, this library knows {} to {}: set it to the struct's size, and use the header \
                 that belongs to the library",
                T::FIRST,
                size_of::<T>()
            ),
        ));
    }
    Ok(size)
}

/// Reads a struct; fields that an older caller does not have are empty.
///
/// # Safety
/// `at` is null or points to a struct of the size that it says.
pub(crate) unsafe fn read<T: Versioned>(at: *const T, what: &'static str) -> Answer<T> {
    // SAFETY: the caller's promise.
    let size = unsafe { size_at(at, what) }?;
    let mut value = MaybeUninit::new(T::EMPTY);
    // SAFETY: `size` bytes are readable by the promise, writable as it is at most the struct's; both are bytes of `T`.
    unsafe {
        ptr::copy_nonoverlapping(at.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), size);
        Ok(value.assume_init())
    }
}

/// Where a struct goes to; checked before the work is done, written after it.
pub(crate) struct Out<T> {
    at: *mut T,
    size: usize,
}

impl<T: Versioned> Out<T> {
    /// Checks the place.
    ///
    /// # Safety
    /// `at` is null or points to a writable struct of the size that it says, until [`write`](Out::write).
    pub(crate) unsafe fn new(at: *mut T, what: &'static str) -> Answer<Out<T>> {
        // SAFETY: the caller's promise.
        let size = unsafe { size_at(at, what) }?;
        Ok(Out { at, size })
    }

    /// Writes as much of the struct as the caller has room for; the size stays the caller's.
    pub(crate) fn write(self, value: T) {
        let head = size_of::<u32>();
        // SAFETY: by the promise to `new`, `size` bytes are writable; `size` is at most the struct's.
        unsafe {
            let from = ptr::from_ref(&value).cast::<u8>().add(head);
            ptr::copy_nonoverlapping(from, self.at.cast::<u8>().add(head), self.size - head);
        }
    }
}

/// Checks that an out-parameter is there.
pub(crate) fn present<T>(at: *mut T, what: &'static str) -> Answer<*mut T> {
    if at.is_null() {
        return Err(Failure::argument(format!("{what} is null: the answer needs a place")));
    }
    Ok(at)
}

/// Writes a text or other bytes into the caller's buffer, and its length beside it.
///
/// # Safety
/// `buf` is null or has `cap` writable bytes; `len` is null or writable.
pub(crate) unsafe fn put(text: &[u8], buf: *mut u8, cap: u32, len: *mut u32) -> Answer {
    let len = present(len, "len")?;
    let need = text.len() as u32;
    // SAFETY: not null, and writable by the caller's promise.
    unsafe { len.write_unaligned(need) };
    if need > cap || (buf.is_null() && need > 0) {
        return Err(Failure::new(
            status::BUFFER_TOO_SMALL,
            format!("the buffer holds {cap} bytes, {need} are needed: call again with that many"),
        ));
    }
    if need > 0 {
        // SAFETY: not null, `cap` bytes writable by the caller's promise, and `need` is at most that.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), buf, text.len()) };
    }
    Ok(())
}

/// As [`put`], for modules that answer texts.
///
/// # Safety
/// As [`put`].
pub(crate) unsafe fn put_text(text: &str, buf: *mut u8, cap: u32, len: *mut u32) -> Answer {
    // SAFETY: the caller's promise.
    unsafe { put(text.as_bytes(), buf, cap, len) }
}

/// What this library is.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_version(version: *mut CcVersion) -> i32 {
    call("cc_version", || {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(version, "version") }?;
        let build = concat!("clutchcall_core_ffi ", env!("CARGO_PKG_VERSION"));
        out.write(CcVersion {
            abi: ABI_VERSION,
            drafts: Profile::PREFERRED.iter().fold(0, |bits, profile| bits | 1 << profile.number()),
            build: CcStr { ptr: build.as_ptr(), len: build.len() as u32, reserved: 0 },
            ..CcVersion::EMPTY
        });
        Ok(())
    })
}

/// A status in words.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_status_text(value: i32, buf: *mut u8, cap: u32, len: *mut u32) -> i32 {
    call("cc_status_text", || {
        let text =
            status_text(value).ok_or_else(|| Failure::argument(format!("{value} is no status of this library")))?;
        // SAFETY: the caller's promise.
        unsafe { put(text.as_bytes(), buf, cap, len) }
    })
}

/// This thread's last failed call in words. Does not count as a call itself, so it may be asked again with more room.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_last_error(buf: *mut u8, cap: u32, len: *mut u32) -> i32 {
    let answer = catch_unwind(AssertUnwindSafe(|| {
        let text = LAST.try_with(|last| last.borrow().clone()).unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { put(text.as_bytes(), buf, cap, len) }
    }));
    match answer {
        Ok(Ok(())) => status::OK,
        Ok(Err(failure)) => failure.status,
        Err(_) => status::PANIC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_with_words() {
        assert_eq!(call("cc_test", || panic!("inside")), status::PANIC);
        LAST.with(|last| assert!(last.borrow().starts_with("cc_test: a fault inside the core")));
    }
}
