//! Plain types that all layers share. They name no layer.

pub mod readiness;
