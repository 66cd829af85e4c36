//! Backends of services: sessions on an Orchestration Server (`ors`), or any web service (`http`).
//!
//! This module is an adapter like [`crate::store`]: the service layer uses it, and it uses only the shared modules. A
//! `BackendDefinition` is parsed from the options of a definition: which requests are sent when, and to which
//! backends. [`Backends`] is the HTTP client, shared by all workers. Responses of backends are passed through;
//! failures become a [`BackendError`].

pub use self::{client::Backends, error::BackendError};
pub(crate) use self::{
    definition::BackendDefinition, http::METHODS, load_balancer::BALANCING_STRATEGIES,
    option_error::OptionError, request::RequestContext, terminate::log_not_terminated,
};

mod circuit_breaker;
mod client;
mod definition;
mod error;
mod exchange;
mod http;
mod load_balancer;
mod option_error;
mod options;
mod ors;
mod request;
mod response;
mod session;
mod terminate;
mod time_limits;
mod url_template;
