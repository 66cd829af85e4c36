//! The pages of the administration.

mod desk;
mod history;
mod live;
