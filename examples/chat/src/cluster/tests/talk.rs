//! What is said in one process is told in the others.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_message_reaches_every_process_at_once() {
    let mut net = Net::new(["p", "q", "r"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    let (_, at_bob) = net.processes[1].guest("bob", "lobby");
    let (_, at_zoe) = net.processes[2].guest("zoe", "garden");
    net.carry();
    for text in ["one", "two"] {
        net.processes[0].say(ann, &room("lobby"), text);
    }
    net.processes[0].say(ann, &Channel::User(name("zoe")), "three");
    // What is said in a row leaves in one message.
    let message = net.processes[0].cluster.next_message().expect("a message");
    assert_eq!(message.said, Some(3));
    assert_eq!(net.processes[0].cluster.next_message(), None);
    for process in &mut net.processes {
        process.receive(net.now, &message.payload).expect("understood");
    }
    assert_eq!(at_bob.texts(), ["one", "two"]);
    assert_eq!(at_zoe.texts(), ["three"]);
    // Each process has stored it, once.
    let stored: Vec<_> = net.processes.iter().map(|process| process.stored.len()).collect();
    assert_eq!(stored, [3, 3, 3]);
}

#[test]
fn what_is_said_again_in_another_process_is_recognised() {
    let mut net = Net::new(["p", "q"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    net.processes[0].say_as(ann, 7, &room("lobby"), "hello");
    net.carry();
    let (ann, _) = net.processes[1].guest("ann", "lobby");
    let again = net.processes[1].say_as(ann, 7, &room("lobby"), "hello");
    assert_eq!(again, Verdict::Known { origin: name("p"), seq: 1 });
}

/// Three processes talk, while the net does as it likes. All hear each one's messages in their order, once.
fn all_hear_all(mut net: Net, what: &str) {
    let talkers: Vec<_> = (0..3).map(|at| net.processes[at].guest(&format!("t{at}"), "lobby").0).collect();
    let ears: Vec<_> = (0..3).map(|at| net.processes[at].guest(&format!("e{at}"), "lobby").1).collect();
    for turn in 0..60 {
        for (at, talker) in talkers.iter().enumerate() {
            net.processes[at].say(*talker, &room("lobby"), &format!("{at} {turn}"));
            if turn % 3 == at {
                net.carry();
            }
        }
    }
    net.pass(300);
    for ear in &ears {
        let texts = ear.texts();
        for at in 0..3 {
            let of = format!("{at} ");
            let heard: Vec<_> = texts.iter().filter(|text| text.starts_with(&of)).cloned().collect();
            let said: Vec<_> = (0..60).map(|turn| format!("{at} {turn}")).collect();
            assert_eq!(heard, said, "{what}");
        }
    }
    // Each process has stored each message, once.
    for process in &net.processes {
        let places: BTreeSet<_> = process.stored.iter().map(|entry| (&entry.origin, entry.seq)).collect();
        assert_eq!((places.len(), process.stored.len()), (180, 180), "{what}");
    }
    // Who is there is known when the net is as it should be again.
    (net.loses, net.disorders) = (0, 0);
    net.pass(10);
    for process in &net.processes {
        for other in &net.processes {
            let there = |process: &Process| {
                let of = other.rooms.origin();
                process.rooms.presence_of(of).map(|(_, user)| user.to_string()).collect::<BTreeSet<_>>()
            };
            assert_eq!(there(process), there(other), "{what}");
        }
    }
}

#[test]
fn messages_that_get_lost_come_later_in_order_and_once() {
    for loses in [5, 20, 50] {
        let mut net = Net::new(["p", "q", "r"]);
        net.loses = loses;
        all_hear_all(net, &format!("{loses} of a hundred are lost"));
    }
}

#[test]
fn messages_that_come_twice_or_late_are_told_in_order_and_once() {
    for disorders in [5, 20, 50] {
        for random in 0..20 {
            let mut net = Net::new(["p", "q", "r"]);
            (net.disorders, net.loses, net.random) = (disorders, random % 3, random);
            all_hear_all(net, &format!("{disorders} of a hundred are late, {random}"));
        }
    }
}

#[test]
fn clocks_that_differ_and_jump_change_no_order() {
    let mut net = Net::new(["p", "q"]);
    let (ann, at_ann) = net.processes[0].guest("ann", "lobby");
    let (zoe, _) = net.processes[1].guest("zoe", "lobby");
    const YEAR: u64 = 365 * 86_400_000;
    for (turn, clock) in [50 * YEAR, 49 * YEAR, 0, u64::MAX, 51 * YEAR].into_iter().enumerate() {
        net.processes[0].clock = clock.min(60 * YEAR);
        net.processes[0].say(ann, &room("lobby"), &format!("p {turn}"));
        net.processes[1].say(zoe, &room("lobby"), &format!("q {turn}"));
        net.carry();
    }
    assert_eq!(at_ann.texts(), ["q 0", "q 1", "q 2", "q 3", "q 4"]);
    // One that comes later hears each one's in its order.
    net.processes.push(Process::new("r"));
    let (_, at_kim) = net.processes[2].guest("kim", "lobby");
    net.link(2);
    net.pass(1);
    let texts = at_kim.texts();
    for of in ["p", "q"] {
        let heard: Vec<_> = texts.iter().filter(|text| text.starts_with(of)).collect();
        assert_eq!(heard, [0, 1, 2, 3, 4].map(|turn| format!("{of} {turn}")).iter().collect::<Vec<_>>());
    }
    assert_eq!(texts.len(), 10);
}

#[test]
fn a_long_history_comes_in_pages() {
    let mut net = Net::new(["p"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    let text = "x".repeat(1_000);
    for _ in 0..190 {
        net.processes[0].say(ann, &room("lobby"), &text);
    }
    net.carry();
    net.processes.push(Process::new("q"));
    net.link(1);
    assert!(!net.is_settled());
    net.pass(1);
    assert!(net.is_settled());
    assert_eq!((net.processes[1].stored.len(), net.processes[1].rooms.head(&name("p"))), (190, 190));
    let (_, at_bob) = net.processes[1].guest("bob", "lobby");
    drop(at_bob);
    let (zoe, at_zoe) = net.processes[1].guest("zoe", "garden");
    net.processes[1].rooms.join(zoe, &name("lobby"), None).expect("joined");
    assert_eq!(at_zoe.texts().len(), 190);
}

#[test]
fn what_is_said_while_the_history_comes_waits_for_its_turn() {
    let mut net = Net::new(["p"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    for n in 0..100 {
        net.processes[0].say(ann, &room("lobby"), &format!("{n} {}", "x".repeat(1_900)));
    }
    net.carry();
    net.processes.push(Process::new("q"));
    let (_, at_bob) = net.processes[1].guest("bob", "lobby");
    net.link(1);
    // The history comes in several pages, and between any two something new is said.
    let mut said = 100;
    while let Some(message) = net.processes.iter_mut().find_map(|process| process.cluster.next_message()) {
        for process in &mut net.processes {
            process.receive(net.now, &message.payload).expect("understood");
        }
        if message.said.is_none() && said < 120 {
            net.processes[0].say(ann, &room("lobby"), &format!("{said} new"));
            said += 1;
        }
    }
    let numbers: Vec<usize> = at_bob
        .texts()
        .iter()
        .map(|text| text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number"))
        .collect();
    assert_eq!(numbers, (0..said).collect::<Vec<_>>());
    assert!(said > 104, "{said}");
    assert_eq!(net.processes[1].cluster.next_question, 1, "nothing is asked for that has come");
}

#[test]
fn a_long_history_may_come_slowly() {
    let mut net = Net::new(["p"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    for _ in 0..190 {
        net.processes[0].say(ann, &room("lobby"), &"x".repeat(1_000));
    }
    net.carry();
    net.processes.push(Process::new("q"));
    net.link(1);
    let mut pages = 0;
    while let Some(message) = net.processes.iter_mut().find_map(|process| process.cluster.next_message()) {
        if message.payload.contains(r#""missed""#) {
            pages += 1;
            net.now += ANSWER_TIMEOUT * 3 / 4;
        }
        for to in 0..2 {
            net.bring(to, &message.payload);
        }
        if message.payload.contains(r#""missed""#) {
            let Process { rooms, cluster, .. } = &mut net.processes[1];
            cluster.handle_timeout(net.now, rooms);
        }
        if net.processes[1].rooms.head(&name("p")) == 190 {
            break;
        }
    }
    assert!(pages > 3, "{pages}");
    assert_eq!(net.processes[1].cluster.next_question, 1);
}

#[test]
fn an_answer_that_was_not_asked_for_is_none() {
    let mut net = Net::new(["p", "q"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    let (_, at_bob) = net.processes[1].guest("bob", "lobby");
    net.pass(1);
    let message = |from: &str, body: Body<Missed>| {
        serde_json::to_string(&Message { version: VERSION, from: name(from), run: 1, body }).expect("JSON")
    };
    let Verdict::New(entry) = net.processes[0].say(ann, &room("lobby"), "stray") else {
        panic!("said before")
    };
    net.processes[0].cluster.next_message();
    let (records, heads) = (vec![Missed::Said(entry.into())], Some(Position::new()));
    let answer = |to: &str, number| {
        let (to, records, heads) = (name(to), records.clone(), heads.clone());
        message("p", Body::Missed(Answer { to, number, records, heads }))
    };
    net.bring(1, &answer("q", 0));
    // Nor is one with another number, or for somebody else, while there is a question.
    let status = Status { heads: Position::from([(name("p"), 1)]), changes: 1, hello: false };
    net.bring(1, &message("p", Body::Status(status)));
    let number = net.processes[1].cluster.next_question - 1;
    for stray in [answer("q", number + 1), answer("r", number)] {
        net.bring(1, &stray);
    }
    assert_eq!(at_bob.texts(), [""; 0]);
    net.bring(1, &answer("q", number));
    assert_eq!(at_bob.texts(), ["stray"]);
    // And a page of an answer that there is not is not given.
    for _ in 0..190 {
        net.processes[0].say(ann, &room("lobby"), &"x".repeat(1_000));
    }
    let ask = |number, since| message("q", Body::Ask(Ask { to: name("p"), number, since }));
    for (ask, is_answered) in [
        (ask(76, None), false),
        (ask(76, Some(Position::new())), true),
        (ask(77, None), false),
        (ask(76, None), true),
    ] {
        while net.processes[0].cluster.next_message().is_some() {}
        net.bring(0, &ask);
        assert_eq!(net.processes[0].cluster.next_message().is_some(), is_answered, "{ask}");
    }
}

#[test]
fn nothing_is_held_of_a_process_that_is_gone() {
    let mut net = Net::new(["p", "q"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    net.carry();
    net.processes[0].say(ann, &room("lobby"), "lost");
    net.processes[0].cluster.next_message();
    net.processes[0].say(ann, &room("lobby"), "early");
    let payload = net.processes[0].cluster.next_message().expect("a message").payload;
    net.bring(1, &payload);
    assert_eq!(net.processes[1].cluster.held.origins(), [name("p")]);
    net.unlink(0);
    net.pass(EXPIRY.as_secs() + 1);
    assert_eq!(net.processes[1].cluster.held.origins(), []);
}

#[test]
fn what_came_too_early_is_told_as_soon_as_what_was_before() {
    let mut net = Net::new(["p", "q"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    let (_, at_bob) = net.processes[1].guest("bob", "lobby");
    net.carry();
    let mut payloads = Vec::new();
    for text in ["one", "two", "three"] {
        net.processes[0].say(ann, &room("lobby"), text);
        payloads.push(net.processes[0].cluster.next_message().expect("a message").payload);
    }
    for (payload, heard) in [(1, vec![]), (2, vec![]), (0, vec!["one", "two", "three"])] {
        net.bring(1, &payloads[payload]);
        assert_eq!(at_bob.texts(), heard);
    }
}

#[test]
fn after_what_nobody_remembers_the_next_message_is_told_at_once() {
    let mut net = Net::new([]);
    for origin in ["p", "q"] {
        net.processes.push(Process::with_run(origin, 1, Limits { max_rooms: 1, ..Limits::default() }));
    }
    net.link(0);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    net.processes[0].say(ann, &room("lobby"), "forgotten");
    net.processes[0].rooms.leave(ann, &name("lobby")).expect("left");
    // It takes the place of the other room.
    net.processes[0].rooms.join(ann, &name("garden"), None).expect("joined");
    net.processes[0].drain();
    net.carry();
    net.link(1);
    net.pass(1);
    let (_, at_bob) = net.processes[1].guest("bob", "garden");
    net.carry();
    net.processes[0].say(ann, &room("garden"), "new");
    let payload = net.processes[0].cluster.next_message().expect("a message").payload;
    net.bring(1, &payload);
    assert_eq!(at_bob.texts(), ["new"]);
}

#[test]
fn nobody_speaks_for_another_process() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_bob) = net.processes[1].guest("bob", "lobby");
    let entry = |origin, seq, text: &str| Entry {
        origin: name(origin),
        seq,
        to: room("lobby"),
        from: name("ann"),
        client: ClientId::new(1),
        id: seq,
        time: 1,
        text: text.into(),
    };
    let said = |entry| {
        let message =
            Message { version: VERSION, from: name("p"), run: 1, body: Body::<Missed>::Said(vec![entry]) };
        serde_json::to_string(&message).expect("JSON")
    };
    for wrong in [entry("r", 1, "x"), entry("q", 1, "x"), entry("p", u64::MAX, "x")] {
        net.processes[1].receive(net.now, &said(wrong)).expect("understood");
    }
    // What breaks the rules is left out, and what follows is told.
    net.processes[1].receive(net.now, &said(entry("p", 1, "\u{7}"))).expect("understood");
    net.processes[1].receive(net.now, &said(entry("p", 2, "fine"))).expect("understood");
    assert_eq!(at_bob.texts(), ["fine"]);
    let twin = said(entry("p", 3, "x"))
        .replace(r#""from":"p""#, r#""from":"q""#)
        .replace(r#""run":1"#, r#""run":2"#);
    assert_eq!(net.processes[1].receive(net.now, &twin), Err(Unknown::Twin));
    assert_eq!(net.processes[1].receive(net.now, "{}"), Err(Unknown::Malformed));
}

#[test]
fn a_redis_that_takes_nothing_is_given_up() {
    let mut net = Net::new(["p"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    let text = "x".repeat(4_000);
    for _ in 0..5_000 {
        net.processes[0].say(ann, &room("lobby"), &text);
    }
    assert!(!net.processes[0].cluster.is_linked());
    assert_eq!(net.processes[0].cluster.next_message(), None);
}
