//! CPU time of this thread, and how contenders take turns.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a sample should last: long against the system call that reads the clock, short against a time slice.
const SAMPLE: Duration = Duration::from_micros(200);

/// The CPU time that this thread has used, in user and system mode.
pub(crate) fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// The CPU time that all threads of this process have used, in user and system mode.
pub(crate) fn process_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The least that one run of each contender has cost over many rounds, in nanoseconds of CPU time.
///
/// They take turns, sample by sample, so that a slow moment of the machine meets all of them. What disturbs a sample, an
/// interrupt or a neighbour in the cache, can only make it longer; the minimum is what is left when nothing did.
pub(crate) fn take_turns(contenders: &mut [Box<dyn FnMut() + '_>], rounds: usize) -> Vec<f64> {
    let runs: Vec<u32> = contenders.iter_mut().map(calibrate).collect();
    let mut least = vec![f64::INFINITY; contenders.len()];
    for _ in 0..rounds {
        for ((contender, &runs), least) in contenders.iter_mut().zip(&runs).zip(&mut least) {
            // Once for the caches: the contender before this one has filled them.
            contender();
            let sample = time(contender, runs);
            *least = least.min(sample.as_nanos() as f64 / f64::from(runs));
        }
    }
    least
}

/// How many runs make a sample.
fn calibrate(contender: &mut Box<dyn FnMut() + '_>) -> u32 {
    let mut runs = 1;
    while time(contender, runs) < SAMPLE {
        runs *= 2;
    }
    runs
}

fn time(contender: &mut Box<dyn FnMut() + '_>, runs: u32) -> Duration {
    let start = thread_time();
    for _ in 0..runs {
        contender();
    }
    thread_time() - start
}
