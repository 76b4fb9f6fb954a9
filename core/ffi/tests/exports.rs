//! The shared library exports the ABI and nothing else.

use std::path::PathBuf;
use std::process::Command;

fn library() -> PathBuf {
    // This test is target/<profile>/deps/exports-<hash>; the library was built for it, beside it or one above.
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let found = [deps.clone(), deps.parent().unwrap().to_path_buf()]
        .into_iter()
        .map(|folder| folder.join("libclutchcall_core_ffi.so"))
        .filter(|path| path.exists())
        .max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    found.expect("cargo builds the cdylib with its tests")
}

#[test]
#[cfg(target_os = "linux")]
fn only_cc_symbols_are_exported() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    assert!(output.status.success());
    let listing = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let foreign: Vec<_> = names.iter().filter(|name| !name.starts_with("cc_")).collect();
    assert!(foreign.is_empty(), "also exported: {foreign:?}");
    let header = include_str!("../include/clutchcall.h");
    let declared: Vec<&str> = header
        .lines()
        .filter_map(|line| line.strip_prefix("int32_t "))
        .filter_map(|line| line.split('(').next())
        .collect();
    assert!(declared.len() > 20);
    for name in &declared {
        assert!(names.contains(name), "{name} is declared and not exported");
    }
    assert_eq!(names.len(), declared.len(), "{names:?}");
}
