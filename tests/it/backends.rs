//! Contract section 6: services that run on a backend.

mod choice;
mod ending;
mod failures;
mod http;
mod ors;
mod starting;
mod tls;
