//! The routes, and the operations that `/openapi.json` describes. Each group of routes has a list of both.

use actix_web::{
    http::Method,
    web::{delete, get, head, post, put},
};
use utoipa::OpenApi;

use self::admin::AdminApi;
pub(super) use self::admin::admin_routes;
use super::{
    admin_api::node,
    agent_api::{availability, chat_requests, chats, events, files, responses::ChatObjectResponse},
    client_api::{
        binaries, chat_events,
        create::{self, responses::CreatedResponse},
        service_requests,
        services::{self, DescribeServiceResponse},
        storage::{self, responses::Strings},
        storage_areas,
    },
    comet::{self, websocket::open_websocket},
    endpoint::{Endpoint, route, tree},
    health, metrics,
    openapi::{self, surface::ApiSurface},
    root,
};
use crate::model::Permission::{AnswerChats, ReadChats};

mod admin;

#[derive(OpenApi)]
#[openapi(
    components(schemas(CreatedResponse, DescribeServiceResponse, Strings)),
    paths(
        storage::read,
        storage::delete_key,
        storage::read_all,
        storage::write,
        storage::clear,
        create::create,
        create::create_or_describe,
        services::set_end,
        services::delete,
        binaries::read_binary,
        binaries::head_binary,
        services::set_conversation_end,
        service_requests::send_request,
        service_requests::send_request_by_query,
        chat_events::stream_chat,
        chat_events::stream_chat_by_post,
    )
)]
struct ClientApi;

/// The route of one key of a service.
pub(super) fn client_key_route() -> [Endpoint; 1] {
    [route("/genesys/1/service/{id}/storage/{key}")
        .get(storage::read)
        .method(Method::DELETE, delete().to(storage::delete_key))]
}

/// The other routes of clients. The two routes with a tail pattern must come last.
pub(super) fn client_routes() -> [Endpoint; 7] {
    [
        route("/genesys/1/service/{id}/storage")
            .get(storage::read_all)
            .method(Method::POST, post().to(storage::write))
            .method(Method::DELETE, delete().to(storage::clear)),
        route("/genesys/1/service/{service}")
            .method(Method::POST, post().to(create::create))
            .get(create::create_or_describe)
            .method(Method::PUT, put().to(services::set_end))
            .method(Method::DELETE, delete().to(services::delete)),
        route("/genesys/1/service/{id}/storage/binary/{key}")
            .method(Method::GET, get().to(binaries::read_binary))
            .method(Method::HEAD, head().to(binaries::head_binary)),
        route("/genesys/1/cs/services/{id}")
            .method(Method::PUT, put().to(services::set_conversation_end)),
        route("/genesys/1/service/{id}/ixn/chat/events")
            .method(Method::GET, get().to(chat_events::stream_chat))
            .method(Method::POST, post().to(chat_events::stream_chat_by_post)),
        // Deeper paths do not exist; without this route they would match as service requests.
        route("/genesys/1/service/{id}/storage/{rest:.*}"),
        route("/genesys/1/service/{id}/{request:.+}")
            .method(Method::POST, post().to(service_requests::send_request))
            .method(
                Method::GET,
                get().to(service_requests::send_request_by_query),
            ),
    ]
}

#[derive(OpenApi)]
#[openapi(paths(comet::exchange_messages))]
struct CometApi;

/// The route of push by `CometD`. Clients append names to its path, which do not matter.
pub(super) fn comet_routes() -> [Endpoint; 1] {
    [tree("/genesys/cometd")
        .method(Method::POST, post().to(comet::exchange_messages))
        .websocket(open_websocket)]
}

#[derive(OpenApi)]
#[openapi(
    components(schemas(Strings)),
    paths(
        storage_areas::read,
        storage_areas::delete_key,
        storage_areas::writes::write,
        storage_areas::read_all,
        storage_areas::delete,
        storage_areas::writes::create,
        storage_areas::writes::write_custom,
        storage_areas::read_binary,
        storage_areas::head_binary,
    )
)]
struct StorageApi;

/// The route of one key in the Storage API.
pub(super) fn storage_key_route() -> [Endpoint; 1] {
    [route("/genesys/1/storage/{idOrTtl}/{keyOrTtl}")
        .get(storage_areas::read)
        .method(Method::POST, post().to(storage_areas::writes::write))
        .method(Method::DELETE, delete().to(storage_areas::delete_key))]
}

/// The other routes of the Storage API.
pub(super) fn storage_routes() -> [Endpoint; 3] {
    [
        route("/genesys/1/storage/{idOrTtl}")
            .get(storage_areas::read_all)
            .method(Method::POST, post().to(storage_areas::writes::create))
            .method(Method::DELETE, delete().to(storage_areas::delete)),
        route("/genesys/1/storage/custom/{id}/{ttl}")
            .method(Method::POST, post().to(storage_areas::writes::write_custom)),
        route("/genesys/1/storage/binary/{id}/{key}")
            .method(Method::GET, get().to(storage_areas::read_binary))
            .method(Method::HEAD, head().to(storage_areas::head_binary)),
    ]
}

