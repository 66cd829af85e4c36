//! Single sign-on with an identity provider.

mod browser;
mod callbacks;
mod fixture;
mod log;
mod provider_failures;
mod sessions;
mod tokens;
