//! Who is where, through any process.

use super::*;

fn people(process: &Process, of: &str) -> Vec<String> {
    let (of, room) = (name(of), name("lobby"));
    let mut people: Vec<_> = process
        .rooms
        .presence_of(&of)
        .filter(|(at, _)| **at == room)
        .map(|(_, user)| user.to_string())
        .collect();
    people.sort();
    people
}

#[test]
fn who_comes_and_goes_is_told_at_once() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_ann) = net.processes[0].guest("ann", "lobby");
    let (one, _) = net.processes[1].guest("zoe", "lobby");
    let (two, _) = net.processes[1].guest("zoe", "lobby");
    net.carry();
    assert_eq!(at_ann.changes(), ["+zoe"]);
    net.processes[1].leave(one);
    net.carry();
    assert_eq!(at_ann.changes(), [""; 0]);
    net.processes[1].leave(two);
    net.carry();
    assert_eq!(at_ann.changes(), ["-zoe"]);
}

#[test]
fn who_comes_later_learns_who_is_there() {
    let mut net = Net::new(["p"]);
    for n in 0..5_000 {
        net.processes[0].guest(&format!("g{n}"), &format!("room{}", n % 7));
    }
    net.processes[0].guest("ann", "lobby");
    net.carry();
    net.processes.push(Process::new("q"));
    net.link(1);
    net.pass(1);
    assert_eq!(people(&net.processes[1], "p"), ["ann"]);
    assert_eq!(net.processes[1].rooms.presence_of(&name("p")).count(), 5_001);
    // She can be written to.
    let (zoe, _) = net.processes[1].guest("zoe", "lobby");
    net.processes[1].say(zoe, &Channel::User(name("ann")), "hello");
}

#[test]
fn a_list_of_which_a_part_gets_lost_is_none() {
    let mut net = Net::new(["p"]);
    for n in 0..9_000 {
        net.processes[0].guest(&format!("guest-with-a-long-name-{n}"), &format!("room{}", n % 40));
    }
    net.carry();
    net.processes.push(Process::new("q"));
    net.link(1);
    for lost in [0, 1, 2] {
        let mut part = 0;
        let there = |net: &Net| net.processes[1].rooms.presence_of(&name("p")).count();
        while part <= lost {
            let Some(message) = net.processes.iter_mut().find_map(|process| process.cluster.next_message())
            else {
                net.now += ANSWER_TIMEOUT;
                for Process { rooms, cluster, .. } in &mut net.processes {
                    cluster.handle_timeout(net.now, rooms);
                }
                continue;
            };
            let is_part = message.payload.contains(r#""everyone""#);
            if !is_part || part != lost {
                net.bring(0, &message.payload);
                net.bring(1, &message.payload);
            }
            part += usize::from(is_part);
        }
        while let Some(message) = net.processes[0].cluster.next_message() {
            net.bring(1, &message.payload);
        }
        assert_eq!(there(&net), 0, "part {lost} is lost");
    }
    net.pass(10);
    assert_eq!(net.processes[1].rooms.presence_of(&name("p")).count(), 9_000);
}

#[test]
fn news_that_come_again_or_late_change_nothing() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_ann) = net.processes[0].guest("ann", "lobby");
    let (zoe, _) = net.processes[1].guest("zoe", "lobby");
    let mut old = Vec::new();
    let everyone = Body::Who { to: name("q") };
    let who = Message::<Missed> { version: VERSION, from: name("p"), run: 1, body: everyone };
    net.bring(1, &serde_json::to_string(&who).expect("JSON"));
    net.now += EVERYONE_DELAY;
    let Process { rooms, cluster, .. } = &mut net.processes[1];
    cluster.handle_timeout(net.now, rooms);
    while let Some(message) = net.processes[1].cluster.next_message() {
        net.bring(0, &message.payload);
        old.push(message.payload);
    }
    assert!(old.iter().any(|payload| payload.contains(r#""everyone""#)), "{old:?}");
    net.processes[1].leave(zoe);
    net.pass(1);
    assert_eq!(at_ann.changes(), ["+zoe", "-zoe"]);
    for payload in &old {
        net.bring(0, payload);
        assert_eq!((at_ann.changes(), net.processes[0].cluster.next_message()), (vec![], None), "{payload}");
    }
}

#[test]
fn there_are_only_so_many_processes() {
    let mut net = Net::new(["p"]);
    for n in 0..1_000 {
        let body = Body::<Missed>::Status(Status { heads: Position::new(), changes: 0, hello: false });
        let message = Message { version: VERSION, from: name(&format!("q{n}")), run: 1, body };
        net.bring(0, &serde_json::to_string(&message).expect("JSON"));
    }
    assert_eq!(net.processes[0].cluster.peers.iter().count(), 64);
}

#[test]
fn there_are_only_so_many_people_of_one_process() {
    let mut net = Net::new(["p"]);
    let bring = |net: &mut Net, run, body| {
        let message = Message::<Missed> { version: VERSION, from: name("q"), run, body };
        net.bring(0, &serde_json::to_string(&message).expect("JSON"));
    };
    let seen = |net: &mut Net, run, body| {
        bring(net, run, body);
        net.processes[0].rooms.presence_of(&name("q")).count()
    };
    let list = |people| Body::Everyone(message::Everyone { changes: 0, part: 0, last: true, people });
    let users: Vec<_> = (0..1_000).map(|n| name(&format!("g{n}"))).collect();
    let change = |room: usize, user: &Name, is_there| Change {
        room: Some(name(&format!("room{room}"))),
        user: user.clone(),
        is_there,
    };
    bring(&mut net, 1, list(vec![]));
    let mut number = 0;
    for room in 0..201 {
        number += users.len() as u64;
        let changes = users.iter().map(|user| change(room, user, true)).collect();
        bring(&mut net, 1, Body::Changed(number, changes));
    }
    let one = |room, user, is_there| vec![change(room, user, is_there)];
    assert_eq!(seen(&mut net, 1, Body::Changed(number + 1, one(300, &users[0], true))), 200_000);
    assert_eq!(seen(&mut net, 1, Body::Changed(number + 2, one(0, &users[0], false))), 199_999);
    assert_eq!(seen(&mut net, 1, Body::Changed(number + 3, one(300, &users[0], true))), 200_000);
    assert_eq!(seen(&mut net, 1, Body::Changed(number + 4, one(300, &users[1], true))), 200_000);
    // Those who are gone with the process that was started again are counted no longer.
    assert_eq!(seen(&mut net, 2, list(vec![(Some(name("room0")), users[..2].to_vec())])), 2);
    assert_eq!(seen(&mut net, 2, Body::Changed(1, one(300, &users[1], true))), 3);
}

#[test]
fn changes_that_get_lost_are_made_up_for() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_ann) = net.processes[0].guest("ann", "lobby");
    let ids: Vec<_> = (0..20).map(|n| net.processes[1].guest(&format!("g{n}"), "lobby").0).collect();
    net.pass(1);
    assert_eq!(people(&net.processes[0], "q").len(), 20);
    net.unlink(0);
    for id in &ids[..15] {
        net.processes[1].leave(*id);
    }
    net.processes[1].guest("new", "lobby");
    net.carry();
    assert_eq!(people(&net.processes[0], "q").len(), 20);
    at_ann.0.take();
    net.link(0);
    net.pass(1);
    let mut expected: Vec<_> = (15..20).map(|n| format!("g{n}")).chain(["new".into()]).collect();
    expected.sort();
    assert_eq!(people(&net.processes[0], "q"), expected);
    assert_eq!(at_ann.changes().len(), 16);
    // And if many messages are lost.
    net.loses = 30;
    for turn in 0..30 {
        let (id, _) = net.processes[1].guest(&format!("h{turn}"), "lobby");
        net.carry();
        if turn % 2 == 0 {
            net.processes[1].leave(id);
        }
    }
    net.pass(300);
    assert_eq!(people(&net.processes[0], "q").len(), 6 + 15);
}

