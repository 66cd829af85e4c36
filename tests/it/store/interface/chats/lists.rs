//! Lists of chats, summaries, and available agents.

use std::{slice::from_ref, time::Duration};

use switchboard::{
    model::{
        Cursor, ServiceId,
        chat::{ChatAction, ChatState, ChatSummary, NewChat},
    },
    store::Store,
};

use super::{act, client_message, create_chat, join, leave, new_chat, read, summary_of};
use crate::support::{
    eventually,
    stores::{create_service, on_every_store},
};

on_every_store!(
    chat_moves_between_the_lists,
    a_repeated_start_keeps_the_place,
    summary_has_what_a_list_shows,
    pages_have_every_chat_once_by_start,
    services_without_a_chat_are_not_listed,
    availability_expires,
    availability_is_replaced_and_removed,
    availability_is_renewed_while_it_lasts,
);

/// The ids of a list.
async fn listed(store: &dyn Store, ended: bool) -> Vec<ServiceId> {
    let listed = store.list_chats(ended, None, 100).await.unwrap();
    assert_eq!(listed.next, None);
    listed.chats.into_iter().map(|chat| chat.id).collect()
}

async fn chat_moves_between_the_lists(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let state = async || summary_of(store, &id).await.unwrap().state;
    assert_eq!(state().await, ChatState::Waiting);
    act(store, &id, join("bob")).await;
    assert_eq!(state().await, ChatState::Active);
    act(store, &id, leave("bob")).await;
    assert_eq!(state().await, ChatState::Waiting);
    assert_eq!(listed(store, false).await, from_ref(&id));
    assert_eq!(listed(store, true).await, []);
    act(store, &id, ChatAction::AgentEnd("bob".to_owned())).await;
    assert_eq!(state().await, ChatState::Ended);
    assert_eq!(listed(store, false).await, []);
    assert_eq!(listed(store, true).await, from_ref(&id));
    // A repeated start does not make it open.
    store.start_chat(&id, &new_chat()).await.unwrap();
    assert_eq!(listed(store, false).await, []);
    assert_eq!(listed(store, true).await, from_ref(&id));
}

async fn a_repeated_start_keeps_the_place(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(create_chat(store, &new_chat()).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for id in [&ids[1], &ids[0]] {
        store.start_chat(id, &new_chat()).await.unwrap();
        assert_eq!(listed(store, false).await, ids);
    }
}

async fn summary_has_what_a_list_shows(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join("bob")).await;
    act(store, &id, join("eve")).await;
    act(store, &id, client_message("Hello")).await;
    let chat = read(store, &id).await;
    let expected = ChatSummary {
        id: id.clone(),
        definition: "chat".to_owned(),
        nickname: "Ann".to_owned(),
        subject: "Order".to_owned(),
        state: ChatState::Active,
        started: chat.started,
        last_event: chat.last_event,
        last: 4,
        agents: vec!["bob".to_owned(), "eve".to_owned()],
    };
    let absent = ServiceId::generate();
    let summaries = store.chat_summaries(&[absent, id]).await.unwrap();
    assert_eq!(summaries, from_ref(&expected));
    let list = store.list_chats(false, None, 1).await.unwrap();
    assert_eq!(list.chats, [expected]);
    assert_eq!(store.chat_summaries(&[]).await.unwrap(), []);
}

