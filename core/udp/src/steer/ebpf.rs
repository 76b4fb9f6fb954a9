//! The hash as an eBPF program of type SK_REUSEPORT, loaded through bpf(2). Its packet begins at the UDP header; it
//! chooses from a table of sockets by index, so that a socket's place does not depend on the others'.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{Steering, LONG, LONG_ID, SHORT_ID};

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const MAP_TYPE_REUSEPORT_SOCKARRAY: u32 = 20;
const PROG_TYPE_SK_REUSEPORT: u32 = 21;
const HELPER_SKB_LOAD_BYTES: i32 = 26;
const HELPER_SK_SELECT_REUSEPORT: i32 = 82;
const PSEUDO_MAP_FD: u8 = 1;
/// "Deliver it": to the chosen socket, or where none was chosen to the one that the kernel picks.
const SK_PASS: i32 = 1;
/// The UDP header before the payload.
const HEADER: i32 = 8;

/// The program and its table, in use for as long as a socket of the group is open.
#[derive(Debug)]
pub(super) struct Program {
    _table: OwnedFd,
    _code: OwnedFd,
}

/// Puts the program before a group of bound sockets; `fds` in the order of their shards.
pub(super) fn attach(fds: &[RawFd], steering: &Steering) -> io::Result<Program> {
    let table = create_table(fds.len() as u32)?;
    for (index, &fd) in (0_u32..).zip(fds) {
        let value = fd as u64;
        let mut wish = Element {
            table: table.as_raw_fd() as u32,
            key: (&raw const index) as u64,
            value: (&raw const value) as u64,
            ..Element::default()
        };
        bpf(MAP_UPDATE_ELEM, &mut wish)?;
    }
    let code = load(&program(steering, table.as_raw_fd()))?;
    let number: libc::c_int = code.as_raw_fd();
    // SAFETY: `number` is an integer of the stated size, read during the call.
    let done = unsafe {
        libc::setsockopt(
            fds[0],
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_EBPF,
            (&raw const number).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Program { _table: table, _code: code })
}

/// One instruction, as the kernel reads it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Op {
    code: u8,
    /// Destination in the low four bits, source in the high four.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn op(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Op {
    Op { code, registers: from << 4 | to, offset, immediate }
}

// Classes and modes that the program is made of (linux/bpf.h, linux/bpf_common.h).
const MOV64_K: u8 = 0xb7;
const MOV64_X: u8 = 0xbf;
const ADD64_K: u8 = 0x07;
const LOAD_BYTE: u8 = 0x71;
const LOAD_WORD: u8 = 0x61;
const STORE_WORD: u8 = 0x63;
const LOAD_64: u8 = 0x18;
const BIG_ENDIAN: u8 = 0xdc;
const MUL32_K: u8 = 0x24;
const ADD32_X: u8 = 0x0c;
const ADD32_K: u8 = 0x04;
const SHIFT_RIGHT32_K: u8 = 0x74;
const JUMP_NOT_EQUAL: u8 = 0x55;
const JUMP_SET: u8 = 0x45;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

// r1 to r5 are a call's arguments, r0 its result, r10 the stack's top; r6 to r9 outlive calls.
const BYTES: i16 = -16;
const INDEX: i16 = -20;

