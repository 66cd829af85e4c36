//! The console: web pages for the operations of the admin API.
//!
//! The server renders compiled-in templates, one file for each page; [`routes`] lists them. JavaScript is needed only
//! for live updates, the API explorer and the pages of chats. All pages except the sign-in and the assets require a
//! session, whose role must permit them ([`session_middleware::require_session`]). Forms carry the token of the session
//! ([`form::Form`]) against cross-site request forgery. The data on the pages is untrusted: templates escape it, and the `Content-Security-Policy` allows
//! only the scripts of this module.

use actix_web::{
    HttpResponse,
    http::Method,
    web::{get, post},
};

use super::endpoint::{Endpoint, route};
use crate::model::Permission::{Configure, Operate, Read, ReadChats};

mod api;
mod assets;
mod audit_log;
mod bookings;
mod bulk_action;
mod bulk_outcome;
mod bulk_result;
mod catalog_activation;
mod catalog_entries;
mod catalog_entry_draft;
mod catalog_entry_form;
mod catalog_entry_list;
mod catalog_tables;
pub(super) mod chat_session;
mod chats;
mod client_code;
mod collection;
mod entry_base;
mod entry_conflict;
mod escape;
mod event_stream;
mod form;
mod form_fields;
mod form_values;
mod format;
mod group_numbers;
mod groups;
mod import_export;
mod layout;
mod links;
mod list_query;
mod match_explanation;
mod number_edits;
mod overview;
mod page;
mod quarantine;
mod redirect_targets;
mod rejected_form;
mod replica;
mod request_example;
mod restore;
mod services;
mod session_cookie;
pub(super) mod session_middleware;
mod sign_in;
mod sign_in_page;
mod signed_in;
mod single_sign_on;
mod try_chat;
mod try_it;
mod webhook_list;
mod webhooks;

pub(super) use self::{overview::events::OverviewCache, page::PageError};

use self::{
    layout::Layout,
    links::{HOME, flash_message, page_url, percent_encode, query_count, redirect_see_other},
    page::{PageResult, copy_error_headers, ok_page, render},
};

/// Routes that need no session.
pub(super) fn public_routes() -> [Endpoint; 8] {
    [
        route("/genesys/1/admin").get(redirect_home),
        route("/genesys/1/admin/").get(redirect_home),
        route("/genesys/1/admin/ui/").get(redirect_home),
        route("/genesys/1/admin/ui/sign-in")
            .get(sign_in::show_sign_in)
            .method(Method::POST, post().to(sign_in::sign_in)),
        // Navigations that the sign-in page and the identity provider cause.
        route("/genesys/1/admin/ui/sign-in/single-sign-on")
            .method(Method::GET, get().to(single_sign_on::begin_sign_in)),
        route("/genesys/1/admin/ui/sign-in/callback")
            .method(Method::GET, get().to(single_sign_on::complete_sign_in)),
        route("/genesys/1/admin/ui/sign-in/provider-sign-out")
            .method(Method::GET, get().to(single_sign_on::sign_out_at_provider)),
        route("/genesys/1/admin/ui/assets/{name}").get(assets::get_asset),
    ]
}

/// Event streams of pages. They need a session, but do not extend it.
pub(super) fn stream_routes() -> [Endpoint; 1] {
    [route("/genesys/1/admin/ui/overview/events")
        .method(Method::GET, get().to(overview::events::stream_overview))
        .requires(Read)]
}

