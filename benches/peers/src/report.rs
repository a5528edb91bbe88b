//! Tables of what was measured, and of how it compares.

use std::fmt::Write as _;

/// What a column of a table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The least that the work can cost.
    Floor,
    /// tidewire, in one of its forms.
    Own,
    /// Another crate.
    Peer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// One figure per row and column; a column that cannot do what a row asks for has none.
pub(crate) struct Table {
    title: String,
    unit: &'static str,
    columns: Vec<Column>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, unit: &'static str, columns: Vec<Column>) -> Self {
        Self { title: title.into(), unit, columns, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, figures: Vec<Option<f64>>) {
        assert_eq!(figures.len(), self.columns.len(), "one figure per column");
        self.rows.push((name.into(), figures));
    }

    /// The figures, then for each form of tidewire how many times the floors and the best peer it costs.
    pub(crate) fn print(&self) {
        println!("### {}\n", self.title);
        let names = self.columns.iter().map(|column| match column.kind {
            Kind::Floor => format!("_{}_", column.name),
            Kind::Own => format!("**{}**", column.name),
            Kind::Peer => column.name.to_owned(),
        });
        print_row([self.unit.to_owned()].into_iter().chain(names));
        print_rule(self.columns.len());
        for (name, figures) in &self.rows {
            print_row([name.clone()].into_iter().chain(figures.iter().map(|figure| number(*figure))));
        }
        println!();
        self.print_ratios();
    }

    fn print_ratios(&self) {
        let floors = self.of(Kind::Floor);
        let against: String = floors.iter().map(|&at| format!("÷ {} ", self.columns[at].name)).collect();
        let names = self.of(Kind::Own).into_iter().map(|at| self.columns[at].name);
        print_row(
            [format!("{against}÷ best peer")]
                .into_iter()
                .chain(names.map(str::to_owned))
                .chain(["best peer".to_owned()]),
        );
        print_rule(self.of(Kind::Own).len() + 1);
        for (name, figures) in &self.rows {
            let best = self
                .of(Kind::Peer)
                .into_iter()
                .filter_map(|at| Some((figures[at]?, self.columns[at].name)))
                .min_by(|one, other| one.0.total_cmp(&other.0));
            let mut cells = vec![name.clone()];
            for own in self.of(Kind::Own) {
                let others = floors.iter().map(|&at| figures[at]).chain([best.map(|(figure, _)| figure)]);
                let mut cell = String::new();
                for other in others {
                    let separator = if cell.is_empty() { "" } else { " · " };
                    match (figures[own], other) {
                        (Some(own), Some(other)) => write!(cell, "{separator}{:.2}", own / other),
                        _ => write!(cell, "{separator}–"),
                    }
                    .expect("a string takes everything");
                }
                cells.push(cell);
            }
            cells.push(best.map_or("–", |(_, name)| name).to_owned());
            print_row(cells);
        }
        println!();
    }

    fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.columns.len()).filter(|&at| self.columns[at].kind == kind).collect()
    }
}

/// How the contenders of a section were set up.
pub(crate) fn print_setups<'a>(setups: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (name, setup) in setups {
        println!("- **{name}**: {setup}");
    }
    println!();
}

/// A length as people say it.
pub(crate) fn length(len: usize) -> String {
    match len {
        0..1024 => format!("{len} B"),
        1024..1_048_576 => format!("{} KiB", len >> 10),
        _ => format!("{} MiB", len >> 20),
    }
}

/// Three significant digits, or a dash.
fn number(figure: Option<f64>) -> String {
    match figure {
        None => "–".to_owned(),
        Some(figure) if figure < 10.0 => format!("{figure:.2}"),
        Some(figure) if figure < 100.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.0}"),
    }
}

fn print_row(cells: impl IntoIterator<Item = String>) {
    println!("| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "));
}

fn print_rule(columns: usize) {
    println!("|---|{}", "---:|".repeat(columns));
}

/// The figure in the middle of each contender's, one per round, each relative to its round: a machine has fast and slow minutes, which the
/// contenders of a round share.
pub(crate) fn medians(figures: &[Vec<f64>]) -> Vec<Option<f64>> {
    let rounds = figures.iter().map(Vec::len).max().unwrap_or_default();
    let means: Vec<f64> = (0..rounds)
        .map(|round| {
            let logs: Vec<f64> =
                figures.iter().filter_map(|figures| Some(figures.get(round)?.ln())).collect();
            (logs.iter().sum::<f64>() / logs.len() as f64).exp()
        })
        .collect();
    let usual = median(means.clone()).unwrap_or_default();
    let relative =
        |figures: &Vec<f64>| figures.iter().zip(&means).map(|(figure, mean)| figure / mean).collect();
    figures.iter().map(|figures| Some(median(relative(figures))? * usual)).collect()
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
