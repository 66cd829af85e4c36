//! Statistics of past intervals in Redis.

use redis::{aio::MultiplexedConnection, cmd};
use switchboard::model::{
    Timestamp,
    statistics::{Statistics, StatisticsRange},
};

/// The key of the ring of a range.
pub(crate) fn ring_key(prefix: &str, range: StatisticsRange) -> String {
    format!("{prefix}{{catalog}}:statistics:{}", range.name())
}

/// The time of the server.
pub(crate) async fn server_time(connection: &mut MultiplexedConnection) -> Timestamp {
    let time = cmd("TIME").query_async(connection).await;
    let (seconds, micros): (i64, i64) = time.unwrap();
    Timestamp::from_millis(seconds * 1_000 + micros / 1_000)
}

/// Writes statistics into the ring of a range: those of each interval with the number of intervals since its end. The
/// interval that is in progress has number 0.
pub(crate) async fn write_statistics(
    connection: &mut MultiplexedConnection,
    prefix: &str,
    range: StatisticsRange,
    intervals: impl IntoIterator<Item = (u32, Statistics)>,
) {
    let current = range.interval_start(server_time(connection).await);
    let mut write = cmd("HSET");
    write.arg(ring_key(prefix, range));
    for (age, statistics) in intervals {
        let start = current.before(range.interval() * age).millis();
        let interval = i64::try_from(range.interval().as_millis()).unwrap();
        let slot = start / interval % i64::from(range.slots());
        let [counts, gauges] = statistics.encode();
        write.arg(slot).arg(format!("{start}\n{counts}\n{gauges}"));
    }
    write.exec_async(connection).await.unwrap();
    let mut expire = cmd("PEXPIRE");
    expire.arg(ring_key(prefix, range)).arg(86_400_000);
    expire.exec_async(connection).await.unwrap();
}
