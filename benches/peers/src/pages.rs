//! The pages of a whole run: every table, and the charts that are drawn from the same figures.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use crate::chart::{self, Heading, Line, Panel};
use crate::report::{self, Report};
use crate::table::{Kind, Table};
use crate::{codec, echo, idle};

/// What is in the report, for the line about versions.
const CRATES: [&str; 8] = [
    "tungstenite",
    "tokio-tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "yawc",
    "sockudo-ws",
    "tokio",
    "zlib-rs",
];

/// Writes the page and its charts.
pub(crate) fn write(directory: &Path, report: &Report, quick: bool) -> Result<(), Box<dyn Error>> {
    fs::write(directory.join("performance-tables.md"), page(report, quick)?)?;
    fs::write(directory.join("decoding.svg"), decoding(report)?)?;
    fs::write(directory.join("echo.svg"), echo(report)?)?;
    fs::write(directory.join("memory.svg"), memory(report)?)?;
    Ok(())
}

fn page(report: &Report, quick: bool) -> Result<String, Box<dyn Error>> {
    let mut page = "# Performance tables\n\n\
        The program in `benches/peers` has written this page and its charts, all from one run. Do not edit them, run it again:\n\n\
        ```sh\n\
        cargo run --release --manifest-path benches/peers/Cargo.toml -- --pages docs\n\
        ```\n\n"
        .to_owned();
    if quick {
        page += "**This was a smoke run: its figures mean nothing.**\n\n";
    }
    let cores = thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processor = processor.map_or("an unknown processor", |(_, name)| name);
    let simd = if cfg!(feature = "simd") { "with" } else { "without" };
    writeln!(page, "- The machine: {cores} cores of {processor}, Linux {}.", kernel.trim())?;
    writeln!(page, "- The versions: {}; tidewire {simd} its feature `simd`.", versions())?;
    page += "- A column in *italics* is the least that the work can cost. **Bold** is tidewire.\n\
        - A figure from rounds is the median. Each round counts relative to its mean, since a machine has fast and slow minutes.\n\
        - The table below each table says how many times as much tidewire costs. `±` is half the 95 % interval.\n\n\
        ![Decoding by length of message](decoding.svg)\n\n\
        ![Echo by length of message](echo.svg)\n\n\
        ![Memory per idle connection](memory.svg)\n\n";
    page += report.text().trim_end();
    page.push('\n');
    Ok(page)
}

/// The crates as they were built.
fn versions() -> String {
    let lock = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(format!("{name} {}", package.split_once('"')?.0))
    };
    CRATES.into_iter().filter_map(version).collect::<Vec<_>>().join(", ")
}

fn decoding(report: &Report) -> Result<String, Box<dyn Error>> {
    let table = report.table(codec::DECODE_BINARY)?;
    let panel = |title, lengths: &[usize], divisor: &dyn Fn(usize) -> usize| {
        let cells = lengths.iter().map(|&len| (len, report::length(len), divisor(len)));
        panel(title, false, table, "bare", cells)
    };
    let (short, long) = codec::LENGTHS.split_at(codec::LENGTHS.partition_point(|len| *len < 1 << 10));
    let short = [short, &long[..1]].concat();
    let heading = Heading {
        title: "Decoding binary messages in memory, by their length",
        unit: "CPU time in ns; less is better; bare is a loop over frames that checks nothing",
    };
    chart::lines(
        heading,
        &[
            panel("Short ones: ns per message", &short, &|_| 1),
            panel("Long ones: ns per KiB", long, &|len| len >> 10),
        ],
    )
}

fn echo(report: &Report) -> Result<String, Box<dyn Error>> {
    let table = report.table(echo::ALONE)?;
    let panel = |title, depth| {
        // Of the longest there is no more than one in flight.
        let lengths = echo::LENGTHS.into_iter().filter(|len| *len <= 64 << 10);
        let cell = |len| echo::Cell { len, connections: 64, depth }.name();
        panel(title, true, table, "raw tokio", lengths.map(|len| (len, cell(len), 1)))
    };
    let heading = Heading {
        title: "Echo over loopback TCP, by length of message",
        unit: "µs of the server's CPU time per message; 64 connections; logarithmic; less is better; raw tokio knows no frames",
    };
    chart::lines(heading, &[panel("One message in flight on each", 1), panel("16 in flight on each", 16)])
}

fn memory(report: &Report) -> Result<String, Box<dyn Error>> {
    let table = report.table(idle::KEPT)?;
    let (_, figures) = table.rows().next().ok_or("no connection was idle")?;
    let columns = table.columns().iter().zip(figures);
    let figures = columns.filter(|(column, _)| is_drawn(column.kind, column.name, "raw tokio"));
    let heading = Heading {
        title: "Memory that the server keeps per idle connection",
        unit: "bytes of resident memory, after an echo of 1 KiB; less is better; raw tokio knows no frames",
    };
    chart::bars(heading, figures.filter_map(|(column, figure)| Some((*column, figure?))).collect())
}

/// The figures of a table by length: each is in the row of that name, and divided by a number.
fn panel(
    title: &'static str,
    is_logarithmic: bool,
    table: &Table,
    floor: &str,
    cells: impl Iterator<Item = (usize, String, usize)>,
) -> Panel {
    let rows: Vec<_> = table.rows().collect();
    let row = |(len, name, divisor): (usize, String, usize)| {
        let (_, figures) = rows.iter().find(|(row, _)| *row == name)?;
        Some((len, figures, divisor as f64))
    };
    let rows: Vec<_> = cells.filter_map(row).collect();
    let columns = table.columns().iter().enumerate();
    let drawn = columns.filter(|(_, column)| is_drawn(column.kind, column.name, floor));
    let lines = drawn.map(|(at, column)| {
        let figures = rows.iter().map(|(_, figures, divisor)| Some(figures[at]? / divisor));
        Line { column: *column, figures: figures.collect() }
    });
    let labels = rows.iter().map(|(len, ..)| report::length(*len)).collect();
    Panel { title, is_logarithmic, labels, lines: lines.collect() }
}

/// One floor is enough for a chart, and so is what people use of a crate rather than its core.
fn is_drawn(kind: Kind, name: &str, floor: &str) -> bool {
    if kind == Kind::Floor { name == floor } else { !name.ends_with(" core") }
}
