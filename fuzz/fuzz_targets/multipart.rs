//! Multipart bodies, including files.
#![no_main]

switchboard_fuzz::target!(|service, data| service.write("multipart/form-data; boundary=b", data));
