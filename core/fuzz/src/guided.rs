//! The coverage-guided run: libFuzzer's own command line, and the target's name in `CC_FUZZ_TARGET`.
//!
//! Unsafe code: none written here, but libFuzzer's entry point is a C function, which its macro makes.

#![no_main]

use std::sync::OnceLock;

use cc_fuzz::{find, Target};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("CC_FUZZ_TARGET").unwrap_or_default();
    find(&name).unwrap_or_else(|| panic!("CC_FUZZ_TARGET names no target: {name:?}"))
}

libfuzzer_sys::fuzz_target!(init: { TARGET.get_or_init(chosen); }, |data: &[u8]| {
    (TARGET.get_or_init(chosen).run)(data)
});
