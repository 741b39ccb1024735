//! How memory is asked of the system.
//!
//! A run is short and grows to some megabytes: each page of 4 KiB that it touches
//! first is an interruption, and these are a fifth of the time of rendering a
//! chart (docs/performance.md). glibc is told to keep what it was given, and the
//! system to give the first of it in large pages.

#![allow(
    unsafe_code,
    reason = "the settings of an allocator are foreign functions"
)]

/// Sets up the allocator; called before anything else.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn prepare() {
    /// Larger blocks are given back when they are freed; a text or two of a large
    /// repository are below.
    const MAX_KEPT: i32 = 16 << 20;
    /// More than glibc takes from the system at first.
    const BLOCK: usize = 512 << 10;
    /// How much is asked for at a time.
    const STEP: i32 = 32 << 20;
    const LARGE_PAGE: usize = 2 << 20;
    /// Large pages in a step that begins anywhere.
    const LARGE_PAGES: usize = 15;
    // SAFETY: these take numbers and change how later calls behave. No other
    // thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAX_KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, STEP);
    }
    // More than is left of the first piece of the heap: it grows by a step.
    let block: Vec<u8> = Vec::with_capacity(BLOCK);
    let start = block.as_ptr() as usize;
    drop(block);
    let boundary = start.next_multiple_of(LARGE_PAGE);
    // SAFETY: advice on memory that the heap has just grown by, from within the
    // block to less than a step behind it; contents stay as they are, and what the
    // system cannot follow it leaves be.
    unsafe {
        let pages = boundary as *mut libc::c_void;
        libc::madvise(pages, LARGE_PAGES * LARGE_PAGE, libc::MADV_HUGEPAGE);
    }
    // What lies before the first large page is set aside, and never touched.
    if let Some(gap) = (boundary - start).checked_sub(64) {
        std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(gap)));
    }
}

/// Elsewhere the allocator is left as it is.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn prepare() {}
