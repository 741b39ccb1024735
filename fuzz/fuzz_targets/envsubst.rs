#![no_main]

#[path = "../entries/envsubst.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::expand(data));
