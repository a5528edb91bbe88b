//! Rounds, in which servers take turns.
//!
//! Each turn is a fresh process, and the rows take turns as well: a bad minute of the machine meets all of them. The median of the rounds
//! counts, of each figure relative to its round: how many messages happen to wait when a server looks is a matter of luck in both directions.

use std::error::Error;

use crate::servers::Contender;
use crate::table::Table;

/// A table of what `sample` gives for each contender and row.
pub(crate) fn measure<'a, R: Copy>(
    title: &str,
    unit: &'static str,
    contenders: &[Contender<'a>],
    rows: Vec<(String, R)>,
    rounds: usize,
    sample: impl Fn(Contender<'a>, R) -> Result<f64, Box<dyn Error>>,
) -> Result<Table, Box<dyn Error>> {
    let mut samples: Vec<_> = rows.iter().map(|_| vec![Vec::new(); contenders.len()]).collect();
    for round in 1..=rounds {
        eprintln!("{title}, round {round} of {rounds}");
        for ((name, row), samples) in rows.iter().zip(&mut samples) {
            let mut turns: Vec<_> = contenders.iter().zip(samples).collect();
            // Whoever comes before another comes after it in the next round.
            if round % 2 == 0 {
                turns.reverse();
            }
            for (&contender, samples) in turns {
                let figure = sample(contender, *row);
                samples.push(figure.map_err(|error| format!("{}, {name}: {error}", contender.server.id()))?);
            }
        }
    }
    let mut table = Table::new(title, unit, contenders.iter().map(Contender::column).collect());
    for ((name, _), samples) in rows.into_iter().zip(samples) {
        table.push_rounds(name, samples);
    }
    Ok(table)
}
