//! The administration: what operators may do while the service runs.

mod bookings;
mod changing;
mod credentials;
pub(crate) mod desk;
mod editors;
mod groups;
mod guesses;
mod history;
mod hostile;
mod live;
mod locks;
pub(crate) mod lost;
mod replicas;
mod sessions;
mod store;
mod transfer;
mod trend;
mod visits;
