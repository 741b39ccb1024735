#![no_main]

#[path = "../entries/kustomize.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::build(data));