/// All chats of a list, with pages of `limit`.
async fn all_pages(store: &dyn Store, ended: bool, limit: usize) -> Vec<ChatSummary> {
    let (mut all, mut after): (Vec<ChatSummary>, Option<Cursor>) = (Vec::new(), None);
    for _ in 0..100 {
        let page = store
            .list_chats(ended, after.as_ref(), limit)
            .await
            .unwrap();
        assert!(page.chats.len() <= limit);
        all.extend(page.chats);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
    panic!("more pages than chats");
}

async fn pages_have_every_chat_once_by_start(store: &dyn Store) {
    let mut ids = Vec::new();
    for n in 0..11 {
        let subject = n.to_string();
        let new = NewChat {
            subject,
            ..new_chat()
        };
        ids.push(create_chat(store, &new).await);
        if n % 4 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    for id in ids.iter().step_by(3) {
        act(store, id, ChatAction::ClientEnd(None)).await;
    }
    for (ended, expected) in [(false, 7), (true, 4)] {
        let in_one = all_pages(store, ended, 100).await;
        assert_eq!(in_one.len(), expected);
        assert!(
            in_one
                .iter()
                .all(|chat| (chat.state == ChatState::Ended) == ended)
        );
        // In a Cluster, the list and the chats are on servers whose clocks differ slightly.
        let tolerance = Duration::from_millis(500);
        let in_order = |pair: &[ChatSummary]| pair[0].started <= pair[1].started.after(tolerance);
        assert!(in_one.windows(2).all(in_order));
        for limit in [1, 2, 3, 4, 7] {
            assert_eq!(all_pages(store, ended, limit).await, in_one, "{limit}");
        }
    }
}

async fn services_without_a_chat_are_not_listed(store: &dyn Store) {
    create_service(store, Vec::new()).await;
    let absent = ServiceId::generate();
    store.start_chat(&absent, &new_chat()).await.unwrap();
    let id = create_chat(store, &new_chat()).await;
    assert_eq!(listed(store, false).await, [id]);
    assert_eq!(listed(store, true).await, []);
}

async fn agents(store: &dyn Store) -> Vec<(String, Vec<String>)> {
    let mut agents = store.available_agents().await.unwrap();
    agents.sort();
    agents
}

const TTL: Duration = Duration::from_secs(30);

async fn availability_expires(store: &dyn Store) {
    assert_eq!(agents(store).await, []);
    let short = Duration::from_millis(300);
    store
        .set_agent_availability("bob", Some(&[]), short)
        .await
        .unwrap();
    store
        .set_agent_availability("eve", Some(&[]), TTL)
        .await
        .unwrap();
    assert!(!agents(store).await.is_empty());
    let only_eve = [("eve".to_owned(), Vec::new())];
    eventually("the availability expires", async || {
        (agents(store).await == only_eve).then_some(())
    })
    .await;
}

async fn availability_is_replaced_and_removed(store: &dyn Store) {
    let definitions = ["chat".to_owned(), "sales \u{1f600}%".to_owned()];
    let set = async |definitions: Option<&[String]>| {
        store
            .set_agent_availability("bob", definitions, TTL)
            .await
            .unwrap();
    };
    set(Some(&definitions)).await;
    assert_eq!(
        agents(store).await,
        [("bob".to_owned(), definitions.to_vec())]
    );
    set(Some(&definitions[1..])).await;
    assert_eq!(
        agents(store).await,
        [("bob".to_owned(), definitions[1..].to_vec())]
    );
    set(Some(&[])).await;
    assert_eq!(agents(store).await, [("bob".to_owned(), Vec::new())]);
    for _ in 0..2 {
        set(None).await;
        assert_eq!(agents(store).await, []);
    }
}

async fn availability_is_renewed_while_it_lasts(store: &dyn Store) {
    let renew = async |agent: &str, ttl| store.renew_agent_availability(agent, ttl).await.unwrap();
    assert_eq!(renew("bob", TTL).await, None);
    assert_eq!(agents(store).await, []);
    let short = Duration::from_millis(2_500);
    let definitions = ["chat".to_owned(), "sales \u{1f600}%".to_owned()];
    let set = async |agent: &str, definitions: &[String], ttl| {
        let set = store.set_agent_availability(agent, Some(definitions), ttl);
        set.await.unwrap();
    };
    set("bob", &definitions, short).await;
    set("eve", &[], short).await;
    set("max", &[], TTL).await;
    assert_eq!(renew("bob", TTL).await, Some(definitions.to_vec()));
    // A renewal never shortens it.
    assert_eq!(renew("max", short).await, Some(Vec::new()));
    let remaining = [
        ("bob".to_owned(), definitions.to_vec()),
        ("max".to_owned(), Vec::new()),
    ];
    eventually("the availability that was not renewed ends", async || {
        (agents(store).await == remaining).then_some(())
    })
    .await;
    tokio::time::sleep(short).await;
    assert_eq!(agents(store).await, remaining);
    assert_eq!(renew("eve", TTL).await, None);
    store
        .set_agent_availability("bob", None, TTL)
        .await
        .unwrap();
    assert_eq!(renew("bob", TTL).await, None);
}
