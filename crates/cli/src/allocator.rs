//! jemalloc, because connections come and go by the thousands: glibc keeps the
//! memory of those that went, jemalloc gives it back.
//!
//! It reads its options from a symbol, before `main`; to define one that other
//! code knows by name is what Rust calls unsafe here. The name is jemalloc's
//! own, with the prefix that keeps it apart from the system's allocator, and the
//! value is the pointer to a C string that it expects.
#![allow(unsafe_code)]

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A thread in the background gives free memory back within about a second,
/// also while nobody allocates.
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 60] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";
