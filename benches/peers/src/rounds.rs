//! Rounds, in which servers take turns.
//!
//! Each turn is a fresh process, and the rows take turns as well: a bad minute of the machine meets all of them. The median of the rounds
//! counts, of each figure relative to its round: how many messages happen to wait when a server looks is a matter of luck in both directions.

use std::error::Error;

use crate::servers::Contender;
use crate::table::Table;

/// What a table is called, and the unit of its figures.
pub(crate) type Heading<'h> = (&'h str, &'static str);

/// A table of what `sample` gives for each contender and row.
pub(crate) fn measure<'a, R: Copy>(
    title: &str,
    unit: &'static str,
    contenders: &[Contender<'a>],
    rows: Vec<(String, R)>,
    rounds: usize,
    sample: impl Fn(Contender<'a>, R) -> Result<f64, Box<dyn Error>>,
) -> Result<Table, Box<dyn Error>> {
    let sample = |contender, row| sample(contender, row).map(|figure| [figure]);
    let [table] = measure_all([(title, unit)], contenders, rows, rounds, sample)?;
    Ok(table)
}

/// The same where a sample gives a figure for each of several tables.
pub(crate) fn measure_all<'a, R: Copy, const N: usize>(
    headings: [Heading<'_>; N],
    contenders: &[Contender<'a>],
    rows: Vec<(String, R)>,
    rounds: usize,
    sample: impl Fn(Contender<'a>, R) -> Result<[f64; N], Box<dyn Error>>,
) -> Result<[Table; N], Box<dyn Error>> {
    let mut samples: Vec<_> = rows.iter().map(|_| vec![Vec::new(); contenders.len()]).collect();
    for round in 1..=rounds {
        eprintln!("{}, round {round} of {rounds}", headings[0].0);
        for ((name, row), samples) in rows.iter().zip(&mut samples) {
            let mut turns: Vec<_> = contenders.iter().zip(samples).collect();
            // Whoever comes before another comes after it in the next round.
            if round % 2 == 0 {
                turns.reverse();
            }
            for (&contender, samples) in turns {
                let figures = sample(contender, *row);
                samples.push(figures.map_err(|error| format!("{}, {name}: {error}", contender.server.id()))?);
            }
        }
    }
    let columns: Vec<_> = contenders.iter().map(Contender::column).collect();
    Ok(std::array::from_fn(|at| {
        let (title, unit) = headings[at];
        let mut table = Table::new(title, unit, columns.clone());
        for ((name, _), samples) in rows.iter().zip(&samples) {
            let figures = samples.iter().map(|rounds| rounds.iter().map(|figures| figures[at]).collect());
            table.push_rounds(name.clone(), figures.collect());
        }
        table
    }))
}
