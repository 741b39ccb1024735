#![no_main]

#[path = "../entries/lock.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::round_trip(data));
