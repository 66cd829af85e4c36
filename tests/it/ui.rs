//! The console, over HTTP and in a browser.

mod audit_log;
mod browser;
mod browser_fixture;
mod catalog;
mod chats;
mod clock_skew;
mod entry_form;
mod fixture;
mod form_fields;
mod groups;
mod hostile;
mod import;
mod import_form;
mod lost_entries;
mod methods;
mod replica;
mod service_actions;
mod services;
mod sessions;
mod sign_in;
mod storage_areas;
mod store_outage;
mod try_chat;
mod try_it;
mod warnings;
mod webhooks;
