//! Bodies in parts, files among them.
#![no_main]

switchboard_fuzz::target!(|service, data| service.write("multipart/form-data; boundary=b", data));
