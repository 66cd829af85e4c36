//! The peers other than webdis: nginx with Lua, and Node with fastify. Each reads a key from the same Redis and has the
//! response of the service.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::Client;

use crate::{
    Result,
    machine::{BENCH_TOOLS, find_program},
    process::Process,
    servers::{Redis, free_port, is_ready, service_url},
};

/// Timeout for nginx to exit.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const NGINX_CONF: &str = include_str!("../peers/nginx.conf");
/// What [`NGINX_CONF`] needs besides nginx.
const NGINX_FILES: [&str; 2] = [
    "/usr/lib/nginx/modules/ngx_http_lua_module.so",
    "/usr/share/lua/5.1/nginx/redis.lua",
];

/// nginx with Lua; a worker process for each core.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    base: String,
    prefix: PathBuf,
}

impl Nginx {
    /// Whether nginx is installed, with its Lua module and the Redis client for it.
    pub(crate) fn is_installed() -> bool {
        find_program("nginx").is_some() && NGINX_FILES.iter().all(|file| Path::new(file).exists())
    }

    pub(crate) async fn start(redis: &Redis, directory: &Path) -> Result<Self> {
        let prefix = directory.join("nginx");
        fs::create_dir_all(&prefix)?;
        let port = free_port()?;
        let conf = NGINX_CONF
            .replace("REDIS_PORT", &redis.port().to_string())
            .replace("PORT", &port.to_string());
        fs::write(prefix.join("nginx.conf"), conf)?;
        let process = Process::start("nginx", &mut command(&prefix)?, directory)?;
        let mut nginx = Self {
            process,
            base: format!("http://127.0.0.1:{port}"),
            prefix,
        };
        wait_until_ready(&mut nginx.process, &nginx.base).await?;
        Ok(nginx)
    }

    /// The URL that corresponds to `rest` of the service.
    pub(crate) fn url(&self, rest: &str) -> String {
        service_url(&self.base, rest)
    }
}

impl Drop for Nginx {
    /// The workers of nginx do not exit when their main process is killed.
    fn drop(&mut self) {
        let stop = command(&self.prefix).and_then(|mut command| {
            command.args(["-s", "stop"]).stderr(Stdio::null());
            Ok(command.status()?)
        });
        if stop.is_ok_and(|status| status.success()) {
            self.process.wait_for_exit(STOP_TIMEOUT);
        }
    }
}

fn command(prefix: &Path) -> Result<Command> {
    let mut command = Command::new(find_program("nginx").ok_or("nginx is not installed")?);
    command.arg("-p").arg(prefix).args(["-c", "nginx.conf"]);
    Ok(command)
}

/// Node with fastify and ioredis; a worker process for each core. They exit with their main process.
pub(crate) struct Fastify {
    pub(crate) process: Process,
    base: String,
}

impl Fastify {
    /// Whether Node is installed, and fastify with `make tools-bench`.
    pub(crate) fn is_installed() -> bool {
        find_program("node").is_some() && server_program().exists()
    }

    pub(crate) async fn start(redis: &Redis, directory: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("node");
        command.arg(server_program());
        command.args([port, redis.port()].map(|port| port.to_string()));
        command.env("NODE_ENV", "production");
        let mut process = Process::start("fastify", &mut command, directory)?;
        let base = format!("http://127.0.0.1:{port}");
        wait_until_ready(&mut process, &base).await?;
        Ok(Self { process, base })
    }

    /// The URL that corresponds to `rest` of the service.
    pub(crate) fn url(&self, rest: &str) -> String {
        service_url(&self.base, rest)
    }
}

/// The program, beside its modules. `benches/peers/install` copies it.
fn server_program() -> PathBuf {
    Path::new(BENCH_TOOLS).join("fastify/server.mjs")
}

async fn wait_until_ready(process: &mut Process, base: &str) -> Result<()> {
    let (client, url) = (Client::new(), format!("{base}/livez"));
    let probe = async || is_ready(&client, &url).await;
    process.wait_until_ready(probe).await
}
