//! The ceiling: actix-web as in the service, without any logic. It sends the same bytes as the service for
//! one request, and event streams, so the difference is the cost of the service.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, VARY, X_CONTENT_TYPE_OPTIONS},
    web,
};
use futures_util::{StreamExt, stream};
use reqwest::Client;

use crate::{
    Result,
    process::Process,
    servers::{free_port, is_ready},
};

/// The option that starts this program as the ceiling, followed by a port.
pub(crate) const OPTION: &str = "--ceiling";

/// A server without a store, in a process of its own, so that it can be measured.
pub(crate) struct Ceiling {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    base: String,
}

impl Ceiling {
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(OPTION).arg(port.to_string());
        let mut process = Process::start("ceiling", &mut command, directory)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let base = format!("http://{address}");
        let (client, url) = (Client::new(), format!("{base}/livez"));
        let probe = async || is_ready(&client, &url).await;
        process.wait_until_ready(probe).await?;
        Ok(Self {
            process,
            address,
            base,
        })
    }

    /// The URL that corresponds to `rest` of the service.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("{}/genesys/1/service/{rest}", self.base)
    }
}

/// Serves until the process is killed.
///
/// # Errors
/// If the port cannot be bound.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    let app = || {
        App::new()
            .route(
                "/genesys/1/service/{id}/storage/{key}",
                web::get().to(handle),
            )
            .route("/genesys/1/service/{id}/events", web::get().to(stream))
            .route("/livez", web::get().to(HttpResponse::Ok))
    };
    let server = HttpServer::new(app).bind((Ipv4Addr::LOCALHOST, port))?;
    actix_web::rt::System::new().block_on(server.run())
}

async fn handle() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json;charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-cache, no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((VARY, "Accept"))
        .body(r#"{"FirstName":"Jane"}"#)
}

/// An event stream without events.
async fn stream() -> HttpResponse {
    let opening = stream::iter([Ok::<_, Infallible>(web::Bytes::from_static(
        b"retry: 1000\n\n",
    ))]);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .streaming(opening.chain(stream::pending()))
}
