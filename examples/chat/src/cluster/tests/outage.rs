//! Redis is gone, or a process is.

use super::*;

/// p and q, with ann and zoe in the lobby of p and q.
fn two() -> (Net, [GuestId; 2], [Ear; 2]) {
    let mut net = Net::new(["p", "q"]);
    let (ann, at_ann) = net.processes[0].guest("ann", "lobby");
    let (zoe, at_zoe) = net.processes[1].guest("zoe", "lobby");
    net.pass(1);
    for ear in [&at_ann, &at_zoe] {
        ear.0.take();
    }
    (net, [ann, zoe], [at_ann, at_zoe])
}

#[test]
fn what_was_said_while_redis_was_gone_is_told_afterwards() {
    let (mut net, [ann, zoe], [at_ann, at_zoe]) = two();
    net.unlink(0);
    net.unlink(1);
    for n in 0..5 {
        net.processes[0].say(ann, &room("lobby"), &format!("a{n}"));
        net.processes[1].say(zoe, &room("lobby"), &format!("z{n}"));
    }
    net.pass(60);
    assert_eq!((at_ann.texts(), at_zoe.texts()), (vec![], vec![]));
    net.link(0);
    net.link(1);
    net.pass(0);
    assert_eq!(at_ann.texts(), ["z0", "z1", "z2", "z3", "z4"]);
    assert_eq!(at_zoe.texts(), ["a0", "a1", "a2", "a3", "a4"]);
}

#[test]
fn what_a_dead_process_has_said_is_learned_from_any_other() {
    let mut net = Net::new(["p", "q", "r"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    let (_, at_kim) = net.processes[2].guest("kim", "lobby");
    net.pass(1);
    net.unlink(2);
    for n in 0..5 {
        net.processes[0].say(ann, &room("lobby"), &format!("a{n}"));
    }
    net.carry();
    net.unlink(0);
    net.pass(20);
    assert_eq!(at_kim.texts(), [""; 0]);
    net.link(2);
    net.pass(0);
    assert_eq!(at_kim.texts(), ["a0", "a1", "a2", "a3", "a4"]);
}

#[test]
fn what_a_killed_process_had_not_told_comes_when_it_is_started_again() {
    let (mut net, [ann, _], [_, at_zoe]) = two();
    net.processes[0].say(ann, &room("lobby"), "told");
    net.carry();
    // It is stored and acknowledged, and then the process is killed.
    net.processes[0].say_as(ann, 100, &room("lobby"), "acknowledged");
    net.processes[0].say_as(ann, 101, &room("lobby"), "not acknowledged");
    net.processes[0] = net.processes[0].restarted(2);
    // Her client goes to q, and sends again what was not acknowledged.
    let (ann, _) = net.processes[1].guest("ann", "lobby");
    net.processes[1].say_as(ann, 101, &room("lobby"), "not acknowledged");
    assert_eq!(at_zoe.texts(), ["told", "not acknowledged"]);
    net.pass(20);
    let (_, at_bob) = net.processes[0].guest("bob", "lobby");
    net.link(0);
    net.pass(1);
    assert_eq!(at_zoe.texts(), ["acknowledged"]);
    // p knows of q's, and tells it as little as q tells p's.
    assert_eq!(at_bob.texts(), [""; 0]);
    assert_eq!(net.processes[0].rooms.heads(), net.processes[1].rooms.heads());
    assert!(net.is_settled());
}

#[test]
fn a_process_whose_disk_has_lost_the_end_gets_it_back() {
    let (mut net, [ann, _], [_, at_zoe]) = two();
    for n in 0..4 {
        net.processes[0].say(ann, &room("lobby"), &format!("a{n}"));
    }
    net.carry();
    net.processes[0].stored.truncate(2);
    net.processes[0] = net.processes[0].restarted(2);
    net.link(0);
    net.pass(1);
    // Its own messages are there again, and no number is used twice.
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    net.processes[0].say(ann, &room("lobby"), "new");
    net.pass(0);
    assert_eq!(at_zoe.texts(), ["a0", "a1", "a2", "a3", "new"]);
    assert_eq!(net.processes[0].stored.len(), 5);
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    let mut net = Net::new(["p", "q", "r"]);
    let (ann, _) = net.processes[0].guest("ann", "lobby");
    net.processes.push(Process::new("s"));
    net.pass(1);
    net.processes[0].say(ann, &room("lobby"), "hello");
    net.pass(2);
    net.link(3);
    // s hears how far the others are. Then p and q are gone.
    while let Some(message) = net.processes.iter_mut().find_map(|process| process.cluster.next_message()) {
        if message.payload.contains(r#""ask""#) {
            break;
        }
        for process in &mut net.processes {
            process.receive(net.now, &message.payload).expect("understood");
        }
    }
    net.unlink(0);
    net.unlink(1);
    net.pass(9);
    assert_eq!(net.processes[3].rooms.head(&name("p")), 1);
    net.pass(11);
    assert!(net.processes[3].cluster.is_settled(net.now, &net.processes[3].rooms));
}

#[test]
fn what_others_have_forgotten_is_not_asked_for_again_and_again() {
    let mut net = Net::new([]);
    let small = || Limits { max_history_count: 1, max_origins: 2, ..Limits::default() };
    for (run, origin) in (0..).zip(["p", "q", "r", "s"]) {
        net.processes.push(Process::with_run(origin, run, small()));
        net.link(run as usize);
    }
    net.pass(2);
    // More processes than each can tell apart.
    for n in 0..4 {
        let (guest, _) = net.processes[n].guest(&format!("g{n}"), "lobby");
        net.processes[n].say(guest, &room("lobby"), "one");
        net.processes[n].say(guest, &room("lobby"), "two");
    }
    net.pass(10);
    let asked = |net: &Net| net.processes.iter().map(|process| process.cluster.next_question).sum::<u64>();
    let before = asked(&net);
    net.pass(60);
    assert!(asked(&net) - before <= 4, "{}", asked(&net) - before);
}
