//! The pages of the administration: over HTTP, and in a real browser.

mod browser;
mod operating;
mod pair;
mod signing_in;
mod trying;
