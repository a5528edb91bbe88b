//! What a client makes of a server's bytes: the same however they are cut, and what the model makes of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidewire_fuzz::check_receive(false, data));
