"""Each lint finds what it is for, names file and line, and leaves alone what only looks like it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tools import lints
from tools.rust_text import product_code, without_comments


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("let now = std::time::Instant::now();", "Instant::now"),
        ("let t = SystemTime::now();", "SystemTime::now"),
        ("use std::net::{SocketAddr, UdpSocket};", "UdpSocket"),
        ("use std::thread;", "std::thread"),
        ("thread::sleep(pause);", "thread::sleep"),
        ("let x = rand::thread_rng();", "thread_rng"),
    ],
)
def test_a_pure_crate_that_reaches_outside_is_found_by_line(tmp_path: Path, line: str, word: str) -> None:
    write(tmp_path, "core/engine/src/lib.rs", f"//! Engine.\n\nfn f() {{\n    {line}\n}}\n")
    (found,) = lints.sans_io(tmp_path)
    assert found.where == "core/engine/src/lib.rs:4"
    assert f"`{word}`" in found.what


def test_comments_strings_tests_and_other_crates_may_name_the_clock(tmp_path: Path) -> None:
    write(
        tmp_path,
        "core/wire/src/lib.rs",
        r"""
        //! Never calls Instant::now().
        /* nor /* nested */ SystemTime::now() */
        const A: &str = "Instant::now";
        const B: &str = r#"a " Instant::now "#;
        const C: char = '"';
        fn f<'a>(now: Instant) -> &'a str { "\"Instant::now" }
        #[cfg(test)]
        mod slow;
        #[cfg(test)]
        #[allow(dead_code)]
        mod tests {
            fn clock() { let x = [1; 2]; Instant::now(); }
        }
        #[cfg(all(test, unix))]
        fn helper(x: [u8; 3]) -> Instant { Instant::now() }
        struct S {
            #[cfg(test)]
            at: UdpSocket,
            b: u8,
        }
        """,
    )
    write(tmp_path, "core/wire/src/slow.rs", "fn f() { Instant::now(); }\n")
    write(tmp_path, "core/wire/src/vectors.rs", "#![cfg(test)]\nfn f() { Instant::now(); }\n")
    write(tmp_path, "core/udp/src/lib.rs", "fn f() { Instant::now(); }\n")
    assert lints.sans_io(tmp_path) == []


def test_code_behind_a_test_module_is_product_code_again() -> None:
    code, modules = product_code("#[cfg(test)]\nmod t { fn a() {} }\nfn b() { Instant::now(); }\n")
    assert "Instant::now" in code
    assert "mod t" not in code
    assert modules == []


def test_a_condition_that_also_holds_outside_tests_exempts_nothing() -> None:
    code, _ = product_code('#[cfg(any(test, feature = "x"))]\nfn b() { Instant::now(); }\n')
    assert "Instant::now" in code


@pytest.mark.parametrize("text", ["/* open", 'r#"open', '"open', "#[cfg(test)]", "#[cfg(test)] mod x {", "'"])
def test_broken_rust_keeps_its_length(text: str) -> None:
    assert len(product_code(text)[0]) == len(text)
    assert len(without_comments(text)) == len(text)


def test_a_token_library_in_the_core_is_policy(tmp_path: Path) -> None:
    write(tmp_path, "core/ffi/src/auth.rs", '// No JWT here.\nuse x;\nconst T: &str = "jwt";\n')
    write(tmp_path, "core/ffi/Cargo.toml", "[dependencies]\nbytes = '1'\ntoml = '1'\n")
    write(
        tmp_path, "core/ffi/src/generated.rs", "// Generated from the IDL; do not edit.\nconst JWT: u8 = 0;\n"
    )
    assert sorted(finding.where for finding in lints.policy(tmp_path)) == [
        "core/ffi/Cargo.toml",
        "core/ffi/src/auth.rs:3",
    ]


def test_registry_hosts_are_found_in_any_text_and_standard_sources_are_not(tmp_path: Path) -> None:
    host = ".".join(("files", "pythonhosted", "org"))
    standard = "registry+https://github.com/rust-lang/" + "crates.io-index"
    write(tmp_path, "docs/a.md", f"fine\nhttps://{host}/x\n")
    write(tmp_path, "core/Cargo.lock", f'source = "{standard}"\nsource = "registry+https://mirror.test/i"\n')
    write(tmp_path, "node_modules/x/package.json", host)
    write(tmp_path, "b.md", "see https://packages.corp.test/simple\n")
    found = {finding.where for finding in lints.hosts(tmp_path, {})}
    assert found == {"docs/a.md:2", "core/Cargo.lock:2"}
    mine = {"PIP_INDEX_URL": "https://me@packages.corp.test/simple", "UV_INDEX_URL": "http://127.0.0.1:1/"}
    assert "b.md:1" in {finding.where for finding in lints.hosts(tmp_path, mine)}


def test_long_files_are_warned_of_unless_generated(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "x\n" * (lints.LONG + 1))
    write(tmp_path, "b.py", "x\n" * lints.LONG)
    write(tmp_path, "c.rs", "// @generated\n" + "x\n" * lints.LONG)
    write(tmp_path, "d.py", "# generated from x.json by a compiler; do not edit\n" + "x\n" * lints.LONG)
    (found,) = lints.long_files(tmp_path)
    assert (found.where, found.warning) == ("a.py", True)


def test_the_header_and_the_core_name_the_same_functions(tmp_path: Path) -> None:
    write(
        tmp_path,
        "core/ffi/include/clutchcall.h",
        """
        /* cc_gone(); was here. */
        int32_t cc_same(uint8_t *buf,
                        uint32_t cap);
        int32_t cc_none(void);
        int32_t cc_more(int32_t a, int32_t b);
        int32_t cc_missing(int32_t a);
        """,
    )
    write(
        tmp_path,
        "core/ffi/src/calls/a.rs",
        """
        pub unsafe extern "C" fn cc_same(buf: *mut u8, cap: u32,) -> i32 { 0 }
        pub extern "C" fn cc_none() -> i32 { 0 }
        pub extern "C" fn cc_more(a: i32) -> i32 { 0 }
        pub extern "C" fn cc_secret(a: i32) -> i32 { 0 }
        // fn cc_missing(a: i32)
        """,
    )
    told = " ".join(finding.what for finding in lints.header(tmp_path))
    assert "`cc_missing` is declared, but" in told
    assert "`cc_secret` is defined in" in told
    assert "`cc_more` is declared with 2 parameters and defined with 1" in told
    assert not any(name in told for name in ("cc_same", "cc_none", "cc_gone"))


def test_versions_agree(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", '[project]\nversion = "1.2.3"\n')
    write(tmp_path, "core/Cargo.toml", '[workspace.package]\nversion = "1.2.3"\n')
    package = write(tmp_path, "unity_package/com.x/package.json", '{"version": "1.2.3"}')
    assert lints.versions(tmp_path) == []
    package.write_text('{"version": "1.2.4"}', encoding="utf-8")
    (found,) = lints.versions(tmp_path)
    assert found.where == "unity_package/com.x/package.json"


def test_a_lock_belongs_to_its_requirements(tmp_path: Path) -> None:
    source = write(tmp_path, "requirements/runtime.in", "numpy\n")
    assert [finding.where for finding in lints.locks(tmp_path)] == ["requirements/runtime.lock"]
    write(tmp_path, "requirements/runtime.lock", f"{lints.lock_mark(source)}\nnumpy==1\n")
    assert lints.locks(tmp_path) == []
    source.write_text("numpy>=2\n", encoding="utf-8")
    assert len(lints.locks(tmp_path)) == 1
