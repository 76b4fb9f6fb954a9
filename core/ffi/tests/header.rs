//! The header as a C program sees it: `smoke.c` is compiled with warnings as errors against `include/clutchcall.h`,
//! linked with the built library, and run with a certificate made for the occasion.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The shared library that cargo builds beside this test.
fn library() -> PathBuf {
    let name = if cfg!(target_os = "macos") { "libclutchcall_core_ffi.dylib" } else { "libclutchcall_core_ffi.so" };
    let test = std::env::current_exe().expect("this test's own path");
    let found = test.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not beside {}", test.display()))
}

/// A folder of this test's own below cargo's.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&path).expect("a folder for the test");
    path
}

fn compile(args: &[&str], source: &Path, to: &Path) -> Output {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(include)
        .arg(source)
        .args(args)
        .arg("-o")
        .arg(to)
        .output()
        .expect("a C compiler; set CC if it is not cc")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_c_program_plays_through_the_whole_abi() {
    let folder = folder("smoke");
    let program = folder.join("smoke");
    let library = library();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smoke.c");
    let beside = format!("-Wl,-rpath,{}", library.parent().expect("a folder").display());
    let built = compile(&[library.to_str().expect("a path in UTF-8"), &beside], &source, &program);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem()).expect("written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let sha256 = hex(ring::digest::digest(&ring::digest::SHA256, made.cert.der()).as_ref());

    // The program ends itself, by an alarm if need be.
    let output = Command::new(&program).args([&certificate, &key]).arg(&sha256).output().expect("the program starts");
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"ok\n");
    fs::remove_dir_all(&folder).expect("the folder goes");
}
