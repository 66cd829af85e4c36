//! The servers: Redis, the service on it, and webdis on it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use redis::{Connection, ConnectionLike, FromRedisValue, cmd, pipe};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Result, load::Request, process::Process};

/// Timeout of commands of the benchmark.
const REDIS_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for the cleanup of ended services; the contract requires one minute.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Copies of a service per pipeline.
const COPY_CONCURRENCY: usize = 1_000;
/// Longer than the benchmark.
const COPY_TTL_MS: u32 = 86_400_000;

/// The key of a service's hash.
pub(crate) fn hash_of(id: &str) -> String {
    format!("sb1:svc:{{{id}}}")
}

/// An id in the format of the service.
pub(crate) fn numbered_id(number: u32) -> String {
    format!("{NUMBERED_ID_PREFIX}{number:012}")
}

/// Prefix of the ids of [`numbered_id`].
pub(crate) const NUMBERED_ID_PREFIX: &str = "00000000-0000-4000-8000-";

/// A Redis without persistence.
pub(crate) struct Redis {
    pub(crate) process: Process,
    port: u16,
}

impl Redis {
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(port.to_string());
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(directory);
        let process = Process::start("redis-server", &mut command, directory)?;
        let mut redis = Self { process, port };
        let url = redis.url();
        let probe = async || connect(&url).is_ok_and(|mut redis| redis.check_connection());
        redis.process.wait_until_ready(probe).await?;
        Ok(redis)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn command<T: FromRedisValue>(&self, command: &[&str]) -> Result<T> {
        let mut connection = connect(&self.url())?;
        let mut cmd = cmd(command.first().ok_or("empty command")?);
        cmd.arg(command.get(1..));
        Ok(cmd.query(&mut connection)?)
    }

    /// Deletes all data synchronously.
    pub(crate) fn flush(&self) -> Result<()> {
        self.command(&["FLUSHALL", "SYNC"])
    }

    /// Makes `count` copies of the service `id`, with the ids of [`numbered_id`]: the same hash with a TTL,
    /// in the encoding of Redis.
    pub(crate) fn copy(&self, id: &str, count: u32) -> Result<()> {
        let mut connection = connect(&self.url())?;
        let packed: Vec<u8> = cmd("DUMP").arg(hash_of(id)).query(&mut connection)?;
        for first in (0..count).step_by(COPY_CONCURRENCY) {
            let mut restore = pipe();
            for number in (first..count).take(COPY_CONCURRENCY) {
                let copy = hash_of(&numbered_id(number));
                restore.cmd("RESTORE").arg(copy).arg(COPY_TTL_MS);
                restore.arg(&packed).ignore();
            }
            restore.query::<()>(&mut connection)?;
        }
        Ok(())
    }

    /// Allocated bytes.
    pub(crate) fn memory(&self) -> Result<f64> {
        let info: String = self.command(&["INFO", "memory"])?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        Ok(line.ok_or("INFO has no used_memory")?.trim().parse()?)
    }

    /// The number of connections, without the one of this command.
    pub(crate) fn connections(&self) -> Result<usize> {
        let list: String = self.command(&["CLIENT", "LIST"])?;
        Ok(list.lines().count().saturating_sub(1))
    }

