//! One chart: lines over the intervals of a range, with a gap where a value is unknown.

use crate::{
    http::admin_ui::format::format_count,
    model::statistics::{Statistics, StatisticsHistory, StatisticsRange},
};

/// The height of a chart. Its width is the number of intervals.
const HEIGHT: f64 = 100.0;

/// The unit of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    PerSecond,
    PerMinute,
    Millis,
    Seconds,
}

impl Unit {
    fn symbol(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::PerSecond => "/s",
            Self::PerMinute => "/min",
            Self::Millis => " ms",
            Self::Seconds => " s",
        }
    }

    fn format(self, value: f64) -> String {
        let is_whole = self == Self::Count || value >= 100.0;
        let whole = format!("{value:.0}").parse().map(format_count);
        match whole {
            Ok(whole) if is_whole => whole + self.symbol(),
            _ => format!("{value:.1}{}", self.symbol()),
        }
    }
}

/// A line of a chart.
pub(super) struct Line {
    name: &'static str,
    /// The known values by the index of their interval.
    values: Vec<(u32, f64)>,
}

impl Line {
    fn largest(&self) -> Option<f64> {
        self.values
            .iter()
            .map(|(_, value)| *value)
            .max_by(f64::total_cmp)
    }
}

/// A chart.
pub(super) struct Chart {
    /// The end of its id in the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    unit: Unit,
    range: StatisticsRange,
    /// The sampled intervals by their indexes.
    intervals: Vec<(u32, Statistics)>,
    lines: Vec<Line>,
}

impl Chart {
    /// A chart without lines.
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        unit: Unit,
        history: &StatisticsHistory,
    ) -> Self {
        let (range, start) = (history.range, history.start());
        let intervals = history.intervals.iter().map(|(at, statistics)| {
            let index = at.since(start).as_secs() / range.interval().as_secs();
            (u32::try_from(index).unwrap_or(u32::MAX), statistics.clone())
        });
        Self {
            id,
            title,
            unit,
            range,
            intervals: intervals.collect(),
            lines: Vec::new(),
        }
    }

    /// Adds the line of a value.
    pub(super) fn line(
        mut self,
        name: &'static str,
        value: impl Fn(&Statistics) -> Option<f64>,
    ) -> Self {
        let values = self.intervals.iter();
        let values = values.filter_map(|(index, at)| Some((*index, value(at)?)));
        let values = values.collect();
        self.lines.push(Line { name, values });
        self
    }

    pub(super) fn width(&self) -> u32 {
        self.range.intervals()
    }

    /// The upper end of the scale: 1, 2 or 5 times a power of ten.
    fn top(&self) -> f64 {
        let largest = self.lines.iter().filter_map(Line::largest);
        let largest = largest.max_by(f64::total_cmp).unwrap_or_default();
        let mut power = if self.unit == Unit::Count { 1.0 } else { 0.1 };
        while power * 10.0 < largest {
            power *= 10.0;
        }
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let [.., most] = steps;
        steps
            .into_iter()
            .find(|top| *top >= largest)
            .unwrap_or(most)
    }

    /// The label of the upper end of the scale.
    pub(super) fn top_label(&self) -> String {
        self.unit.format(self.top())
    }

    /// The number of the line, and the points of each of its parts without a gap.
    pub(super) fn polylines(&self) -> Vec<(usize, String)> {
        let top = self.top();
        let lines = self.lines.iter().enumerate();
        let parts = lines.flat_map(|(number, line)| {
            let parts = line
                .values
                .chunk_by(|before, after| before.0 + 1 == after.0);
            parts.map(move |part| (number, points(part, top)))
        });
        parts.collect()
    }

    /// The number, the name and the summary of each line.
    pub(super) fn legend(&self) -> Vec<(usize, &'static str, String)> {
        let lines = self.lines.iter().enumerate();
        let entries = lines.map(|(number, line)| (number, line.name, self.summary_of(line)));
        entries.collect()
    }

    fn summary_of(&self, line: &Line) -> String {
        let Some(largest) = line.largest() else {
            return "no data".to_owned();
        };
        let last = line.values.last();
        let current = last.filter(|(index, _)| index + 1 == self.width());
        let current = current.map(|(_, value)| self.unit.format(*value));
        let current = current.as_deref().unwrap_or("no data now");
        format!("{current}, largest {}", self.unit.format(largest))
    }

    /// The content of the chart as text.
    pub(super) fn summary(&self) -> String {
        let lines = self.legend().into_iter();
        let lines: Vec<String> = lines
            .map(|(_, name, text)| format!("{name}: {text}"))
            .collect();
        let all = self.range.intervals() as usize;
        let missing = match all.saturating_sub(self.intervals.len()) {
            0 => String::new(),
            missing => format!(". No sample in {missing} of {all} intervals"),
        };
        let (title, range) = (self.title, self.range.name());
        format!("{title}, last {range}. {}{missing}.", lines.join("; "))
    }
}

