//! Property tests of a service.

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Builder;

use super::TestApp;

/// Calls `check` with the service and 64 values.
pub(crate) fn check_property<T: Strategy>(
    app: impl Future<Output = TestApp>,
    values: &T,
    check: &impl AsyncFn(&TestApp, T::Value),
) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(app);
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(values, |value| {
        runtime.block_on(check(&app, value));
        Ok(())
    });
    outcome.unwrap();
}
