//! The scenarios over a scripted stream, and how they are disturbed.

use std::time::Duration;

use tokio::time::timeout;

use crate::scenario::{Attendant, Outcome, Place, SCENARIOS, Scenario};
use crate::tokio_player::Player;
use crate::tokio_stream::{Cut, Fault, Peer, Script, block_on, scripted};
use crate::tokio_way::Way;
use crate::tokio_wire::Role;
use crate::written::Written;

/// More than any scenario has of operations and Pendings.
const MAX_PLACES: usize = 20_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Upset {
    Nothing,
    /// The nth operation of the stream.
    Fault(usize, Fault),
    /// The nth time that a method is pending, its future is dropped, and the method is called again.
    Dropped(usize),
    /// The nth time that the whole program is pending, it is given up.
    Abandoned(usize),
}

/// Short messages are cut finely, and long ones coarsely.
fn scripts(scenario: Scenario) -> &'static [Script] {
    const SHORT: [Script; 4] = [
        Script::SMOOTH,
        Script::SMOOTH.with_pending().with_steps(30, 20).with_vectored().holding_back(),
        Script::SMOOTH.with_steps(7, 5),
        Script::SMOOTH.with_steps(3, 2).with_vectored(),
    ];
    const LONG: [Script; 3] = [
        Script::SMOOTH.with_vectored(),
        Script::SMOOTH.with_pending().with_steps(1000, 1500).with_vectored().holding_back(),
        Script::SMOOTH.with_steps(700, 300),
    ];
    if scenario.is_long() { &LONG } else { &SHORT }
}

/// Plays every scenario undisturbed, and then with an upset at the 1st, 2nd, 3rd... place until it does not come to that any more.
pub fn play_all(upset: impl Fn(usize) -> Upset, check: impl Fn(Scenario, &Outcome, &Outcome)) {
    for (scenario, roles) in SCENARIOS {
        for (&role, &script) in
            roles.iter().flat_map(|role| scripts(scenario).iter().map(move |script| (role, script)))
        {
            for &way in Way::ALL {
                play(way, scenario, role, script, &upset, &check);
            }
        }
    }
}

fn play(
    way: Way,
    scenario: Scenario,
    role: Role,
    script: Script,
    upset: &impl Fn(usize) -> Upset,
    check: &impl Fn(Scenario, &Outcome, &Outcome),
) {
    if !way.differs_in(scenario) {
        return;
    }
    let whole = run(way, scenario, role, script, Upset::Nothing);
    whole.assert_same(scenario, &whole);
    assert!(whole.written.is_whole());
    for n in 1..MAX_PLACES {
        let _place = Place((way, scenario, role, script, upset(n)));
        let outcome = run(way, scenario, role, script, upset(n));
        check(scenario, &outcome, &whole);
        if !outcome.is_upset {
            outcome.assert_same(scenario, &whole);
            break;
        }
    }
}

/// Plays a scenario to its end, which it must come to whatever happens.
fn run(way: Way, scenario: Scenario, role: Role, script: Script, upset: Upset) -> Outcome {
    let script = if let Upset::Fault(n, fault) = upset { script.with_fault(n, fault) } else { script };
    let (stream, peer) = scripted(script);
    let (mut dropping, mut abandoning) = (Cut::NEVER, Cut::NEVER);
    match upset {
        Upset::Dropped(n) => dropping = Cut::at(n),
        Upset::Abandoned(n) => abandoning = Cut::at(n),
        _ => {}
    }
    let mut player = Player::new(way, scenario, role, peer.clone(), dropping);
    block_on(async {
        let playing = async {
            if let Some(Err(error)) = abandoning.run(player.play(stream)).await {
                player.errors.push(error);
            }
        };
        tokio::join!(playing, attend(scenario, role, &peer));
    });
    Outcome {
        received: player.received,
        errors: player.errors,
        written: Written::new(peer.log()),
        vouched: player.vouched,
        readable: if player.is_open {
            scenario.count_messages(role, peer.read_len(), &peer.log())
        } else {
            0
        },
        is_upset: match upset {
            Upset::Nothing => false,
            Upset::Fault(n, _) => peer.operations() >= n,
            Upset::Dropped(n) => player.cut.pendings >= n,
            Upset::Abandoned(n) => abandoning.pendings >= n,
        },
    }
}

/// Plays the peer until it has nothing more to say, or until the socket has ended or been silent for long; then it ends.
async fn attend(scenario: Scenario, role: Role, peer: &Peer) {
    const LONG: Duration = Duration::from_secs(60);
    let mut attendant = Attendant::new(scenario, role);
    peer.send(attendant.greeting());
    loop {
        let log = peer.log();
        peer.read();
        let (says, is_over) = attendant.answer(&log);
        peer.send(says);
        if is_over || peer.is_shut() || timeout(LONG, peer.more_than(log.len())).await.is_err() {
            return peer.end();
        }
    }
}
