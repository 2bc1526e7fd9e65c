//! The tenant's own memory across calls: at most 64 KiB a value and 16 MiB a tenant, keys of 1 to 256 bytes.
//!
//! Every function fails with [`Failure::Invalid`](crate::Failure::Invalid) for a key of another length and with
//! [`Failure::Limit`](crate::Failure::Limit) when the memory is full.

use crate::host;
use crate::words::Result;
use std::time::Duration;

/// The value under a key.
pub fn get(key: &str) -> Result<Option<Vec<u8>>> {
    host::kv_get(key)
}

/// The value under a key as text; what is not UTF-8 reads as none.
pub fn get_text(key: &str) -> Result<Option<String>> {
    Ok(host::kv_get(key)?.and_then(|value| String::from_utf8(value).ok()))
}

/// Kept until deleted.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result {
    host::kv_set(key, value.as_ref(), None)
}

/// Kept for so long, in whole seconds.
pub fn set_for(key: &str, value: impl AsRef<[u8]>, keep: Duration) -> Result {
    host::kv_set(key, value.as_ref(), Some(u32::try_from(keep.as_secs()).unwrap_or(u32::MAX)))
}

/// Sets only if the value still is `was`; answers whether it was.
pub fn swap(key: &str, was: Option<&[u8]>, value: impl AsRef<[u8]>) -> Result<bool> {
    host::kv_swap(key, was, value.as_ref())
}

/// Adds to a number kept as decimal text, 0 if there is none; answers the sum.
pub fn add(key: &str, amount: i32) -> Result<i32> {
    host::kv_add(key, amount)
}

/// Done also when there was nothing.
pub fn delete(key: &str) -> Result {
    host::kv_delete(key)
}