#[test]
fn a_process_that_is_not_heard_is_gone_with_its_people() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_ann) = net.processes[0].guest("ann", "lobby");
    net.processes[1].guest("zoe", "lobby");
    net.pass(1);
    at_ann.0.take();
    net.unlink(1);
    net.pass(EXPIRY.as_secs() - 2);
    assert_eq!(at_ann.changes(), [""; 0]);
    net.pass(3);
    assert_eq!(at_ann.changes(), ["-zoe"]);
    net.link(1);
    net.pass(1);
    assert_eq!(at_ann.changes(), ["+zoe"]);
    // One that says goodbye is gone at once.
    net.processes[1].cluster.stop();
    net.carry();
    assert_eq!(at_ann.changes(), ["-zoe"]);
}

#[test]
fn a_process_that_stood_still_does_not_take_the_others_for_gone() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_ann) = net.processes[0].guest("ann", "lobby");
    net.processes[1].guest("zoe", "lobby");
    net.pass(1);
    at_ann.0.take();
    net.now += Duration::from_secs(3_600);
    let Process { rooms, cluster, .. } = &mut net.processes[0];
    cluster.handle_timeout(net.now, rooms);
    assert_eq!(at_ann.changes(), [""; 0]);
    // And if the other one is gone indeed, it is not waited for much longer.
    net.unlink(1);
    net.pass(EXPIRY.as_secs() + 2);
    assert_eq!(at_ann.changes(), ["-zoe"]);
}

#[test]
fn a_process_that_was_started_again_has_nobody() {
    let mut net = Net::new(["p", "q"]);
    let (_, at_ann) = net.processes[0].guest("ann", "lobby");
    net.processes[1].guest("zoe", "lobby");
    net.processes[1].guest("kim", "lobby");
    net.pass(1);
    at_ann.0.take();
    net.processes[1] = net.processes[1].restarted(2);
    net.processes[1].guest("kim", "lobby");
    net.link(1);
    net.pass(1);
    assert_eq!(at_ann.changes(), ["-zoe"]);
    assert_eq!(people(&net.processes[0], "q"), ["kim"]);
}
