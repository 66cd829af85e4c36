//! The embedded store and Redis give the same replies to the same actions.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
    test_runner::{Config, TestRunner},
};
use switchboard::{
    model::{
        ServiceId, Timestamp,
        chat::{
            AgentJoin, Chat, ChatAction, ChatReply, ChatSummary, ChatVersion, ChatWindow, NewChat,
            Party,
        },
    },
    store::Store,
};
use tokio::runtime::Builder;

use super::new_chat;
use crate::support::stores::{RedisFixture, create_service, memory};

/// A request to the store.
#[derive(Debug, Clone)]
enum Step {
    Start(NewChat),
    Update(ChatAction, ChatWindow),
}

/// What a store returns, without times.
#[derive(Debug, PartialEq)]
struct Observed {
    reply: ChatReply,
    version: Option<ChatVersion>,
    summary: Option<ChatSummary>,
    is_listed: [bool; 2],
}

fn chats() -> impl Strategy<Value = NewChat> {
    let limits = (
        1..14_u64,
        0..8_u64,
        any::<bool>(),
        select(vec!["Ann", "", "\u{e9}"]),
    );
    limits.prop_map(
        |(max_events, max_message_bytes, times_out, nickname)| NewChat {
            max_events,
            max_message_bytes,
            nickname: nickname.to_owned(),
            client_timeout: Duration::from_secs(if times_out { 0 } else { 3_600 }),
            ..new_chat()
        },
    )
}

fn texts() -> impl Strategy<Value = String> {
    select(vec!["", "x", "a\nb", "\0\t", "long text", "\u{1f600}"]).prop_map(str::to_owned)
}

fn agents() -> impl Strategy<Value = String> {
    select(vec!["bob", "eve", "tom"]).prop_map(str::to_owned)
}

fn joins() -> impl Strategy<Value = ChatAction> {
    let flags = (any::<bool>(), any::<bool>());
    let party = select(vec![
        Party::Agent,
        Party::Agent,
        Party::Supervisor,
        Party::External,
    ]);
    (agents(), party, flags).prop_map(|(agent, party, (exclusive, transfer))| {
        ChatAction::Join(AgentJoin {
            nickname: agent.to_uppercase(),
            agent,
            party,
            exclusive,
            transfer,
        })
    })
}

fn actions() -> impl Strategy<Value = ChatAction> {
    let optional = || proptest::option::of(texts());
    prop_oneof![
        1 => Just(ChatAction::Read),
        2 => Just(ChatAction::ClientPresent),
        2 => Just(ChatAction::ClientTimeout),
        3 => optional().prop_map(ChatAction::ClientRefresh),
        4 => texts().prop_map(ChatAction::ClientMessage),
        2 => any::<bool>().prop_map(ChatAction::ClientTyping),
        6 => joins(),
        4 => (agents(), texts()).prop_map(|(agent, text)| ChatAction::AgentMessage(agent, text)),
        4 => (agents(), any::<bool>()).prop_map(|(agent, on)| ChatAction::AgentTyping(agent, on)),
        3 => agents().prop_map(ChatAction::Leave),
        // An end is rare, because nothing changes after it.
        1 => prop_oneof![
            8 => Just(ChatAction::Read),
            1 => optional().prop_map(ChatAction::ClientEnd),
            1 => agents().prop_map(ChatAction::AgentEnd),
        ],
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let windows = prop_oneof![
        1 => Just(ChatWindow::AfterRefresh),
        3 => (0..20_u64).prop_map(ChatWindow::After),
        1 => Just(ChatWindow::After(u64::MAX)),
    ];
    let step = prop_oneof![
        1 => chats().prop_map(Step::Start),
        12 => (actions(), windows).prop_map(|(action, window)| Step::Update(action, window)),
    ];
    (chats(), vec(step, 1..40)).prop_map(|(chat, mut steps)| {
        steps.insert(steps.len().min(1), Step::Start(chat));
        steps
    })
}

/// Removes the times of a chat; checks that they are consistent.
fn without_times(mut chat: Chat) -> Chat {
    let start = Timestamp::from_millis(0);
    for event in &mut chat.events {
        assert!(event.at <= chat.last_event.since(chat.started));
        event.at = Duration::ZERO;
    }
    chat.first_answer = chat.first_answer.map(|_| Duration::ZERO);
    (chat.started, chat.last_event) = (start, start);
    chat
}

async fn perform(store: &dyn Store, id: &ServiceId, step: &Step) -> Observed {
    let reply = match step {
        Step::Start(chat) => store.start_chat(id, chat).await,
        Step::Update(action, window) => store.update_chat(id, action, *window).await,
    };
    let reply = match reply.unwrap() {
        ChatReply::Chat(outcome, chat) => ChatReply::Chat(outcome, Box::new(without_times(*chat))),
        other => other,
    };
    let ids = [id.clone()];
    let mut summary = store.chat_summaries(&ids).await.unwrap().pop();
    if let Some(summary) = &mut summary {
        summary.id = "any".to_owned().into();
        summary.started = Timestamp::from_millis(0);
        summary.last_event = summary.started;
    }
    let mut is_listed = [false; 2];
    for (is_listed, ended) in is_listed.iter_mut().zip([false, true]) {
        let listed = store.list_chats(ended, None, 10).await.unwrap();
        *is_listed = listed.chats.iter().any(|chat| chat.id == *id);
    }
    Observed {
        reply,
        version: store.chat_versions(&ids).await.unwrap()[0],
        summary,
        is_listed,
    }
}

#[test]
fn embedded_store_and_redis_give_the_same_replies() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config {
        cases: 128,
        failure_persistence: None,
        ..Config::default()
    };
    let check = async |steps: &[Step]| {
        // With lists of their own.
        let (memory, redis) = (memory(), RedisFixture::shared().await);
        let stores: [&dyn Store; 2] = [&memory, &redis.store];
        let mut ids = Vec::new();
        for store in stores {
            ids.push(create_service(store, Vec::new()).await);
        }
        for (n, step) in steps.iter().enumerate() {
            let first = perform(stores[0], &ids[0], step).await;
            let second = perform(stores[1], &ids[1], step).await;
            assert_eq!(first, second, "step {n}: {step:?}");
        }
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(check(&steps));
        Ok(())
    });
    outcome.unwrap();
}
