//! The actions of agents, supervisors and bots.

use futures_util::future::join;
use switchboard::{
    model::chat::{AgentJoin, ChatAction, ChatMember, ChatOutcome, ChatState, ChatWindow, Party},
    store::Store,
};

use super::{
    act, agent_join, agent_message, agent_typing, assert_refused, client_message, create_chat,
    join as join_action, leave, new_chat, outcome_of, read, transcript, version_of,
};
use crate::support::stores::on_every_store;

on_every_store!(
    agent_joins_answers_and_leaves,
    repeated_join_and_leave_change_nothing,
    only_members_send_and_type,
    typing_of_an_agent_takes_positions,
    first_answer_is_the_first_message_of_an_agent,
    exclusive_join_is_refused_if_another_agent_is_in_the_chat,
    one_of_two_exclusive_joins_succeeds,
    transfer_replaces_agents_in_one_update,
    roles_are_kept,
    agent_ends_the_chat,
    agent_ends_a_chat_that_it_is_not_in,
    concurrent_writers_get_dense_positions,
);

async fn agent_joins_answers_and_leaves(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let chat = act(store, &id, join_action("bob")).await;
    assert_eq!((chat.state, chat.last), (ChatState::Active, 2));
    let member = ChatMember {
        agent: "bob".to_owned(),
        party: Party::Agent,
        nickname: "BOB".to_owned(),
        typing: false,
    };
    assert_eq!(chat.members, [member]);
    let chat = act(store, &id, agent_message("bob", "Hello")).await;
    assert_eq!(chat.events[2].party, Party::Agent);
    act(store, &id, client_message("Hi")).await;
    let chat = act(store, &id, leave("bob")).await;
    assert_eq!(chat.state, ChatState::Waiting);
    assert!(chat.members.is_empty());
    let expected = ["BOB joined", "BOB: Hello", "Ann: Hi", "BOB left"];
    assert_eq!(transcript(store, &id).await, expected);
}

async fn repeated_join_and_leave_change_nothing(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let joined = act(store, &id, join_action("bob")).await;
    for (exclusive, transfer) in [(false, false), (true, false), (false, true), (true, true)] {
        let again = AgentJoin {
            nickname: "Other".to_owned(),
            party: Party::Supervisor,
            exclusive,
            transfer,
            ..agent_join("bob")
        };
        assert_eq!(act(store, &id, ChatAction::Join(again)).await, joined);
    }
    let left = act(store, &id, leave("bob")).await;
    assert_eq!(act(store, &id, leave("bob")).await, left);
    assert_eq!(act(store, &id, leave("eve")).await, left);
}

async fn only_members_send_and_type(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join_action("bob")).await;
    act(store, &id, join_action("eve")).await;
    act(store, &id, leave("eve")).await;
    let not_member = ChatOutcome::NotMember;
    for agent in ["eve", "BOB", "", "bob\t"] {
        assert_refused(store, &id, agent_message(agent, "x"), not_member).await;
        assert_refused(store, &id, agent_typing(agent, true), not_member).await;
        assert_refused(store, &id, agent_typing(agent, false), not_member).await;
    }
}

async fn typing_of_an_agent_takes_positions(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join_action("bob")).await;
    for typing in [false, true, true, false, false, true] {
        let chat = act(store, &id, agent_typing("bob", typing)).await;
        assert_eq!(chat.members[0].typing, typing);
    }
    let chat = act(store, &id, agent_message("bob", "Hello")).await;
    assert!(!chat.members[0].typing, "a message ends typing");
    act(store, &id, agent_typing("bob", false)).await;
    let expected = [
        "BOB joined",
        "BOB types",
        "BOB stopped",
        "BOB types",
        "BOB: Hello",
    ];
    assert_eq!(transcript(store, &id).await, expected);
}

async fn first_answer_is_the_first_message_of_an_agent(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, client_message("Hello?")).await;
    let chat = act(store, &id, join_action("bob")).await;
    assert_eq!(chat.first_answer, None);
    let chat = act(store, &id, agent_message("bob", "Hello")).await;
    let first = chat.events.last().map(|event| event.at);
    assert_eq!(chat.first_answer, first);
    let chat = act(store, &id, agent_message("bob", "again")).await;
    assert_eq!(chat.first_answer, first);
}

async fn exclusive_join_is_refused_if_another_agent_is_in_the_chat(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let exclusive = |agent: &str| {
        ChatAction::Join(AgentJoin {
            exclusive: true,
            ..agent_join(agent)
        })
    };
    let supervisor = AgentJoin {
        party: Party::Supervisor,
        ..agent_join("sam")
    };
    act(store, &id, ChatAction::Join(supervisor)).await;
    act(store, &id, exclusive("bob")).await;
    assert_refused(store, &id, exclusive("eve"), ChatOutcome::Taken).await;
    act(store, &id, exclusive("bob")).await;
    act(store, &id, join_action("tom")).await;
    act(store, &id, leave("bob")).await;
    assert_refused(store, &id, exclusive("eve"), ChatOutcome::Taken).await;
    act(store, &id, leave("tom")).await;
    act(store, &id, exclusive("eve")).await;
}

