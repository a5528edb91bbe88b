//! What is too much.

use super::*;

#[test]
fn guests() {
    let mut rooms = rooms_with(|limits| limits.max_guests = 2);
    rooms.guest("ann");
    let (bob, _) = rooms.guest("bob");
    let enter =
        |rooms: &mut Rooms<Ear>| rooms.enter(person("eve"), client("eve"), Ear::default(), None, None).err();
    assert_eq!(enter(&mut rooms), Some(Refusal::Full));
    rooms.exit(bob);
    assert_eq!(enter(&mut rooms), None);
}

#[test]
fn rooms_where_somebody_is() {
    let mut rooms = rooms_with(|limits| limits.max_rooms = 2);
    let (ann, _) = rooms.guest_in("ann", "one");
    rooms.join(ann, &name("two"), None).expect("a place");
    assert_eq!(rooms.join(ann, &name("three"), None), Err(Refusal::TooManyRooms));
    rooms.tell(ann, 1, &room("one"), "x").expect("said");
    rooms.leave(ann, &name("one")).expect("left");
    // The empty one is kept while there is place, and then makes place.
    assert_eq!(rooms.join(ann, &name("one"), None), Ok(true));
    rooms.leave(ann, &name("one")).expect("left");
    assert_eq!(rooms.join(ann, &name("three"), None), Ok(true));
    assert_eq!(rooms.join(ann, &name("one"), None), Err(Refusal::TooManyRooms));
}

#[test]
fn the_room_that_was_left_longest_ago_makes_place() {
    let mut rooms = rooms_with(|limits| limits.max_rooms = 2);
    let (ann, at_ann) = rooms.guest("ann");
    for (id, of) in ["one", "two"].iter().enumerate() {
        rooms.join(ann, &name(of), None).expect("a place");
        rooms.tell(ann, id as u64, &room(of), of).expect("said");
    }
    rooms.leave(ann, &name("two")).expect("left");
    rooms.leave(ann, &name("one")).expect("left");
    rooms.join(ann, &name("three"), None).expect("a place");
    rooms.leave(ann, &name("three")).expect("left");
    at_ann.take();
    rooms.join(ann, &name("one"), Some(&position(&[("p", 0)]))).expect("a place");
    assert_eq!(at_ann.joined(&room("one")).3, ["one"]);
    rooms.join(ann, &name("two"), Some(&position(&[("p", 1)]))).expect("a place");
    let (_, after, gap, texts) = at_ann.joined(&room("two"));
    assert_eq!((after, gap, texts), (position(&[("p", 2)]), true, vec![]));
}

#[test]
fn rooms_of_one_person() {
    let mut rooms = rooms_with(|limits| limits.max_rooms_per_person = 2);
    let (one, _) = rooms.guest_in("ann", "one");
    let (two, _) = rooms.guest_in("ann", "two");
    let (three, _) = rooms.guest("ann");
    let full = Err(Refusal::TooManyRoomsOfYours);
    for guest in [one, two, three] {
        assert_eq!(rooms.join(guest, &name("three"), None), full);
    }
    // A room counts once, however many of her guests are in it.
    assert_eq!(rooms.join(three, &name("one"), None), Ok(false));
    rooms.exit(one);
    assert_eq!(rooms.join(two, &name("three"), None), full);
    assert_eq!(rooms.leave(three, &name("one")), Ok(true));
    assert_eq!(rooms.join(two, &name("three"), None), Ok(true));
    assert_eq!(rooms.join(three, &name("one"), None), full);
    // Another person has rooms of its own.
    rooms.guest_in("bob", "one");
    rooms.exit(two);
    rooms.exit(three);
    let (bob, _) = rooms.guest("bob");
    rooms.exit(bob);
    assert_eq!(rooms.joined, HashMap::from([(name("bob"), 1)]));
}

