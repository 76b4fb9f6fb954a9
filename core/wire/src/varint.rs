//! `vi64`: an integer whose count of leading one bits says how many bytes follow the first
//! (draft -18, section 1.4.1). All 64 bits fit; 0 to 127 take one byte.

use crate::{Reader, Result};

/// How many bytes [`put`] writes for `value`, 1 to 9.
pub fn len(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    match bits {
        0..=7 => 1,
        57.. => 9,
        _ => bits.div_ceil(7),
    }
}

/// Appends `value` in its shortest form.
pub fn put(out: &mut Vec<u8>, value: u64) {
    let len = len(value);
    if len == 1 {
        out.push(value as u8);
        return;
    }
    if len == 9 {
        out.push(0xff);
        out.extend_from_slice(&value.to_be_bytes());
        return;
    }
    let start = 8 - len;
    let mut bytes = value.to_be_bytes();
    bytes[start] |= !(0xff_u8 >> (len - 1));
    out.extend_from_slice(&bytes[start..]);
}

/// Reads one integer in any valid form, the shortest or not.
pub fn get(reader: &mut Reader<'_>) -> Result<u64> {
    let first = reader.u8()?;
    let extra = first.leading_ones() as usize;
    if extra == 0 {
        return Ok(u64::from(first));
    }
    let rest = reader.bytes(extra)?;
    let mut value = if extra >= 7 { 0 } else { u64::from(first & (0x7f_u8 >> extra)) };
    for byte in rest {
        value = value << 8 | u64::from(*byte);
    }
    Ok(value)
}
