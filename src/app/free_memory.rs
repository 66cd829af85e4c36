//! Returns freed memory to the operating system while the process is idle.
//!
//! mimalloc returns freed pages a second after they were freed, but only as part of a later call that frees pages.
//! An idle process makes no such call, so the memory of its last load would stay allocated.

use std::{hint::black_box, time::Duration};

use tokio::time;

/// Interval of returning pages whose delay in mimalloc has expired.
const INTERVAL: Duration = Duration::from_secs(5);
/// A block of this size has pages of its own, so freeing it frees pages. It is never written to, so it takes no
/// physical memory.
const BLOCK_BYTES: usize = 32 * 1024 * 1024;

/// Returns freed memory periodically, until the future is dropped.
pub(super) async fn return_freed_memory() {
    loop {
        time::sleep(INTERVAL).await;
        drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
    }
}