async fn one_of_two_exclusive_joins_succeeds(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let mut wins = [0, 0];
    for _ in 0..1_000 {
        let try_join = async |agent: &str| {
            let action = ChatAction::Join(AgentJoin {
                exclusive: true,
                ..agent_join(agent)
            });
            let window = ChatWindow::After(u64::MAX);
            let reply = store.update_chat(&id, &action, window).await.unwrap();
            outcome_of(reply).0
        };
        let winner = match join(try_join("bob"), try_join("eve")).await {
            (ChatOutcome::Done, ChatOutcome::Taken) => 0,
            (ChatOutcome::Taken, ChatOutcome::Done) => 1,
            other => panic!("{other:?}"),
        };
        wins[winner] += 1;
        let winner = ["bob", "eve"][winner];
        assert_eq!(read(store, &id).await.members[0].agent, winner);
        act(store, &id, leave(winner)).await;
    }
    assert_eq!(wins[0] + wins[1], 1_000);
}

async fn transfer_replaces_agents_in_one_update(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let bot = AgentJoin {
        party: Party::External,
        ..agent_join("bot")
    };
    act(store, &id, join_action("bob")).await;
    act(store, &id, ChatAction::Join(bot)).await;
    act(store, &id, join_action("tom")).await;
    let transfer = ChatAction::Join(AgentJoin {
        transfer: true,
        ..agent_join("eve")
    });
    let window = ChatWindow::After(4);
    let reply = store.update_chat(&id, &transfer, window).await.unwrap();
    let (_, chat) = outcome_of(reply);
    let rows: Vec<String> = chat.events.iter().map(super::row).collect();
    assert_eq!(rows, ["BOB left", "TOM left", "EVE joined"]);
    let members: Vec<&str> = chat.members.iter().map(|m| m.agent.as_str()).collect();
    assert_eq!(members, ["bot", "eve"]);
    assert_refused(
        store,
        &id,
        agent_message("bob", "x"),
        ChatOutcome::NotMember,
    )
    .await;
}

async fn roles_are_kept(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    for (agent, party) in ["a", "b", "c"].into_iter().zip(Party::JOINING) {
        let joined = AgentJoin {
            party,
            ..agent_join(agent)
        };
        act(store, &id, ChatAction::Join(joined)).await;
        act(store, &id, agent_message(agent, "Hello")).await;
        act(store, &id, agent_typing(agent, true)).await;
    }
    let chat = read(store, &id).await;
    let parties: Vec<Party> = chat.members.iter().map(|member| member.party).collect();
    assert_eq!(parties, Party::JOINING);
    for (events, party) in chat.events[1..].chunks(3).zip(Party::JOINING) {
        assert!(events.iter().all(|event| event.party == party));
    }
}

async fn agent_ends_the_chat(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join_action("bob")).await;
    act(store, &id, join_action("eve")).await;
    act(store, &id, agent_typing("eve", true)).await;
    act(store, &id, ChatAction::ClientTyping(true)).await;
    let chat = act(store, &id, ChatAction::AgentEnd("bob".to_owned())).await;
    assert!(chat.has_ended() && !chat.client_typing);
    assert!(chat.members.iter().all(|member| !member.typing));
    let expected = ["BOB joined", "EVE joined", "EVE types", "BOB left"];
    assert_eq!(transcript(store, &id).await, expected);
}

async fn agent_ends_a_chat_that_it_is_not_in(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let before = version_of(store, &id).await;
    let chat = act(store, &id, ChatAction::AgentEnd("bob".to_owned())).await;
    assert!(chat.has_ended());
    assert_eq!(chat.last, 1);
    // A poll detects it although there is no event.
    assert_ne!(version_of(store, &id).await, before);
}

async fn concurrent_writers_get_dense_positions(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join_action("bob")).await;
    let send = async |name: &str, n: u64| {
        let text = format!("{name} {n}");
        let action = match name {
            "bob" => agent_message("bob", &text),
            _ => client_message(&text),
        };
        let window = ChatWindow::After(n);
        let reply = store.update_chat(&id, &action, window).await.unwrap();
        outcome_of(reply).1.last
    };
    let mut positions = Vec::new();
    for n in 0..200 {
        let (first, second) = join(send("ann", n), send("bob", n)).await;
        positions.extend([first, second]);
    }
    positions.sort_unstable();
    // A reply may include the event of the other writer, but the last one is the total.
    assert_eq!(positions.last(), Some(&402));
    let rows = transcript(store, &id).await.split_off(1);
    assert_eq!(rows.len(), 400);
    for (name, prefix) in [("ann", "Ann: ann "), ("bob", "BOB: bob ")] {
        let own = rows.iter().filter_map(|row| row.strip_prefix(prefix));
        let expected: Vec<String> = (0..200).map(|n: u64| n.to_string()).collect();
        assert_eq!(own.collect::<Vec<_>>(), expected, "{name}");
    }
}
