//! Load from `wrk`: one request repeatedly, on 64 connections by default.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Result, servers::FORM};

/// Connections that saturate the service.
pub(crate) const CONNECTIONS: usize = 64;
/// Additional time for a client to exit.
pub(crate) const GRACE_PERIOD: Duration = Duration::from_secs(15);
/// Prefix of the result line of the script.
const RESULT_MARKER: &str = "measured";

/// A request, and a text that its response must contain.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) url: String,
    /// The body of a POST; `None` for a GET.
    pub(crate) form: Option<&'static str>,
    pub(crate) expected: String,
    /// Each request is for one of so many services, at random: the last `*` of the URL is replaced by its
    /// number.
    pub(crate) among: Option<u32>,
}

/// The results of a client.
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p99_9_ms: f64,
    /// Responses other than success, and connection errors.
    pub(crate) errors: f64,
}

impl Request {
    /// Sends the request once and checks the response.
    ///
    /// # Errors
    /// If the response is not as expected.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) async fn check(&self, client: &reqwest::Client) -> Result<()> {
        let request = match self.form {
            Some(form) => client
                .post(&self.url)
                .header("content-type", FORM)
                .body(form),
            None => client.get(self.url_with(&format!("{:012}", 0))),
        };
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if status.is_success() && text.contains(&self.expected) {
            return Ok(());
        }
        let Self { url, expected, .. } = self;
        Err(format!("{url}: {status} {text:?}, expected {expected:?} in it").into())
    }

    /// The URL with `number` in place of the `*`.
    pub(crate) fn url_with(&self, number: &str) -> String {
        self.url.replace('*', number)
    }

    /// Sends the request as often as possible for a while.
    ///
    /// # Errors
    /// If `wrk` cannot be run. Errors of requests are counted, see [`Load`].
    pub(crate) async fn load(&self, duration: Duration, directory: &Path) -> Result<Load> {
        self.load_on(CONNECTIONS, duration, directory).await
    }

    /// The same with this number of connections.
    ///
    /// # Errors
    /// As [`Request::load`].
    pub(crate) async fn load_on(
        &self,
        connections: usize,
        duration: Duration,
        directory: &Path,
    ) -> Result<Load> {
        let script = directory.join("wrk.lua");
        fs::write(&script, self.script())?;
        let mut command = Command::new("wrk");
        command.args(["-t1", "--latency", "--timeout", "10s"]);
        command.arg(format!("-c{connections}"));
        command.arg(format!("-d{}s", duration.as_secs()));
        command.arg("-s").arg(script).arg(&self.url);
        let text = output(command, duration + GRACE_PERIOD).await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(RESULT_MARKER));
        let numbers = line.unwrap_or_default().split_whitespace().map(str::parse);
        let numbers: Vec<f64> = numbers.collect::<std::result::Result<_, _>>()?;
        let [requests, seconds, p50_ms, p99_ms, p99_9_ms, errors] = numbers[..] else {
            return Err(format!("wrk measured nothing:\n{text}").into());
        };
        Ok(Load {
            requests,
            seconds,
            p50_ms,
            p99_ms,
            p99_9_ms,
            errors,
        })
    }

    /// The Lua script of `wrk`: the request, and one result line with fixed units.
    fn script(&self) -> String {
        let what = self.form.map(|form| {
            format!(
                "wrk.method = 'POST'\nwrk.body = '{form}'\n\
                 wrk.headers['Content-Type'] = '{FORM}'\n"
            )
        });
        let among = self.among.map(|count| {
            format!(
                "math.randomseed(1)
                 local head, tail
                 function request()
                   if not head then
                     head, tail = string.match(wrk.format(), '^(.*)%*(.*)$')
                   end
                   return head .. string.format('%012d', math.random({count}) - 1) .. tail
                 end\n"
            )
        });
        let done = format!(
            "function done(summary, latency)
               local e = summary.errors
               io.write(string.format('{RESULT_MARKER} %.0f %.6f %.3f %.3f %.3f %.0f\\n',
                 summary.requests, summary.duration / 1e6,
                 latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
                 e.status + e.connect + e.read + e.write + e.timeout))
             end\n"
        );
        [what, among, Some(done)].into_iter().flatten().collect()
    }
}

/// The output of a client. It is killed if it does not exit within `limit`.
pub(crate) async fn output(mut command: Command, limit: Duration) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    RunningClient(command.spawn()?).output(limit).await
}

/// A running client; killed on drop.
struct RunningClient(Child);

impl RunningClient {
    /// The output, which is smaller than the buffer of a pipe.
    async fn output(&mut self, limit: Duration) -> Result<String> {
        let started = Instant::now();
        while self.0.try_wait()?.is_none() {
            if started.elapsed() > limit {
                return Err("the load generator does not exit".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        let out = self.0.stdout.take();
        let out = out.ok_or("the load generator has no output")?;
        Ok(std::io::read_to_string(out)?)
    }
}

impl Drop for RunningClient {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