/// The points of values without a gap. The last value extends to the end of its interval.
fn points(values: &[(u32, f64)], top: f64) -> String {
    let end = values.last().map(|(index, value)| (index + 1, *value));
    let values = values.iter().copied().chain(end);
    let points = values.map(|(x, value)| {
        let y = HEIGHT - (value / top * HEIGHT).clamp(0.0, HEIGHT);
        format!("{x},{y:.0}")
    });
    points.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn chart(services: &[(u32, u64)]) -> Chart {
        let range = StatisticsRange::Hour;
        let until = Timestamp::from_millis(1_795_455_000_000);
        let start = until.before(range.duration());
        let intervals = services.iter().map(|(index, services)| {
            let statistics = Statistics {
                active_services: Some(*services).filter(|services| *services != 999),
                ..Statistics::default()
            };
            (start.after(range.interval() * *index), statistics)
        });
        let history = StatisticsHistory {
            range,
            until,
            intervals: intervals.collect(),
        };
        let count = |count: u64| f64::from(u32::try_from(count).unwrap());
        Chart::new("services", "Active services", Unit::Count, &history)
            .line("active", |at| at.active_services.map(count))
    }

    #[test]
    fn lines_break_where_a_value_is_unknown() {
        let chart = chart(&[(0, 0), (1, 1_000), (5, 2_000), (7, 500), (8, 999), (359, 0)]);
        assert_eq!(chart.top_label(), "2,000");
        let expected = ["0,100 1,50 2,50", "5,0 6,0", "7,75 8,75", "359,100 360,100"];
        let expected: Vec<_> = expected.map(|points| (0, points.to_owned())).into();
        assert_eq!(chart.polylines(), expected);
        assert_eq!(
            chart.summary(),
            "Active services, last hour. active: 0, largest 2,000. No sample in 354 of 360 intervals."
        );
    }

    #[test]
    fn only_a_value_of_the_last_interval_is_current() {
        for (services, expected) in [
            (&[(0, 9), (359, 5)], "active: 5, largest 9"),
            (&[(0, 9), (358, 5)], "active: no data now, largest 9"),
            (&[(358, 5), (359, 999)], "active: no data now, largest 5"),
        ] {
            let summary = chart(services).summary();
            assert!(summary.contains(expected), "{summary}");
        }
    }

    #[test]
    fn a_chart_without_values_says_so() {
        let chart = chart(&[]);
        assert_eq!(chart.polylines(), []);
        assert!(
            chart.summary().contains("active: no data"),
            "{}",
            chart.summary()
        );
    }

    #[test]
    fn values_have_units_and_separators() {
        for (unit, value, expected) in [
            (Unit::Count, 20_220.0, "20,220"),
            (Unit::PerSecond, 3.12, "3.1/s"),
            (Unit::PerSecond, 12_345.6, "12,346/s"),
            (Unit::PerMinute, 0.0, "0.0/min"),
            (Unit::Millis, 0.25, "0.2 ms"),
            (Unit::Seconds, 120.0, "120 s"),
        ] {
            assert_eq!(unit.format(value), expected);
        }
    }
}