fn program(steering: &Steering, table: RawFd) -> Vec<Op> {
    let [x, y, z] = steering.key.map(|word| word as i32);
    let first = [
        op(MOV64_X, 6, 1, 0, 0),
        op(MOV64_K, 7, 0, 0, 0),
        // The first byte tells which header it is.
        op(MOV64_K, 2, 0, 0, HEADER),
        op(MOV64_X, 3, 10, 0, 0),
        op(ADD64_K, 3, 0, 0, i32::from(BYTES)),
        op(MOV64_K, 4, 0, 0, 1),
        op(CALL, 0, 0, 0, HELPER_SKB_LOAD_BYTES),
    ];
    let choice = [
        op(LOAD_BYTE, 1, 10, BYTES, 0),
        op(MOV64_K, 2, 0, 0, HEADER + LONG_ID as i32),
        op(JUMP_SET, 1, 0, 1, i32::from(LONG)),
        op(MOV64_K, 2, 0, 0, HEADER + SHORT_ID as i32),
        // The id's first eight bytes.
        op(MOV64_X, 1, 6, 0, 0),
        op(MOV64_X, 3, 10, 0, 0),
        op(ADD64_K, 3, 0, 0, i32::from(BYTES)),
        op(MOV64_K, 4, 0, 0, super::HASHED as i32),
        op(CALL, 0, 0, 0, HELPER_SKB_LOAD_BYTES),
    ];
    let hash = [
        op(LOAD_WORD, 7, 10, BYTES, 0),
        op(BIG_ENDIAN, 7, 0, 0, 32),
        op(MUL32_K, 7, 0, 0, x),
        op(LOAD_WORD, 8, 10, BYTES + 4, 0),
        op(BIG_ENDIAN, 8, 0, 0, 32),
        op(MUL32_K, 8, 0, 0, y),
        op(ADD32_X, 7, 8, 0, 0),
        op(ADD32_K, 7, 0, 0, z),
        op(SHIFT_RIGHT32_K, 7, 0, 0, 16),
        op(MUL32_K, 7, 0, 0, steering.shards as i32),
        op(SHIFT_RIGHT32_K, 7, 0, 0, 16),
    ];
    let select = [
        op(STORE_WORD, 10, 7, INDEX, 0),
        op(MOV64_X, 1, 6, 0, 0),
        op(LOAD_64, 2, PSEUDO_MAP_FD, 0, table),
        op(0, 0, 0, 0, 0),
        op(MOV64_X, 3, 10, 0, 0),
        op(ADD64_K, 3, 0, 0, i32::from(INDEX)),
        op(MOV64_K, 4, 0, 0, 0),
        op(CALL, 0, 0, 0, HELPER_SK_SELECT_REUSEPORT),
        op(MOV64_K, 0, 0, 0, SK_PASS),
        op(EXIT, 0, 0, 0, 0),
    ];
    // A packet that is too short to have an id is for the first shard.
    let to_select = |ops: usize| op(JUMP_NOT_EQUAL, 0, 0, ops as i16, 0);
    let mut code = first.to_vec();
    code.push(to_select(choice.len() + 1 + hash.len()));
    code.extend(choice);
    code.push(to_select(hash.len()));
    code.extend(hash);
    code.extend(select);
    code
}

/// bpf(2)'s argument to create a map: the fields that are used.
#[derive(Default)]
#[repr(C)]
struct Table {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    rest: [u32; 3],
}

/// To set an element of a map.
#[derive(Default)]
#[repr(C)]
struct Element {
    table: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// To load a program.
#[derive(Default)]
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    ops: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
}

fn create_table(entries: u32) -> io::Result<OwnedFd> {
    let kind = MAP_TYPE_REUSEPORT_SOCKARRAY;
    let mut wish = Table { kind, key_size: 4, value_size: 8, max_entries: entries, ..Table::default() };
    let fd = bpf(MAP_CREATE, &mut wish)?;
    // SAFETY: the kernel just opened `fd` for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn load(code: &[Op]) -> io::Result<OwnedFd> {
    let license = c"MIT";
    let mut wish = Load {
        kind: PROG_TYPE_SK_REUSEPORT,
        count: code.len() as u32,
        ops: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..Load::default()
    };
    let fd = bpf(PROG_LOAD, &mut wish)?;
    // SAFETY: the kernel just opened `fd` for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: libc::c_int, wish: &mut T) -> io::Result<RawFd> {
    // SAFETY: `wish` is one of bpf(2)'s argument structures, of the stated size; what its pointers name outlives the
    // call. The kernel takes a shorter structure than its own as one with zeros behind it.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(wish), mem::size_of::<T>()) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(done as RawFd)
}
