//! Any bytes as a file of the kind `cohorts`. It must not know what is proved.

#![no_main]

#[path = "../readings.rs"]
mod readings;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| readings::cohorts(bytes));