/// Pages that need a session. Methods other than GET require the role admin, those with `requires` excepted. Registers all
/// pages as targets of redirects.
pub(super) fn routes() -> [Endpoint; 34] {
    let pages = [
        route("/genesys/1/admin/ui").get(overview::show_overview),
        route("/genesys/1/admin/ui/chats")
            .get(chats::show_chats)
            .requires(ReadChats),
        // Every role has this permission.
        route("/genesys/1/admin/ui/sign-out")
            .method(Method::POST, post().to(sign_in::sign_out))
            .requires(ReadChats),
        entry_list_endpoint("/genesys/1/admin/ui/services"),
        entry_endpoint("/genesys/1/admin/ui/services/{name}"),
        delete_entry_endpoint("/genesys/1/admin/ui/services/{name}/delete"),
        new_entry_endpoint("/genesys/1/admin/ui/new/services"),
        entry_list_endpoint("/genesys/1/admin/ui/groups"),
        entry_endpoint("/genesys/1/admin/ui/groups/{name}"),
        delete_entry_endpoint("/genesys/1/admin/ui/groups/{name}/delete"),
        new_entry_endpoint("/genesys/1/admin/ui/new/groups"),
        route("/genesys/1/admin/ui/groups/{name}/release")
            .method(Method::POST, post().to(groups::release_number))
            .requires(Operate),
        route("/genesys/1/admin/ui/groups/{name}/quarantine")
            .get(quarantine::confirm_change)
            .requires(Operate)
            .method(Method::POST, post().to(quarantine::change_quarantine))
            .requires(Operate),
        route("/genesys/1/admin/ui/catalog")
            .get(import_export::show_import_export)
            .method(Method::POST, post().to(import_export::import_catalog)),
        route("/genesys/1/admin/ui/catalog/export").get(import_export::export_catalog),
        route("/genesys/1/admin/ui/catalog/restore")
            .method(Method::POST, post().to(restore::restore_catalog)),
        route("/genesys/1/admin/ui/try-chat")
            .get(try_chat::show_try_chat)
            .requires(Operate),
        route("/genesys/1/admin/ui/try")
            .get(try_it::show_try_it)
            .requires(Operate),
        route("/genesys/1/admin/ui/api").get(api::show_api_docs),
        route("/genesys/1/admin/ui/api/collection.json").get(collection::get_collection),
        route("/genesys/1/admin/ui/active-services").get(services::list_services),
        route("/genesys/1/admin/ui/active-services/{id}")
            .get(services::detail::show_service)
            .method(Method::POST, post().to(services::detail::update_service))
            .requires(Operate),
        route("/genesys/1/admin/ui/active-services/{id}/values/{key}")
            .get(services::downloads::download_string),
        route("/genesys/1/admin/ui/active-services/{id}/binaries/{key}")
            .get(services::downloads::download_binary),
        route("/genesys/1/admin/ui/selected/active-services")
            .get(services::bulk::confirm_change)
            .requires(Operate)
            .method(Method::POST, post().to(services::bulk::change_services))
            .requires(Operate),
        route("/genesys/1/admin/ui/bookings").get(bookings::show_bookings),
        route("/genesys/1/admin/ui/selected/bookings")
            .get(bookings::confirm_release)
            .requires(Operate)
            .method(Method::POST, post().to(bookings::release_bookings))
            .requires(Operate),
        route("/genesys/1/admin/ui/selected/result")
            .get(bulk_result::show_result)
            .requires(Operate),
        route("/genesys/1/admin/ui/replicas/{id}")
            .get(replica::show_replica)
            .method(Method::POST, post().to(replica::set_replica_status))
            .requires(Operate),
        route("/genesys/1/admin/ui/webhooks").get(webhook_list::show_webhooks),
        route("/genesys/1/admin/ui/webhooks/{endpoint}")
            .get(webhooks::show_webhook)
            .method(Method::POST, post().to(webhooks::update_webhook))
            .requires(Operate),
        route("/genesys/1/admin/ui/match-explanation")
            .get(match_explanation::show_form)
            .method(Method::POST, post().to(match_explanation::explain_match))
            .requires(Read),
        route("/genesys/1/admin/ui/audit-log").get(audit_log::show_audit_log),
        route("/genesys/1/admin/ui/{path:.*}"),
    ];
    redirect_targets::register(pages.iter());
    pages
}

fn entry_list_endpoint(path: &'static str) -> Endpoint {
    route(path).get(catalog_entry_list::list_entries)
}

fn entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::show_entry)
        .method(Method::POST, post().to(catalog_entries::save_entry))
}

fn delete_entry_endpoint(path: &'static str) -> Endpoint {
    route(path).method(Method::POST, post().to(catalog_entries::delete_entry))
}

fn new_entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::show_new_entry)
        .requires(Configure)
        .method(Method::POST, post().to(catalog_entries::create_entry))
}

/// `GET /` and `GET /genesys/1/admin`
pub(super) async fn redirect_home() -> HttpResponse {
    redirect_see_other(HOME)
}
