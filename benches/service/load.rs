//! Load, made by `wrk`: one request, over and over, on 64 connections where nothing else is said.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Result, servers::FORM};

/// As many take the service to its limit.
pub(crate) const CONNECTIONS: usize = 64;
/// How much longer than told `wrk` may run.
const GRACE_PERIOD: Duration = Duration::from_secs(15);
/// What the line of the script begins with.
const RESULT_MARKER: &str = "measured";

/// A request, and a text that its answer must contain.
pub(crate) struct Request {
    pub(crate) url: String,
    /// It is a POST of this form, or else a GET.
    pub(crate) form: Option<&'static str>,
    pub(crate) answer: String,
    /// Each is about another one of so many services, at random: the last `*` of the URL stands for
    /// the number of one.
    pub(crate) among: Option<u32>,
}

/// What `wrk` found out.
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Answers other than success, and whatever went wrong with a connection.
    pub(crate) errors: f64,
}

impl Request {
    /// Sends it once, to see that it does what is to be measured.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) async fn check(&self, client: &reqwest::Client) -> Result<()> {
        let request = match self.form {
            Some(form) => client
                .post(&self.url)
                .header("content-type", FORM)
                .body(form),
            None => client.get(self.url.replace('*', &format!("{:012}", 0))),
        };
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status.is_success() && text.contains(&self.answer) {
            return Ok(());
        }
        let Self { url, answer, .. } = self;
        Err(format!("{url} gave {status} {text:?}, expected {answer:?} in it").into())
    }

    /// Sends it as often as the server can take for a while.
    ///
    /// # Errors
    /// Where `wrk` cannot be run. Errors of requests are counted, see [`Load`].
    pub(crate) async fn load(&self, duration: Duration, directory: &Path) -> Result<Load> {
        self.load_on(CONNECTIONS, duration, directory).await
    }

    /// The same on so many connections.
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
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut wrk = Wrk(command.spawn()?);
        let text = wrk.output(duration + GRACE_PERIOD).await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(RESULT_MARKER));
        let numbers = line.unwrap_or_default().split_whitespace().map(str::parse);
        let numbers: Vec<f64> = numbers.collect::<std::result::Result<_, _>>()?;
        let [requests, seconds, p50_ms, p99_ms, errors] = numbers[..] else {
            return Err(format!("wrk measured nothing:\n{text}").into());
        };
        Ok(Load {
            requests,
            seconds,
            p50_ms,
            p99_ms,
            errors,
        })
    }

    /// Lua for `wrk`: what to send, and one line that needs no guessing at units.
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
               io.write(string.format('{RESULT_MARKER} %.0f %.6f %.3f %.3f %.0f\\n',
                 summary.requests, summary.duration / 1e6,
                 latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
                 e.status + e.connect + e.read + e.write + e.timeout))
             end\n"
        );
        [what, among, Some(done)].into_iter().flatten().collect()
    }
}

/// `wrk` while it runs. Dropped, it is dead.
struct Wrk(Child);

impl Wrk {
    /// What it prints, which is less than a pipe holds.
    async fn output(&mut self, limit: Duration) -> Result<String> {
        let started = Instant::now();
        while self.0.try_wait()?.is_none() {
            if started.elapsed() > limit {
                return Err("wrk does not end".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        let out = self.0.stdout.take().ok_or("wrk has no output")?;
        Ok(std::io::read_to_string(out)?)
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
