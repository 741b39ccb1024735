#![no_main]

#[path = "../entries/rbac.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::evaluate(data));
