//! What is told again, and what is not.

use super::*;

#[test]
fn who_was_away_hears_what_was_said_meanwhile() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    for id in 1..=5 {
        rooms.tell(ann, id, &room("lobby"), &id.to_string()).expect("said");
    }
    let (bob, at_bob) = rooms.guest("bob");
    rooms.join(bob, &name("lobby"), Some(&position(&[("p", 3)]))).expect("joined");
    assert_eq!(at_bob.joined(&room("lobby")).3, ["4", "5"]);
    rooms.leave(bob, &name("lobby")).expect("left");
    rooms.join(bob, &name("lobby"), Some(&position(&[("p", 5)]))).expect("joined");
    assert_eq!(
        at_bob.joined(&room("lobby")),
        (vec!["ann".into(), "bob".into()], position(&[]), false, vec![])
    );
}

#[test]
fn a_private_message_waits_for_who_is_away() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest("ann");
    let (bob, _) = rooms.guest("bob");
    rooms.tell(ann, 1, &user("bob"), "one").expect("said");
    rooms.exit(bob);
    assert_eq!(rooms.tell(ann, 2, &user("bob"), "two"), Ok((2, 0)));
    let ear = Ear::default();
    let since = position(&[("p", 1)]);
    rooms.enter(person("bob"), client("bob"), ear.clone(), Some(&since), Some(&since)).expect("a place");
    assert_eq!(ear.joined(&user("bob")).3, ["two"]);
}

#[test]
fn a_gap_is_told_only_where_one_may_be() {
    let mut rooms = rooms_with(|limits| limits.max_history_count = 3);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    rooms.join(ann, &name("quiet"), None).expect("joined");
    rooms.tell(ann, 1, &room("quiet"), "first").expect("said");
    for id in 2..=10 {
        rooms.tell(ann, id, &room("lobby"), &id.to_string()).expect("said");
    }
    // Of the lobby there are 8, 9 and 10.
    for (since, gap, texts) in [
        (None, false, &["8", "9", "10"][..]),
        (Some(position(&[])), true, &["8", "9", "10"]),
        (Some(position(&[("p", 5)])), true, &["8", "9", "10"]),
        (Some(position(&[("p", 7)])), false, &["8", "9", "10"]),
        (Some(position(&[("p", 9)])), false, &["10"]),
        // A process that nobody knows may have said more.
        (Some(position(&[("p", 9), ("q", 1)])), true, &["10"]),
    ] {
        let (bob, at_bob) = rooms.guest("bob");
        rooms.join(bob, &name("lobby"), since.as_ref()).expect("joined");
        let (_, after, told, heard) = at_bob.joined(&room("lobby"));
        assert_eq!(
            (told, heard, after),
            (gap, texts.iter().map(ToString::to_string).collect(), position(&[("p", 7)])),
            "{since:?}"
        );
        // Nothing was said in the quiet room since, however much was said elsewhere.
        rooms.join(bob, &name("quiet"), Some(&position(&[("p", 1)]))).expect("joined");
        assert!(!at_bob.joined(&room("quiet")).2);
        rooms.exit(bob);
    }
}

#[test]
fn the_history_is_bounded_in_bytes() {
    let mut rooms = rooms_with(|limits| limits.max_history_len = 10);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    for (id, text) in ["1234", "5678", "90", "x"].iter().enumerate() {
        rooms.tell(ann, id as u64, &room("lobby"), text).expect("said");
    }
    let (bob, at_bob) = rooms.guest("bob");
    rooms.join(bob, &name("lobby"), None).expect("joined");
    assert_eq!(at_bob.joined(&room("lobby")).3, ["5678", "90", "x"]);
}

#[test]
fn what_is_sent_again_is_not_said_again() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    let (_, at_bob) = rooms.guest_in("bob", "lobby");
    assert_eq!(rooms.tell(ann, 7, &room("lobby"), "hello"), Ok((1, 1)));
    rooms.exit(ann);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    // It is the same message, wherever it goes and whatever it says now.
    assert_eq!(rooms.tell(ann, 7, &room("lobby"), "hello"), Ok((1, 0)));
    assert_eq!(rooms.tell(ann, 7, &user("bob"), "hello!"), Ok((1, 0)));
    assert_eq!(rooms.tell(ann, 8, &room("lobby"), "bye"), Ok((2, 1)));
    assert_eq!(at_bob.texts(), ["hello", "bye"]);
}

