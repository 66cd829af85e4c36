//! The text format of Prometheus, version 0.0.4.

use std::fmt::Display;

use super::primitives::{BUCKETS, HistogramSnapshot};

/// Prefix of all metric names.
const PREFIX: &str = "switchboard_";
const NANOS: u64 = 1_000_000_000;

/// The output so far.
#[derive(Default)]
pub(super) struct TextEncoder(String);

/// A metric family; its samples follow.
pub(super) struct Family<'a> {
    output: &'a mut String,
    name: &'static str,
}

impl TextEncoder {
    /// Begins a counter.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a gauge.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Begins a histogram.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let text = &mut self.0;
        *text += &format!("# HELP {PREFIX}{name} {help}\n");
        *text += &format!("# TYPE {PREFIX}{name} {kind}\n");
        Family { output: text, name }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Adds a sample with labels.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.line("", labels, value)
    }

    /// Adds a sample without labels.
    pub(super) fn value(&mut self, value: impl Display) {
        self.sample(&[], value);
    }

    /// Adds the samples of a histogram with labels.
    pub(super) fn histogram_samples(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &HistogramSnapshot,
    ) {
        let bounds = BUCKETS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
        let mut cumulative = 0;
        for (bound, count) in bounds.zip(histogram.buckets) {
            cumulative += count;
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            self.line("_bucket", &labels, cumulative);
        }
        let (seconds, nanos) = (histogram.nanos / NANOS, histogram.nanos % NANOS);
        self.line("_sum", labels, format_args!("{seconds}.{nanos:09}"));
        self.line("_count", labels, histogram.count());
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let text = &mut *self.output;
        *text += &format!("{PREFIX}{}{suffix}", self.name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let separator = if index == 0 { '{' } else { ',' };
            *text += &format!("{separator}{label}=\"{}\"", escape(value));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        *text += &format!("{end} {value}\n");
        self
    }
}

fn escape(label: &str) -> String {
    let label = label.replace('\\', "\\\\").replace('"', "\\\"");
    label.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::primitives::Histogram, *};

    #[test]
    fn special_characters_in_labels_are_escaped() {
        let mut text = TextEncoder::default();
        let mut family = text.gauge("free", "How many are free.");
        family.sample(&[("group", "a\"b\\c\nd"), ("kind", "x")], 3);
        family.value(4);
        assert_eq!(
            text.into_string(),
            "# HELP switchboard_free How many are free.\n\
             # TYPE switchboard_free gauge\n\
             switchboard_free{group=\"a\\\"b\\\\c\\nd\",kind=\"x\"} 3\n\
             switchboard_free 4\n"
        );
    }

    #[test]
    fn buckets_are_cumulative() {
        let durations = Histogram::default();
        for micros in [400, 700, 20_000_000] {
            durations.record(Duration::from_micros(micros));
        }
        let mut sum = HistogramSnapshot::default();
        sum.add(&durations);
        let mut text = TextEncoder::default();
        text.histogram("took", "How long.")
            .histogram_samples(&[("a", "b")], &sum);
        let text = text.into_string();
        for line in [
            "switchboard_took_bucket{a=\"b\",le=\"0.0005\"} 1",
            "switchboard_took_bucket{a=\"b\",le=\"0.001\"} 2",
            "switchboard_took_bucket{a=\"b\",le=\"10\"} 2",
            "switchboard_took_bucket{a=\"b\",le=\"+Inf\"} 3",
            "switchboard_took_sum{a=\"b\"} 20.001100000",
            "switchboard_took_count{a=\"b\"} 3",
        ] {
            assert!(text.lines().any(|actual| actual == line), "{line}\n{text}");
        }
    }
}