#[derive(OpenApi)]
#[openapi(
    components(schemas(CreatedResponse)),
    paths(create::create, create::create_by_query)
)]
struct MatchApi;

/// The routes of a listener that only matches calls. The catalog as this listener sees it determines which configured
/// services it creates.
pub(super) fn match_routes() -> [Endpoint; 1] {
    [route("/genesys/1/service/{service}")
        .method(Method::POST, post().to(create::create))
        .method(Method::GET, get().to(create::create_by_query))]
}

#[derive(OpenApi)]
#[openapi(
    components(schemas(ChatObjectResponse)),
    paths(
        chats::list_chats,
        chats::get_chat,
        files::get_file,
        chat_requests::join_chat,
        chat_requests::send_message,
        chat_requests::set_typing,
        chat_requests::leave_chat,
        chat_requests::end_chat,
        availability::set_availability,
        events::stream_chat,
        events::stream_chats,
    )
)]
struct AgentApi;

/// The routes of agents below a prefix. The roles apply in the console; the API for agents has agents only.
macro_rules! agent_routes_below {
    ($prefix:literal) => {
        [
            route(concat!($prefix, "/chats"))
                .get(chats::list_chats)
                .requires(ReadChats),
            route(concat!($prefix, "/chats/{id}"))
                .get(chats::get_chat)
                .requires(ReadChats),
            route(concat!($prefix, "/chats/{id}/files/{key}"))
                .get(files::get_file)
                .requires(ReadChats),
            route(concat!($prefix, "/chats/{id}/events"))
                .method(Method::GET, get().to(events::stream_chat))
                .requires(ReadChats),
            route(concat!($prefix, "/events"))
                .method(Method::GET, get().to(events::stream_chats))
                .requires(ReadChats),
            route(concat!($prefix, "/chats/{id}/join"))
                .method(Method::POST, post().to(chat_requests::join_chat))
                .requires(AnswerChats),
            route(concat!($prefix, "/chats/{id}/send"))
                .method(Method::POST, post().to(chat_requests::send_message))
                .requires(AnswerChats),
            route(concat!($prefix, "/chats/{id}/typing"))
                .method(Method::POST, post().to(chat_requests::set_typing))
                .requires(AnswerChats),
            route(concat!($prefix, "/chats/{id}/leave"))
                .method(Method::POST, post().to(chat_requests::leave_chat))
                .requires(AnswerChats),
            route(concat!($prefix, "/chats/{id}/end"))
                .method(Method::POST, post().to(chat_requests::end_chat))
                .requires(AnswerChats),
            route(concat!($prefix, "/availability"))
                .method(Method::PUT, put().to(availability::set_availability))
                .requires(AnswerChats),
        ]
    };
}

/// The routes of agents.
pub(super) fn agent_routes() -> [Endpoint; 11] {
    agent_routes_below!("/genesys/1/agent")
}

/// The same routes for the console, with its sessions.
pub(super) fn console_agent_routes() -> [Endpoint; 11] {
    agent_routes_below!("/genesys/1/admin/ui/agent")
}

#[derive(OpenApi)]
#[openapi(paths(node::get_node_status, node::get_node))]
struct StatusApi;

/// The probes of load balancers of the vendor's product.
pub(super) fn status_routes() -> [Endpoint; 2] {
    [
        route("/genesys/1/admin/node/status")
            .get(node::get_node_status)
            .probe(),
        route("/genesys/1/node").get(node::get_node).probe(),
    ]
}

#[derive(OpenApi)]
#[openapi(paths(metrics::get_metrics))]
struct MetricsApi;

pub(super) fn metrics_route() -> Endpoint {
    route("/metrics").get(metrics::get_metrics)
}

#[derive(OpenApi)]
#[openapi(
    components(schemas(super::error::ErrorBody)),
    paths(
        health::get_liveness,
        health::get_readiness,
        openapi::get_openapi,
        root::get_root
    )
)]
struct HealthApi;

/// The routes of every listener.
pub(super) fn health_routes() -> [Endpoint; 4] {
    [
        route("/livez").get(health::get_liveness).probe(),
        route("/readyz").get(health::get_readiness).probe(),
        route("/openapi.json").get(openapi::get_openapi),
        route("/").get(root::get_root),
    ]
}

/// The operations of a surface.
pub(super) fn documents(surface: &ApiSurface) -> utoipa::openapi::OpenApi {
    let mut document = HealthApi::openapi();
    if surface.groups.client {
        document.merge(ClientApi::openapi());
        document.merge(CometApi::openapi());
    } else if surface.groups.matching {
        document.merge(MatchApi::openapi());
    }
    if surface.groups.storage {
        document.merge(StorageApi::openapi());
    }
    if surface.agents_enabled {
        document.merge(AgentApi::openapi());
    }
    if surface.groups.admin {
        document.merge(StatusApi::openapi());
    }
    if surface.metrics_enabled {
        document.merge(MetricsApi::openapi());
    }
    if surface.admin_enabled {
        document.merge(AdminApi::openapi());
    }
    document
}