#[test]
fn people_in_a_room() {
    let mut rooms = rooms_with(|limits| limits.max_people = 1);
    rooms.guest_in("ann", "lobby");
    // Another connection of the same person takes no place.
    rooms.guest_in("ann", "lobby");
    let (bob, at_bob) = rooms.guest("bob");
    assert_eq!(rooms.join(bob, &name("lobby"), None), Err(Refusal::RoomFull));
    assert_eq!(at_bob.take(), []);
}

#[test]
fn people_in_a_room_through_other_processes() {
    let mut rooms = rooms_with(|limits| limits.max_people = 2);
    let (_, at_ann) = rooms.guest_in("ann", "lobby");
    let (bob, _) = rooms.guest("bob");
    let lobby = name("lobby");
    let change = |rooms: &mut Rooms<Ear>, origin: &str, of: &str, is_there| {
        let change = Change { room: Some(lobby.clone()), user: name(of), is_there };
        let is_noted = rooms.apply_presence(&name(origin), &change);
        (is_noted, at_ann.take().len())
    };
    assert_eq!(change(&mut rooms, "q", "zoe", true), (true, 1));
    assert_eq!(change(&mut rooms, "q", "kim", true), (false, 0));
    // Who is there takes no second place.
    assert_eq!(change(&mut rooms, "r", "zoe", true), (true, 0));
    assert_eq!(change(&mut rooms, "q", "kim", false), (false, 0));
    assert_eq!(rooms.join(bob, &name("lobby"), None), Err(Refusal::RoomFull));
    assert_eq!(change(&mut rooms, "q", "zoe", false), (true, 0));
    assert_eq!(change(&mut rooms, "r", "zoe", false), (true, 1));
    assert_eq!(change(&mut rooms, "q", "kim", true), (true, 1));
}

#[test]
fn text() {
    let mut rooms = rooms_with(|limits| limits.max_text_len = 4);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    for (text, expected) in [
        ("", Err(Refusal::Empty)),
        (" \n\t", Err(Refusal::Empty)),
        ("12345", Err(Refusal::TooLong)),
        ("\u{1f30a}!", Err(Refusal::TooLong)),
        ("a\0b", Err(Refusal::Malformed)),
        ("a\u{85}", Err(Refusal::Malformed)),
        ("\u{1f30a}", Ok((1, 0))),
        ("a\n\tb", Ok((2, 0))),
    ] {
        let id = text.len() as u64;
        assert_eq!(
            rooms.tell(ann, id * 10 + u64::from(text.contains('b')), &room("lobby"), text),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn positions() {
    let mut rooms = rooms_with(|limits| limits.max_origins = 1);
    let two = position(&[("p", 1), ("q", 1)]);
    let (ann, _) = rooms.guest("ann");
    assert_eq!(rooms.join(ann, &name("lobby"), Some(&two)), Err(Refusal::InvalidPosition));
    let enter = rooms.enter(person("bob"), client("bob"), Ear::default(), None, Some(&two));
    assert_eq!(enter, Err(Refusal::InvalidPosition));
}

#[test]
fn inboxes() {
    let mut rooms = rooms_with(|limits| limits.max_inboxes = 2);
    let (ann, _) = rooms.guest("ann");
    let (bob, _) = rooms.guest("bob");
    let enter =
        |rooms: &mut Rooms<Ear>| rooms.enter(person("eve"), client("eve"), Ear::default(), None, None).err();
    assert_eq!(enter(&mut rooms), Some(Refusal::Full));
    rooms.exit(bob);
    assert_eq!(enter(&mut rooms), None);
    assert_eq!(rooms.tell(ann, 1, &user("bob"), "x"), Err(Refusal::NoSuchPerson));
}

#[test]
fn a_refusal_has_a_word_and_a_sentence() {
    assert_eq!(
        serde_json::to_string(&Refusal::TooManyRoomsOfYours).expect("JSON"),
        "\"too-many-rooms-of-yours\""
    );
    assert_eq!(Refusal::RoomFull.to_string(), "the room is full");
}
