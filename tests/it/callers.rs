//! Who may call, from which page, and how often.

mod cors;
mod credentials;
mod groups;
mod slow;
mod throttle;
mod tls;
