//! Scraped metrics.

use std::{collections::BTreeMap, net::SocketAddr};

use reqwest::Client;

/// All samples of one scrape by name and labels, without the common prefix.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) text: String,
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    pub(crate) async fn scrape(address: SocketAddr) -> Self {
        let url = format!("http://{address}/metrics");
        let response = Client::new().get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(response.text().await.unwrap())
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

    /// The value of a sample, by name and labels; 0 if there is none.
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.samples.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.contains_key(name)
    }

    /// The sum over all labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let has_name = |sample: &&String| sample.split('{').next() == Some(name);
        self.samples
            .keys()
            .filter(has_name)
            .map(|name| self.value(name))
            .sum()
    }
}
