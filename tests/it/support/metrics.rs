//! Metrics as a collector reads them.

use std::{collections::BTreeMap, net::SocketAddr};

use reqwest::Client;

/// All samples of one scrape, by name and labels as they are written, without the prefix of all.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) text: String,
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    pub(crate) async fn scrape(address: SocketAddr) -> Self {
        let url = format!("http://{address}/metrics");
        let answer = Client::new().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(answer.text().await.unwrap())
    }

    fn parse(text: String) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.strip_prefix("switchboard_").unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        let samples = samples.collect();
        Self { text, samples }
    }

    /// The sample of this name, with its labels where it has any; 0 where there is none.
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.samples.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.contains_key(name)
    }

    /// The sum over all labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of_it = |sample: &&String| sample.split('{').next() == Some(name);
        self.samples
            .keys()
            .filter(of_it)
            .map(|name| self.value(name))
            .sum()
    }
}