#[test]
fn the_numbers_of_one_client_are_not_those_of_another() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    // Eve calls herself as ann's client does.
    let ear = Ear::default();
    let eve = rooms.enter(person("eve"), client("ann"), ear, None, None).expect("a place");
    rooms.join(eve, &name("lobby"), None).expect("joined");
    assert_eq!(rooms.tell(eve, 1, &room("lobby"), "hello"), Ok((1, 1)));
    assert_eq!(rooms.tell(ann, 1, &room("lobby"), "hello"), Ok((2, 1)));
}

#[test]
fn only_the_last_messages_are_recognised() {
    let mut rooms = rooms_with(|limits| limits.max_recent = 2);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    for id in 1..=3 {
        assert_eq!(rooms.tell(ann, id, &room("lobby"), "x"), Ok((id, 0)));
    }
    assert_eq!(rooms.tell(ann, 2, &room("lobby"), "x"), Ok((2, 0)));
    assert_eq!(rooms.tell(ann, 1, &room("lobby"), "x"), Ok((4, 0)));
}

#[test]
fn a_clock_that_is_put_back_does_not_change_the_order() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    let mut times = Vec::new();
    for (id, time) in [(1, 50), (2, 20), (3, 60)] {
        let Ok(Verdict::New(entry)) = rooms.say(ann, id, room("lobby"), "x".into(), time) else {
            panic!("new")
        };
        times.push(entry.time);
        rooms.apply(entry, None);
    }
    assert_eq!(times, [50, 50, 60]);
}

/// Rooms in which something has happened, and what they store.
fn eventful() -> (Rooms<Ear>, Vec<Record>) {
    let mut rooms = rooms_with(|limits| limits.max_history_count = 2);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    let (moderator, _) = rooms.guest("mod");
    rooms.guest("bob");
    for (id, to) in [room("lobby"), user("bob"), room("lobby"), room("lobby"), user("mod")].iter().enumerate()
    {
        rooms.tell(ann, id as u64, to, &id.to_string()).expect("said");
    }
    rooms.tell(moderator, 1, &Channel::All, "tea").expect("said");
    let records = rooms.records().collect();
    (rooms, records)
}

#[test]
fn what_was_stored_is_there_again() {
    let (_, records) = eventful();
    let mut rooms = rooms_with(|limits| limits.max_history_count = 2);
    rooms.origin = name("other");
    for record in records.clone() {
        let json = serde_json::to_string(&record).expect("JSON");
        rooms.restore(serde_json::from_str(&json).expect("a record"));
    }
    assert_eq!(rooms.origin().as_str(), "p");
    assert_eq!(rooms.records().collect::<Vec<_>>(), records);
    // It is recognised when it is sent again, the numbers go on, and what is forgotten is known to be missing.
    let (ann, at_ann) = rooms.guest("ann");
    rooms.join(ann, &name("lobby"), Some(&position(&[]))).expect("joined");
    assert_eq!(
        at_ann.joined(&room("lobby")),
        (vec!["ann".into()], position(&[("p", 1)]), true, vec!["2".into(), "3".into()])
    );
    assert_eq!(rooms.tell(ann, 3, &room("lobby"), "3"), Ok((4, 0)));
    assert_eq!(rooms.tell(ann, 9, &room("lobby"), "9"), Ok((7, 0)));
}

#[test]
fn a_private_message_is_stored_once() {
    let (_, records) = eventful();
    let said =
        records.iter().filter(|record| matches!(record, Record::Said(entry) if entry.to == user("bob")));
    assert_eq!(said.count(), 1);
}

#[test]
fn a_room_that_was_restored_makes_place() {
    let (_, records) = eventful();
    let mut rooms = rooms_with(|limits| limits.max_rooms = 1);
    records.into_iter().for_each(|record| rooms.restore(record));
    let (ann, at_ann) = rooms.guest("ann");
    rooms.join(ann, &name("new"), None).expect("a place");
    // The lobby is forgotten, and it is known that it was there.
    rooms.leave(ann, &name("new")).expect("left");
    rooms.join(ann, &name("lobby"), Some(&position(&[("p", 3)]))).expect("joined");
    let (_, _, gap, texts) = at_ann.joined(&room("lobby"));
    assert_eq!((gap, texts), (true, vec![]));
}
