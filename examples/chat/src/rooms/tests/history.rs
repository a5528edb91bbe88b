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

/// What all histories hold, counted one by one.
fn held(rooms: &Rooms<Ear>) -> usize {
    let channels = rooms.rooms.iter().chain(rooms.inboxes.iter()).map(|(_, room)| room).chain([&rooms.all]);
    let entries = channels.flat_map(|room| room.history.entries());
    entries.map(|entry| entry.text.len() + total::MESSAGE_COST).sum()
}

#[test]
fn all_histories_are_bounded_together() {
    let mut rooms = rooms_with(|limits| limits.max_total_len = 3 * (total::MESSAGE_COST + 1));
    let (ann, _) = rooms.guest("ann");
    let (bob, at_bob) = rooms.guest("bob");
    for name in [name("one"), name("two")] {
        rooms.join(ann, &name, None).expect("joined");
    }
    for (id, to) in [(1, room("one")), (2, room("two")), (3, room("one")), (4, room("two"))] {
        rooms.tell(ann, id, &to, &id.to_string()).expect("said");
    }
    // The first of four is the one that is gone.
    for (of, gap, texts) in [("one", true, &["3"][..]), ("two", false, &["2", "4"])] {
        let since = position(&[("p", 0)]);
        rooms.join(bob, &name(of), Some(&since)).expect("joined");
        let (_, _, told, heard) = at_bob.joined(&room(of));
        assert_eq!((told, heard), (gap, texts.iter().map(ToString::to_string).collect()), "{of}");
    }
    // A private message is in two inboxes, and takes two places.
    rooms.tell(ann, 5, &user("bob"), "5").expect("said");
    assert_eq!(rooms.records().filter(|record| matches!(record, Record::Said(_))).count(), 2);
    assert_eq!((rooms.total.len(), held(&rooms)), (3 * (total::MESSAGE_COST + 1), rooms.total.len()));
}

#[test]
fn what_histories_hold_is_counted_whatever_happens() {
    let max_total_len = 40 * total::MESSAGE_COST;
    let limits = |limits: &mut Limits| {
        (limits.max_rooms, limits.max_inboxes, limits.max_history_count) = (3, 4, 9);
        limits.max_total_len = max_total_len;
    };
    let mut rooms = rooms_with(limits);
    let (ann, _) = rooms.guest("ann");
    let (mut random, mut last, mut most) = (1_u32, None, 0);
    for id in 0..3_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = random >> 16;
        let to = match number % 3 {
            0 => {
                let of = name(&format!("room{}", number % 7));
                if let Some(left) = last.replace(of.clone()) {
                    rooms.leave(ann, &left).expect("left");
                }
                rooms.join(ann, &of, None).expect("a place");
                Channel::Room(of)
            }
            1 => {
                let of = format!("u{}", number % 5);
                let (guest, _) = rooms.guest(&of);
                rooms.exit(guest);
                user(&of)
            }
            _ => user("ann"),
        };
        rooms.tell(ann, id, &to, &"x".repeat(1 + number as usize % 500)).expect("said");
        assert_eq!(rooms.total.len(), held(&rooms));
        assert!(rooms.total.len() <= max_total_len);
        most = most.max(rooms.total.len());
    }
    // The limit was met, and what is stored is what is held.
    assert!(most > max_total_len - 1_100, "{most}");
    let mut again = rooms_with(limits);
    rooms.records().for_each(|record| again.restore(record));
    assert_eq!(again.records().collect::<Vec<_>>(), rooms.records().collect::<Vec<_>>());
    assert_eq!(held(&again), again.total.len());
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
