//! Agents that act on one chat at the same time.

use futures_util::future::join;

use super::fixture::{ANN, BOB, get_json, perform, post, start, start_chat, start_replica};
use crate::support::{TestApp, on_every_kind_of_store};

on_every_kind_of_store!(one_of_two_exclusive_joins_wins_each_time);

const ROUNDS: usize = 1_000;

async fn one_of_two_exclusive_joins_wins_each_time(app: TestApp) {
    let first = start(&app, &[]).await;
    // The embedded store belongs to one process.
    let second = match first.redis {
        Some(_) => Some(start_replica(&first).await),
        None => None,
    };
    let second = second.as_ref().unwrap_or(&first);
    let id = start_chat(&first, "").await;
    let mut wins = [0; 2];
    for round in 0..ROUNDS {
        let form = format!("exclusive=true&transcriptPosition={}", 2 * round + 1);
        let ann = post(&first, ANN, &id, "join", &form);
        let bob = post(second, BOB, &id, "join", &form);
        let (ann, bob) = join(ann, bob).await;
        let winner = match (ann.status.as_u16(), bob.status.as_u16()) {
            (200, 409) => 0,
            (409, 200) => 1,
            other => panic!("round {round}: {other:?}"),
        };
        wins[winner] += 1;
        [&bob, &ann][winner].error_message("ChatTaken", 409);
        let agent = [ANN, BOB][winner];
        let left = perform(
            second,
            agent,
            &id,
            "leave",
            &format!("transcriptPosition={}", 2 * round + 2),
        )
        .await;
        assert_eq!(left["transcriptPosition"], 2 * round + 3, "round {round}");
    }
    assert_eq!(wins[0] + wins[1], ROUNDS);
    let list = get_json(&first, ANN, "chats").await;
    assert_eq!(list["chats"][0]["transcriptPosition"], 2 * ROUNDS + 1);
}
