//! Who may call, from which page, and how often.

mod cors;
mod credentials;
mod groups;
mod throttle;
mod tls;
