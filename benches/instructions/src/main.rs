//! Instructions per frame, counted by valgrind's callgrind: exact, so that a slow-down is seen in the change that causes it.
//!
//! ```text
//! cargo run --release --manifest-path benches/instructions/Cargo.toml              # counts, and compares with figures.txt
//! cargo run --release --manifest-path benches/instructions/Cargo.toml -- --bless   # counts, and writes figures.txt
//! ```
//!
//! Each cell runs in a process of its own, of which only the work itself is counted: not starting, not feeding.

mod cells;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

use cells::{CELLS, FRAMES, ROUNDS};

/// How much a figure may differ from the committed one: code far away may move what the optimiser does here.
const TOLERANCE: f64 = 0.03;

/// The same for figures of another compiler, which may only show that nothing went badly wrong.
const COMPILER_TOLERANCE: f64 = 0.25;

const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.txt");

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["--bless"] => bless(),
        ["--cell", name] => {
            let (_, cell) = CELLS.iter().find(|(cell, _)| *cell == name).expect("a cell");
            cell();
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: tidewire-instructions [--bless]");
            ExitCode::FAILURE
        }
    }
}

fn bless() -> ExitCode {
    let mut figures = format!("# Instructions per frame or handshake. {}\n", compiler());
    for (name, _) in CELLS {
        let line = format!("{name:<32}{:>8}", instructions(name));
        println!("{line}");
        writeln!(figures, "{line}").expect("a string takes everything");
    }
    fs::write(FIGURES, figures).expect("figures.txt can be written");
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    let committed = fs::read_to_string(FIGURES).expect("figures.txt");
    let same_compiler = committed.lines().next().is_some_and(|line| line.ends_with(&compiler()));
    let tolerance = if same_compiler { TOLERANCE } else { COMPILER_TOLERANCE };
    let mut failed = false;
    println!("{:<32}{:>8}{:>11}{:>9}", "", "now", "committed", "change");
    for (name, _) in CELLS {
        let now = instructions(name);
        let before = committed.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let before = before.unwrap_or_else(|| panic!("no committed figure for {name}: bless it"));
        let change = now as f64 / before as f64 - 1.0;
        let differs = change.abs() > tolerance;
        failed |= differs;
        let mark = if differs { "  !" } else { "" };
        println!("{name:<32}{now:>8}{before:>11}{:>8.1}%{mark}", 100.0 * change);
    }
    if failed {
        eprintln!("a figure differs by more than {} %: find out why, or bless it", 100.0 * tolerance);
    }
    ExitCode::from(u8::from(failed))
}

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc is installed");
    let version = String::from_utf8_lossy(&output.stdout);
    // Without the commit and the date.
    version.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// What one frame of `cell` takes.
fn instructions(cell: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"])
        .arg(env::current_exe().expect("this program"))
        .args(["--cell", cell])
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("valgrind is installed");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let count = log.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse::<u64>().ok());
    count.unwrap_or_else(|| panic!("no count in {log}")) / (ROUNDS * FRAMES)
}
