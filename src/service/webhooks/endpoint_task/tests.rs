use tokio::time::Instant;

use super::*;
use crate::{
    model::{
        Timestamp,
        webhook::{ClaimedQueue, DeliveryClaim, DeliveryFailure},
    },
    service::webhooks::{client::WebhookClient, config::test_webhook},
    settings::Settings,
    store::memory::MemoryStore,
    telemetry::metrics::WebhookMetrics,
};

fn task() -> EndpointTask {
    let settings = Settings::load(None, [("", ""); 0]).unwrap();
    EndpointTask {
        endpoint: WebhookEndpoint::of_definition("shop"),
        control: Arc::new(EndpointControl::new(Arc::new(test_webhook()))),
        context: Arc::new(DeliveryContext {
            client: WebhookClient::new(&settings.webhooks).unwrap(),
            metrics: WebhookMetrics::default(),
        }),
        store: Arc::new(MemoryStore::new(1 << 20, 10)),
        concurrency: 4,
    }
}

fn leased() -> LeasedQueue {
    LeasedQueue {
        queue: ClaimedQueue {
            queue: "a".to_owned(),
            failed_attempts: 0,
            events: Vec::new(),
            is_next_unreadable: false,
            claim: DeliveryClaim {
                until: Timestamp::default(),
                positions: Vec::new(),
            },
        },
        until: Instant::now() + LEASE,
    }
}

fn gone() -> Step {
    let result = QueueResult {
        failure: Some(DeliveryFailure {
            error: "response 410".to_owned(),
            next: NextAttempt::StopEndpoint,
        }),
        ..leased().release()
    };
    Step::Delivered((result, Instant::now() + LEASE))
}

#[tokio::test]
async fn a_stopped_endpoint_sends_nothing_until_it_is_resumed() {
    let task = task();
    let (mut progress, mut log) = (Progress::new(), DeliveryLog::default());
    assert!(task.control.may_send());
    (progress.delivering, progress.is_claiming) = (1, true);
    progress.ready.push_back(leased());
    task.complete_step(gone(), &mut progress, &mut log);
    assert!(!task.control.may_send());
    assert!(progress.ready.is_empty());
    // The claim was made before the store knew that the endpoint is stopped.
    task.complete_step(Step::Claimed(Ok(vec![leased()])), &mut progress, &mut log);
    assert!(progress.ready.is_empty());
    assert!(!task.control.may_send());
    let batch = progress.start_recording().unwrap();
    assert_eq!(batch.len(), 3);
    task.complete_step(Step::Recorded(batch, Ok(())), &mut progress, &mut log);
    // Only a resumed endpoint has queues.
    task.complete_step(Step::Claimed(Ok(Vec::new())), &mut progress, &mut log);
    assert!(!task.control.may_send());
    task.complete_step(Step::Claimed(Ok(vec![leased()])), &mut progress, &mut log);
    assert!(task.control.may_send());
    assert_eq!(progress.ready.len(), 1);
}

#[tokio::test]
async fn a_successful_claim_does_not_end_the_delay_of_results() {
    let task = task();
    let (mut progress, mut log) = (Progress::new(), DeliveryLog::default());
    progress.release([leased()]);
    let batch = progress.start_recording().unwrap();
    let failed = Err(StoreError::Unavailable("no connection".to_owned()));
    task.complete_step(Step::Recorded(batch, failed), &mut progress, &mut log);
    task.complete_step(Step::Claimed(Ok(Vec::new())), &mut progress, &mut log);
    assert!(progress.is_record_failing);
    assert!(progress.start_recording().is_none());
}
