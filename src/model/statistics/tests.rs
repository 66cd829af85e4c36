use proptest::{array, collection::vec, option, prelude::*};

use super::*;

fn latencies() -> impl Strategy<Value = Latencies> {
    array::uniform15(0..1_000_u64).prop_map(Latencies)
}

fn statistics() -> impl Strategy<Value = Statistics> {
    let counts = (0..9_u64, 0..9_999_u64, 0..999_u64, 0..99_u64, 0..99_u64);
    let gauge = || option::of(0..100_000_u64);
    let gauges = (gauge(), gauge(), gauge(), gauge());
    (counts, latencies(), latencies(), gauges).prop_map(|(counts, requests, operations, gauges)| {
        Statistics {
            samples: counts.0,
            successes: counts.1,
            client_errors: counts.2,
            server_errors: counts.3,
            failed_matches: counts.4,
            requests,
            operations,
            active_services: gauges.0,
            bookings: gauges.1,
            cleanup_lag_ms: gauges.2,
            round_trip_us: gauges.3,
        }
    })
}

fn merged<'a>(samples: impl IntoIterator<Item = &'a Statistics>) -> Statistics {
    let mut all = Statistics::default();
    for sample in samples {
        all.merge(sample);
    }
    all
}

proptest! {
    #[test]
    fn the_order_and_grouping_of_merged_samples_do_not_matter(
        samples in vec(statistics(), 0..6), split in 0..6_usize
    ) {
        let all = merged(&samples);
        prop_assert_eq!(&merged(samples.iter().rev()), &all);
        let (first, second) = samples.split_at(split.min(samples.len()));
        prop_assert_eq!(&merged([&merged(first), &merged(second)]), &all);
        let total: u64 = samples.iter().map(|sample| sample.requests.count()).sum();
        prop_assert_eq!(all.requests.count(), total);
        let largest = samples.iter().filter_map(|sample| sample.bookings).max();
        prop_assert_eq!(all.bookings, largest);
    }

    #[test]
    fn the_encoded_form_round_trips(statistics in statistics()) {
        let [counts, gauges] = statistics.encode();
        prop_assert_eq!(Statistics::parse(&counts, &gauges), Some(statistics));
    }

    #[test]
    fn the_counts_since_an_earlier_total_add_up(first in statistics(), second in statistics()) {
        let total = merged([&first, &second]);
        let expected = Statistics {
            active_services: total.active_services,
            bookings: total.bookings,
            cleanup_lag_ms: total.cleanup_lag_ms,
            round_trip_us: total.round_trip_us,
            ..second
        };
        prop_assert_eq!(total.since(&first), expected);
    }

    #[test]
    fn quantiles_are_ordered_and_in_the_bucket_of_their_rank(latencies in latencies()) {
        let quantiles = [1, 500, 990, 1_000].map(|permille| latencies.quantile(permille));
        prop_assert!(quantiles.is_sorted());
        let last = latencies.0.iter().rposition(|count| *count > 0);
        let upper = last.map(|last| LATENCY_BOUNDS[last.min(LATENCY_BOUNDS.len() - 1)]);
        let difference = quantiles[3].zip(upper).map(|(largest, upper)| (largest - upper).abs());
        prop_assert_eq!(difference.is_some(), latencies.count() > 0);
        prop_assert!(difference.unwrap_or_default() < 1e-9);
    }
}

#[test]
fn a_quantile_is_interpolated_within_its_bucket() {
    let mut latencies = Latencies::default();
    assert_eq!(latencies.quantile(500), None);
    latencies.add(0.001, 50);
    latencies.add(0.1, 50);
    let micros = |latencies: &Latencies, permille| {
        let quantile = latencies.quantile(permille).unwrap();
        Duration::from_secs_f64(quantile).as_micros()
    };
    assert_eq!(micros(&latencies, 500), 1_000);
    assert_eq!(micros(&latencies, 250), 750);
    assert_eq!(micros(&latencies, 750), 75_000);
    latencies.add(f64::INFINITY, 1_000);
    assert_eq!(micros(&latencies, 990), 10_000_000);
}

#[test]
fn other_encoded_forms_are_not_parsed() {
    let [counts, gauges] = Statistics::default().encode();
    assert!(Statistics::parse(&counts, &gauges).is_some());
    for (counts, gauges) in [
        ("", gauges.as_str()),
        ("1 2", &gauges),
        (&counts, ""),
        (&counts, "1"),
        (&format!("{counts} 0"), &gauges),
        (&counts.replace('0', "x"), &gauges),
    ] {
        assert_eq!(Statistics::parse(counts, gauges), None, "{counts}/{gauges}");
    }
}

#[test]
fn a_history_has_the_complete_intervals_of_its_range() {
    let at = |seconds: i64| Timestamp::from_millis(1_795_455_000_000 + seconds * 1_000);
    let intervals = [3_610, 3_600, 3_590, 10, 0].map(|start| (at(start), Statistics::default()));
    let starts = |range, now| {
        let history = StatisticsHistory::new(range, now, intervals.clone().into_iter());
        let starts = history.intervals.iter().map(|(start, _)| *start);
        (starts.collect::<Vec<_>>(), history.start(), history.until)
    };
    let hour = StatisticsRange::Hour;
    let expected = (vec![at(10), at(3_590), at(3_600)], at(10), at(3_610));
    assert_eq!(starts(hour, at(3_612)), expected);
    assert_eq!(
        starts(hour, at(3_621)),
        expected,
        "the interval is not complete"
    );
    let (later, ..) = starts(hour, at(3_622));
    assert_eq!(later, [at(3_590), at(3_600), at(3_610)]);
    let (of_day, ..) = starts(StatisticsRange::Day, at(3_622));
    assert_eq!(
        of_day,
        [at(0), at(10), at(3_590)],
        "an interval of a day has 5 minutes"
    );
}