    /// Waits until nothing of any service remains.
    ///
    /// # Errors
    /// If that exceeds the timeout of the cleanup.
    pub(crate) async fn wait_until_empty(&self) -> Result<()> {
        let started = Instant::now();
        while !self
            .command::<Vec<String>>(&["KEYS", "sb1:*:{*-*}*"])?
            .is_empty()
        {
            if started.elapsed() > CLEANUP_TIMEOUT {
                return Err("resources of deleted services are still in Redis".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn connect(url: &str) -> Result<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(REDIS_TIMEOUT)?;
    connection.set_read_timeout(Some(REDIS_TIMEOUT))?;
    Ok(connection)
}

/// The service, a build of the profile `dist` on a Redis with otherwise default settings.
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    base: String,
}

impl Service {
    pub(crate) async fn start(redis: &Redis, directory: &Path) -> Result<Self> {
        Self::start_with(redis, directory, &[]).await
    }

    /// The same with these environment variables.
    pub(crate) async fn start_with(
        redis: &Redis,
        directory: &Path,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.env_clear();
        command.env("SWITCHBOARD__SERVER__LISTEN", address.to_string());
        command.env("SWITCHBOARD__REDIS__URL", redis.url());
        command.envs(settings.iter().copied());
        let mut process = Process::start("switchboard", &mut command, directory)?;
        let (client, base) = (Client::new(), format!("http://{address}"));
        let ready = format!("{base}/readyz");
        let probe = async || is_ready(&client, &ready).await;
        process.wait_until_ready(probe).await?;
        Ok(Self {
            process,
            client,
            address,
            base,
        })
    }

    /// The metrics of the service.
    pub(crate) async fn metrics(&self) -> Result<String> {
        let url = format!("{}/metrics", self.base);
        let response = self.client.get(url).send().await?;
        Ok(response.error_for_status()?.text().await?)
    }

    /// A request that reads one key of the service `id`, which has [`TEN_PAIRS`](crate::requests::TEN_PAIRS).
    pub(crate) fn read_first_name(&self, id: &str) -> Request {
        Request {
            url: self.url(&format!("{id}/storage/FirstName")),
            form: None,
            expected: "\"Jane\"".to_owned(),
            among: None,
        }
    }

    /// The URL for creating services.
    pub(crate) fn store_url(&self) -> String {
        self.url("store")
    }

    /// The URL of `rest` below the services.
    pub(crate) fn url(&self, rest: &str) -> String {
        service_url(&self.base, rest)
    }

    /// Creates a service with the fields of `form`; returns its id.
    pub(crate) async fn create(&self, form: &str) -> Result<String> {
        self.create_named("store", form).await
    }

    /// The same for another configured service.
    pub(crate) async fn create_named(&self, name: &str, form: &str) -> Result<String> {
        let request = self.client.post(self.url(name)).body(form.to_owned());
        let request = request.header("content-type", FORM);
        id_of(request.send().await?).await
    }

    /// The URL of `rest` below the Storage API.
    pub(crate) fn storage_url(&self, rest: &str) -> String {
        format!("{}/genesys/1/storage/{rest}", self.base)
    }

    /// Creates a storage area with the fields of `form`; returns its id.
    pub(crate) async fn create_storage_area(&self, form: &str) -> Result<String> {
        let request = self.client.post(self.storage_url("86400"));
        let request = request.body(form.to_owned()).header("content-type", FORM);
        id_in(request.send().await?, "id").await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        let response = self.client.delete(self.url(id)).send().await?;
        response.error_for_status()?;
        Ok(())
    }
}

/// The content type of forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The id in the response to the create of a service.
pub(crate) async fn id_of(response: Response) -> Result<String> {
    id_in(response, "_id").await
}

/// The id in a member of the response to a create.
async fn id_in(response: Response, member: &str) -> Result<String> {
    let response = response.error_for_status()?.bytes().await?;
    let response: Value = serde_json::from_slice(&response)?;
    let id = response.get(member).and_then(Value::as_str);
    Ok(id.ok_or("the response to a create has no id")?.to_owned())
}

/// webdis on the same Redis, with its default number of threads and connections.
pub(crate) struct Webdis {
    pub(crate) process: Process,
    base: String,
}

impl Webdis {
    pub(crate) async fn start(redis: &Redis, directory: &Path) -> Result<Self> {
        let port = free_port()?;
        let file = directory.join("webdis.json");
        let settings = json!({
            "redis_host": "127.0.0.1",
            "redis_port": redis.port,
            "http_host": "127.0.0.1",
            "http_port": port,
            "daemonize": false,
            "pidfile": directory.join("webdis.pid"),
            "logfile": directory.join("webdis-own.log"),
        });
        fs::write(&file, settings.to_string())?;
        let mut command = Command::new("webdis");
        let mut process = Process::start("webdis", command.arg(file), directory)?;
        let (client, base) = (Client::new(), format!("http://127.0.0.1:{port}"));
        let ping = format!("{base}/PING");
        let probe = async || is_ready(&client, &ping).await;
        process.wait_until_ready(probe).await?;
        Ok(Self { process, base })
    }

    /// The URL of a command on the hash of the service `id`.
    pub(crate) fn url(&self, command: &str, id: &str, rest: &str) -> String {
        format!("{}/{command}/sb1:svc:%7B{id}%7D{rest}", self.base)
    }
}

/// The URL of `rest` below the services of a server.
pub(crate) fn service_url(base: &str, rest: &str) -> String {
    format!("{base}/genesys/1/service/{rest}")
}

pub(crate) async fn is_ready(client: &Client, url: &str) -> bool {
    let response = client.get(url).send().await;
    response.is_ok_and(|response| response.status().is_success())
}

pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
