//! The hash as a classic BPF filter. Its data begins at the UDP payload; its result is the number of a socket in the
//! order in which they were bound, and one beyond them leaves the choice to the kernel. A load behind the packet's end
//! gives 0.

use std::io;
use std::mem;
use std::os::fd::RawFd;

use libc::{
    sock_filter, sock_fprog, BPF_ABS, BPF_ADD, BPF_ALU, BPF_B, BPF_IMM, BPF_IND, BPF_JA, BPF_JMP, BPF_JSET, BPF_K,
    BPF_LD, BPF_LDX, BPF_MEM, BPF_MISC, BPF_MUL, BPF_RET, BPF_RSH, BPF_ST, BPF_TAX, BPF_W, BPF_X,
};

use super::{Steering, LONG, LONG_ID, SHORT_ID};

/// `ret a`, a code that libc does not name.
const BPF_A: u32 = 0x10;

const fn op(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

const fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

fn program(steering: &Steering) -> [sock_filter; 18] {
    let [x, y, z] = steering.key;
    [
        op(BPF_LD | BPF_B | BPF_ABS, 0),
        jump(BPF_JMP | BPF_JSET | BPF_K, u32::from(LONG), 0, 2),
        op(BPF_LDX | BPF_IMM, LONG_ID as u32),
        op(BPF_JMP | BPF_JA, 1),
        op(BPF_LDX | BPF_IMM, SHORT_ID as u32),
        op(BPF_LD | BPF_W | BPF_IND, 0),
        op(BPF_ALU | BPF_MUL | BPF_K, x),
        op(BPF_ST, 0),
        op(BPF_LD | BPF_W | BPF_IND, 4),
        op(BPF_ALU | BPF_MUL | BPF_K, y),
        op(BPF_MISC | BPF_TAX, 0),
        op(BPF_LD | BPF_MEM, 0),
        op(BPF_ALU | BPF_ADD | BPF_X, 0),
        op(BPF_ALU | BPF_ADD | BPF_K, z),
        op(BPF_ALU | BPF_RSH | BPF_K, 16),
        op(BPF_ALU | BPF_MUL | BPF_K, steering.shards),
        op(BPF_ALU | BPF_RSH | BPF_K, 16),
        op(BPF_RET | BPF_A, 0),
    ]
}

/// Puts the filter before the group that the bound socket `fd` belongs to.
pub(super) fn attach(fd: RawFd, steering: &Steering) -> io::Result<()> {
    let mut code = program(steering);
    let filter = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    // SAFETY: `filter` has the stated size and points at `code`, both read during the call.
    let done = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const filter).cast(),
            mem::size_of::<sock_fprog>() as libc::socklen_t,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
