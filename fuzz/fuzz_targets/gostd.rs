#![no_main]

#[path = "../entries/gostd.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::parse(data));
