//! libFuzzer's way in for session descriptions: what is done with the bytes is in the library beside.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::sdp(bytes));
