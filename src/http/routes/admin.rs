//! The routes of the admin API, and their operations.

use actix_web::{
    http::Method,
    web::{delete, post, put},
};
use utoipa::OpenApi;

use crate::{
    http::{
        admin_api::{
            active_services, audit_log, bookings, catalog_entries::EntryListResponse,
            configured_services, import_export, import_report::ImportResponse, matches, node,
            problems, quarantine, replicas, resource_groups, restore, statistics, webhooks,
        },
        endpoint::{Endpoint, route},
    },
    model::Permission,
};

#[derive(OpenApi)]
#[openapi(
    components(schemas(EntryListResponse, ImportResponse)),
    paths(
        configured_services::list_services,
        configured_services::read_service,
        configured_services::put_service,
        configured_services::delete_service,
        resource_groups::list_groups,
        resource_groups::read_group,
        resource_groups::put_group,
        resource_groups::delete_group,
        bookings::list_bookings,
        bookings::release_number,
        quarantine::list_quarantined_numbers,
        quarantine::quarantine_number,
        quarantine::end_quarantine,
        matches::explain_match,
        matches::list_failed_matches,
        import_export::export_catalog,
        import_export::replace_catalog,
        import_export::merge_catalog,
        restore::list_lost_entries,
        restore::restore_catalog,
        active_services::list_services,
        active_services::get_service,
        active_services::set_service_end,
        active_services::delete_service,
        audit_log::list_audit_log,
        replicas::list_replicas,
        problems::list_problems,
        statistics::get_statistics,
        webhooks::list_webhooks,
        webhooks::list_dead_letters,
        webhooks::resend_dead_letters,
        webhooks::delete_events,
        webhooks::resume_webhook,
        webhooks::send_test_event,
        node::set_node_status,
    )
)]
pub(super) struct AdminApi;

/// The routes of the admin API. Methods other than GET require the role admin, those with `requires` excepted.
pub(in crate::http) fn admin_routes() -> [Endpoint; 26] {
    [
        route("/genesys/1/admin/services").get(configured_services::list_services),
        route("/genesys/1/admin/services/{name}")
            .get(configured_services::read_service)
            .method(Method::PUT, put().to(configured_services::put_service))
            .method(
                Method::DELETE,
                delete().to(configured_services::delete_service),
            ),
        route("/genesys/1/admin/groups").get(resource_groups::list_groups),
        route("/genesys/1/admin/groups/{name}")
            .get(resource_groups::read_group)
            .method(Method::PUT, put().to(resource_groups::put_group))
            .method(Method::DELETE, delete().to(resource_groups::delete_group)),
        route("/genesys/1/admin/groups/{group}/bookings").get(bookings::list_bookings),
        route("/genesys/1/admin/groups/{group}/bookings/{booking}")
            .method(Method::DELETE, delete().to(bookings::release_number))
            .requires(Permission::Operate),
        route("/genesys/1/admin/groups/{group}/quarantine")
            .get(quarantine::list_quarantined_numbers),
        route("/genesys/1/admin/groups/{group}/quarantine/{number}")
            .method(Method::PUT, put().to(quarantine::quarantine_number))
            .requires(Permission::Operate)
            .method(Method::DELETE, delete().to(quarantine::end_quarantine))
            .requires(Permission::Operate),
        // Changes nothing.
        route("/genesys/1/admin/match-explanation")
            .method(Method::POST, post().to(matches::explain_match))
            .requires(Permission::Read),
        route("/genesys/1/admin/failed-matches").get(matches::list_failed_matches),
        route("/genesys/1/admin/catalog")
            .get(import_export::export_catalog)
            .method(Method::PUT, put().to(import_export::replace_catalog))
            .method(Method::POST, post().to(import_export::merge_catalog)),
        route("/genesys/1/admin/catalog/lost").get(restore::list_lost_entries),
        route("/genesys/1/admin/catalog/restore")
            .method(Method::POST, post().to(restore::restore_catalog)),
        route("/genesys/1/admin/active-services").get(active_services::list_services),
        route("/genesys/1/admin/active-services/{id}")
            .get(active_services::get_service)
            .method(Method::PUT, put().to(active_services::set_service_end))
            .requires(Permission::Operate)
            .method(Method::DELETE, delete().to(active_services::delete_service))
            .requires(Permission::Operate),
        route("/genesys/1/admin/audit-log").get(audit_log::list_audit_log),
        route("/genesys/1/admin/replicas").get(replicas::list_replicas),
        route("/genesys/1/admin/problems").get(problems::list_problems),
        route("/genesys/1/admin/statistics").get(statistics::get_statistics),
        route("/genesys/1/admin/webhooks").get(webhooks::list_webhooks),
        route("/genesys/1/admin/webhooks/{endpoint}/dead-letters").get(webhooks::list_dead_letters),
        route("/genesys/1/admin/webhooks/{endpoint}/resend")
            .method(Method::POST, post().to(webhooks::resend_dead_letters))
            .requires(Permission::Operate),
        route("/genesys/1/admin/webhooks/{endpoint}/events")
            .method(Method::DELETE, delete().to(webhooks::delete_events))
            .requires(Permission::Operate),
        route("/genesys/1/admin/webhooks/{endpoint}/resume")
            .method(Method::POST, post().to(webhooks::resume_webhook))
            .requires(Permission::Operate),
        route("/genesys/1/admin/webhooks/{endpoint}/test")
            .method(Method::POST, post().to(webhooks::send_test_event))
            .requires(Permission::Operate),
        route("/genesys/1/admin/node/changestatus/{status}")
            .method(Method::POST, post().to(node::set_node_status))
            .requires(Permission::Operate),
    ]
}
