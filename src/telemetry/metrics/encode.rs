//! The text format of Prometheus, version 0.0.4.

use std::fmt::Display;

use super::primitives::{BUCKETS, HistogramSnapshot};

/// What the names of all metrics begin with.
const PREFIX: &str = "switchboard_";
const NANOS: u64 = 1_000_000_000;

/// Metrics as they are written so far.
#[derive(Default)]
pub(super) struct TextEncoder(String);

/// One metric; its samples come next.
pub(super) struct Family<'a> {
    output: &'a mut String,
    name: &'static str,
}

impl TextEncoder {
    /// A metric that only goes up.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// One that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// One of durations.
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
    /// A value under these labels.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.line("", labels, value)
    }

    /// A value without labels.
    pub(super) fn value(&mut self, value: impl Display) {
        self.sample(&[], value);
    }

    /// Durations under these labels.
    pub(super) fn histogram_samples(&mut self, labels: &[(&str, &str)], of: &HistogramSnapshot) {
        let bounds = BUCKETS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
        let mut so_far = 0;
        for (bound, count) in bounds.zip(of.buckets) {
            so_far += count;
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            self.line("_bucket", &labels, so_far);
        }
        let (seconds, nanos) = (of.nanos / NANOS, of.nanos % NANOS);
        self.line("_sum", labels, format_args!("{seconds}.{nanos:09}"));
        self.line("_count", labels, of.count());
    }

    fn line(&mut self, ending: &str, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let text = &mut *self.output;
        *text += &format!("{PREFIX}{}{ending}", self.name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            *text += &format!("{before}{label}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        *text += &format!("{after} {value}\n");
        self
    }
}

fn escaped(label: &str) -> String {
    let label = label.replace('\\', "\\\\").replace('"', "\\\"");
    label.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::primitives::Histogram, *};

    #[test]
    fn labels_are_written_so_that_they_can_be_read_back() {
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
    fn buckets_count_what_is_in_those_before_them_too() {
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
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
