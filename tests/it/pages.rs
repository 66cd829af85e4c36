//! The pages of the administration.

mod desk;
mod history;
mod hostile;
mod live;
mod looking_after;
