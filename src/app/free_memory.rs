//! Returns freed memory to the operating system while a thread is idle.
//!
//! Each thread has a heap in mimalloc that only the thread itself can clean up. The heap keeps one empty page for each
//! size of blocks, of up to 4 MiB, and does not notice at once that other threads have freed its blocks. mimalloc
//! cleans up as a part of later allocations, and returns pages to the operating system a second after they were freed,
//! as a part of a later call that frees pages. An idle thread makes no such calls, so up to 90 MiB of the last load of
//! a process would stay allocated. Each thread that handles requests therefore makes these calls periodically. They
//! take 0.3 ms.
//!
//! `mi_collect` does the same, but calling it is unsafe.

use std::{hint::black_box, time::Duration};

use tokio::time;

/// Interval of the calls. What one call frees, the next one returns to the operating system.
const INTERVAL: Duration = Duration::from_secs(5);
/// Allocations that clean up the heap of a thread. mimalloc counts those of more than 1 KiB: each 1,000th ages the
/// empty pages, which are freed at the age of 16, and each 10,000th collects the blocks that other threads have freed.
const ALLOCATIONS: usize = 16_000;
const ALLOCATION_BYTES: usize = 2 * 1024;
/// A block of this size has pages of its own, so freeing it frees pages. It is never written to, so it takes no
/// physical memory.
const BLOCK_BYTES: usize = 32 * 1024 * 1024;

/// Returns memory that this thread has freed periodically, until the future is dropped.
pub(super) async fn return_freed_memory() {
    loop {
        time::sleep(INTERVAL).await;
        for _ in 0..ALLOCATIONS {
            allocate(ALLOCATION_BYTES);
        }
        allocate(BLOCK_BYTES);
    }
}

/// Allocates and frees `bytes`.
fn allocate(bytes: usize) {
    drop(black_box(Vec::<u8>::with_capacity(bytes)));
}
