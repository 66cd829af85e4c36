//! The pages of the administration: over HTTP, and in a real browser.

mod away;
mod browser;
mod clock_skew;
mod desk;
mod fields;
mod filling_in;
mod groups;
mod history;
mod hostile;
mod importing;
mod live;
mod looking_after;
mod lost;
mod methods;
mod operating;
mod pair;
mod signing_in;
mod trying;
mod visits;
mod warnings;
