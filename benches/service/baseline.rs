//! The ceiling: actix-web as the service uses it, with nothing behind it. It answers one request with the
//! very bytes that the service answers it with, so what is between the two is what the service does.

use std::{io, net::Ipv4Addr, path::Path, process::Command};

use actix_web::{
    App, HttpResponse, HttpServer,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA},
    web,
};
use reqwest::Client;

use crate::{
    Result,
    process::Process,
    servers::{free_port, is_ready},
};

/// What this program is started with to be the ceiling, before a port.
pub(crate) const OPTION: &str = "--ceiling";

/// A server that has no store, as a process of its own so that what it takes can be told.
pub(crate) struct Ceiling {
    pub(crate) process: Process,
    base: String,
}

impl Ceiling {
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(OPTION).arg(port.to_string());
        let mut process = Process::start("ceiling", &mut command, directory)?;
        let base = format!("http://127.0.0.1:{port}");
        let (client, url) = (Client::new(), format!("{base}/livez"));
        let probe = async || is_ready(&client, &url).await;
        process.wait_until_ready(probe).await?;
        Ok(Self { process, base })
    }

    /// Where it answers as the service does under `rest`.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("{}/genesys/1/service/{rest}", self.base)
    }
}

/// Answers until the process is ended.
///
/// # Errors
/// Where the port cannot be listened on.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    let app = || {
        App::new()
            .route(
                "/genesys/1/service/{id}/storage/{key}",
                web::get().to(handle),
            )
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
        .body(r#"{"FirstName":"Jane"}"#)
}
