//! JSON bodies.
#![no_main]

switchboard_fuzz::target!(|service, data| service.write("application/json", data));
