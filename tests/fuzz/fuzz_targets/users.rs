//! Any bytes as a file of the kind `users`. It must not know what is proved.

#![no_main]

#[path = "../readings.rs"]
mod readings;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| readings::users(bytes));
