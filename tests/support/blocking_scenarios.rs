//! The scenarios over a scripted stream, and how they are disturbed.

use crate::blocking_player::Player;
use crate::blocking_stream::{Fault, Scripted};
use crate::scenario::{Attendant, Outcome, Place, SCENARIOS, Scenario};
use crate::wire::Role;
use crate::written::Written;

/// More calls than any scenario makes.
const MAX_CALLS: usize = 20_000;

/// How a stream reads and writes.
#[derive(Clone, Copy, Debug)]
struct Manner {
    read_len: usize,
    write_len: usize,
    holds_back: bool,
}

const fn manner(read_len: usize, write_len: usize, holds_back: bool) -> Manner {
    Manner { read_len, write_len, holds_back }
}

/// Short messages are cut finely, and long ones coarsely.
fn manners(scenario: Scenario) -> &'static [Manner] {
    const MAX: usize = usize::MAX;
    const SHORT: [Manner; 3] = [manner(MAX, MAX, false), manner(30, 20, true), manner(7, 5, false)];
    const LONG: [Manner; 2] = [manner(MAX, MAX, false), manner(700, 300, true)];
    if scenario.is_long() { &LONG } else { &SHORT }
}

/// Plays every scenario undisturbed, and then with a fault at the 1st, 2nd, 3rd... call until it does not come to that any more.
pub fn play_all(fault: Fault, check: impl Fn(Scenario, &Outcome, &Outcome)) {
    for (scenario, roles) in SCENARIOS {
        for (&role, &manner) in
            roles.iter().flat_map(|role| manners(scenario).iter().map(move |manner| (role, manner)))
        {
            let whole = run(scenario, role, manner, None);
            whole.assert_same(scenario, &whole);
            assert!(whole.written.is_whole());
            for at in 0..MAX_CALLS {
                let _place = Place((scenario, role, manner, fault, at));
                let outcome = run(scenario, role, manner, Some((at, fault)));
                check(scenario, &outcome, &whole);
                if !outcome.is_upset {
                    outcome.assert_same(scenario, &whole);
                    break;
                }
            }
        }
    }
}

/// Plays a scenario to its end, which it must come to whatever happens.
fn run(scenario: Scenario, role: Role, manner: Manner, fault: Option<(usize, Fault)>) -> Outcome {
    let mut attendant = Attendant::new(scenario, role);
    let mut log = Vec::new();
    let stream = Scripted::new(attendant.greeting()).with_lens(manner.read_len, manner.write_len);
    let stream = stream.holding_back(manner.holds_back).with_ending_peer(move |written| {
        log.extend_from_slice(written);
        attendant.answer(&log)
    });
    let stream = if let Some((at, fault)) = fault { stream.with_fault(at, fault) } else { stream };
    let mut player = Player::new(scenario, role);
    if let Err(error) = player.play(&stream) {
        player.errors.push(error);
    }
    let state = stream.state();
    Outcome {
        received: player.received,
        errors: player.errors,
        written: Written::new(state.written.clone()),
        vouched: player.vouched,
        readable: if player.is_open { scenario.count_messages(role, state.read, &state.written) } else { 0 },
        is_upset: fault.is_some_and(|(at, _)| at < state.calls.len()),
    }
}
