//! The two time limits of a request: until the connection is established, and from then until the complete response.
//!
//! The HTTP client limits either the connection attempts of all requests or the sum of both times. So the connector
//! has a layer that ends the attempt of this request at its deadline, and starts the time of the response.

use std::{
    cell::Cell,
    error::Error,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout_at};

tokio::task_local! {
    /// The limits of the request that this task sends.
    static LIMITS: TimeLimits;
}

#[derive(Debug)]
struct TimeLimits {
    connect_deadline: Instant,
    response_timeout: Duration,
    response_deadline: Cell<Instant>,
}

/// The response is not complete in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ResponseTimedOut;

/// Runs `exchange`, which sends one request by a client with the layer [`limit_connecting`] and reads the response.
/// On an open connection the time of the response starts now.
pub(super) async fn with_time_limits<T>(
    connect_deadline: Instant,
    response_timeout: Duration,
    exchange: impl Future<Output = T>,
) -> Result<T, ResponseTimedOut> {
    let response_deadline = Instant::now() + response_timeout;
    let limits = TimeLimits {
        connect_deadline,
        response_timeout,
        response_deadline: Cell::new(response_deadline),
    };
    let limited = async {
        let (mut exchange, mut timer) = (pin!(exchange), pin!(sleep_until(response_deadline)));
        poll_fn(|context| {
            if let Poll::Ready(result) = exchange.as_mut().poll(context) {
                return Poll::Ready(Ok(result));
            }
            let deadline = LIMITS.with(|limits| limits.response_deadline.get());
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(context).map(|()| Err(ResponseTimedOut))
        })
        .await
    };
    LIMITS.scope(limits, limited).await
}

/// Limits an attempt to connect, and starts the time of the response when it is over. An attempt that the client
/// continues in the background, because another connection became idle, belongs to no request.
pub(super) async fn limit_connecting<C>(
    connecting: impl Future<Output = Result<C, Box<dyn Error + Send + Sync>>>,
) -> Result<C, Box<dyn Error + Send + Sync>> {
    let started = LIMITS.try_with(|limits| {
        let latest = limits.connect_deadline + limits.response_timeout;
        limits.response_deadline.set(latest);
        limits.connect_deadline
    });
    let Ok(connect_deadline) = started else {
        return connecting.await;
    };
    let connected = timeout_at(connect_deadline, connecting).await?;
    let start_response = |limits: &TimeLimits| {
        let deadline = Instant::now() + limits.response_timeout;
        limits.response_deadline.set(deadline);
    };
    // It fails in the background.
    LIMITS.try_with(start_response).ok();
    connected
}

#[cfg(test)]
mod tests {
    use std::{future::pending, io};

    use tokio::time::{sleep, timeout};

    use super::*;

    /// Longer than any test takes.
    const FOREVER: Duration = Duration::from_secs(3_600);
    const RESPONSE_TIMEOUT: Duration = Duration::from_millis(200);

    /// The result of a request with these time limits whose connecting and response take so long.
    async fn run(
        connect_timeout: Duration,
        connecting: Option<Duration>,
        response: Duration,
    ) -> Result<Result<(), String>, ResponseTimedOut> {
        let connect_deadline = Instant::now() + connect_timeout;
        with_time_limits(connect_deadline, RESPONSE_TIMEOUT, async {
            if let Some(duration) = connecting {
                let connecting = async {
                    sleep(duration).await;
                    Ok(())
                };
                let connected = limit_connecting(connecting).await;
                connected.map_err(|error| error.to_string())?;
            }
            sleep(response).await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn the_response_is_limited_from_the_established_connection() {
        let now = Duration::ZERO;
        assert_eq!(run(FOREVER, None, now).await, Ok(Ok(())));
        assert_eq!(run(FOREVER, None, FOREVER).await, Err(ResponseTimedOut));
        // Longer than the limit of the response.
        let connecting = Some(2 * RESPONSE_TIMEOUT);
        assert_eq!(run(FOREVER, connecting, now).await, Ok(Ok(())));
        let response = run(FOREVER, connecting, FOREVER).await;
        assert_eq!(response, Err(ResponseTimedOut));
        let unconnected = run(RESPONSE_TIMEOUT / 4, Some(FOREVER), now).await;
        let error = unconnected.unwrap().unwrap_err();
        assert!(error.contains("elapsed"), "{error}");
    }

    #[tokio::test]
    async fn a_failed_attempt_to_connect_is_reported() {
        let refused = async { Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()) };
        let exchange = limit_connecting::<()>(refused);
        let result = with_time_limits(Instant::now() + FOREVER, FOREVER, exchange).await;
        let error = result.unwrap().unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn an_attempt_that_belongs_to_no_request_is_not_limited() {
        let connecting = limit_connecting::<()>(pending());
        assert!(timeout(RESPONSE_TIMEOUT, connecting).await.is_err());
    }
}
