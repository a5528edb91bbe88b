//! Tables of what was measured, and of how it compares.

use std::fmt::{self, Display};

/// What a column of a table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The least that the work can cost.
    Floor,
    /// tidewire, in one of its forms.
    Own,
    /// tidewire in one of its forms, from the other build.
    Other,
    /// Another crate.
    Peer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What was measured for each row and column.
pub(crate) struct Table {
    title: String,
    unit: &'static str,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    /// Of each column one figure per round. A column that cannot do what the row asks for has none.
    rounds: Vec<Vec<f64>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, unit: &'static str, columns: Vec<Column>) -> Self {
        Self { title: title.into(), unit, columns, rows: Vec::new() }
    }

    /// A row of figures that are what they are.
    pub(crate) fn push(&mut self, name: impl Into<String>, figures: Vec<Option<f64>>) {
        self.push_rounds(name, figures.into_iter().map(|figure| figure.into_iter().collect()).collect());
    }

    /// A row that was measured in rounds.
    pub(crate) fn push_rounds(&mut self, name: impl Into<String>, rounds: Vec<Vec<f64>>) {
        assert_eq!(rounds.len(), self.columns.len(), "one for each column");
        self.rows.push(Row { name: name.into(), rounds });
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The name of each row, and its figures, one for each column.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, Vec<Option<f64>>)> {
        self.rows.iter().map(|row| (&*row.name, medians(&row.rounds)))
    }

    fn fmt_ratios(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let floors = self.of(Kind::Floor);
        let against: String = floors.iter().map(|&at| format!("÷ {} ", self.columns[at].name)).collect();
        let names = self.of(Kind::Own).into_iter().map(|at| self.columns[at].name);
        let names = names.map(str::to_owned).chain(["best peer".to_owned()]);
        fmt_row(f, [format!("{against}÷ best peer")].into_iter().chain(names))?;
        fmt_rule(f, self.of(Kind::Own).len() + 1)?;
        for row in &self.rows {
            let figures = medians(&row.rounds);
            let best = self
                .of(Kind::Peer)
                .into_iter()
                .filter(|&at| figures[at].is_some())
                .min_by(|&one, &other| figures[one].partial_cmp(&figures[other]).expect("numbers"));
            let mut cells = vec![row.name.clone()];
            for own in self.of(Kind::Own) {
                let others = floors.iter().copied().map(Some).chain([best]);
                let ratios = others.map(|other| Ratio::of(&row.rounds[own], &row.rounds[other?]));
                let ratios: Vec<_> =
                    ratios.map(|ratio| ratio.map_or("–".to_owned(), |ratio| ratio.with_width())).collect();
                cells.push(ratios.join(" · "));
            }
            cells.push(best.map_or("–", |at| self.columns[at].name).to_owned());
            fmt_row(f, cells)?;
        }
        Ok(())
    }

    /// The two builds side by side, which take their turns one after the other.
    fn fmt_builds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let pairs: Vec<_> = self
            .of(Kind::Other)
            .into_iter()
            .filter_map(|other| {
                let name = self.columns[other].name;
                let own = self.of(Kind::Own).into_iter().find(|&own| self.columns[own].name == name)?;
                Some((own, other))
            })
            .collect();
        let names = pairs.iter().map(|&(own, _)| self.columns[own].name.to_owned());
        fmt_row(f, ["this build ÷ other, from – to".to_owned()].into_iter().chain(names))?;
        fmt_rule(f, pairs.len())?;
        for row in &self.rows {
            let ratios = pairs.iter().map(|&(own, other)| Ratio::of(&row.rounds[own], &row.rounds[other]));
            let ratios = ratios.map(|ratio| ratio.map_or("–".to_owned(), |ratio| ratio.with_bounds()));
            fmt_row(f, [row.name.clone()].into_iter().chain(ratios))?;
        }
        Ok(())
    }

    fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.columns.len()).filter(|&at| self.columns[at].kind == kind).collect()
    }
}

/// The figures, then for each form of tidewire how many times the floors and the best peer it costs, and how many times the other build.
impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        let names = self.columns.iter().map(|column| match column.kind {
            Kind::Floor => format!("_{}_", column.name),
            Kind::Own => format!("**{}**", column.name),
            Kind::Other => format!("{}, other build", column.name),
            Kind::Peer => column.name.to_owned(),
        });
        fmt_row(f, [self.unit.to_owned()].into_iter().chain(names))?;
        fmt_rule(f, self.columns.len())?;
        for (name, figures) in self.rows() {
            fmt_row(f, [name.to_owned()].into_iter().chain(figures.into_iter().map(number)))?;
        }
        if !self.of(Kind::Floor).is_empty() || !self.of(Kind::Peer).is_empty() {
            self.fmt_ratios(f)?;
        }
        if !self.of(Kind::Other).is_empty() {
            self.fmt_builds(f)?;
        }
        Ok(())
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

fn fmt_row(f: &mut fmt::Formatter<'_>, cells: impl IntoIterator<Item = String>) -> fmt::Result {
    writeln!(f, "| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn fmt_rule(f: &mut fmt::Formatter<'_>, columns: usize) -> fmt::Result {
    writeln!(f, "|---|{}", "---:|".repeat(columns))
}

/// The figure in the middle of each contender's, one per round, each relative to its round: a machine has fast and slow minutes, which the
/// contenders of a round share.
fn medians(rounds: &[Vec<f64>]) -> Vec<Option<f64>> {
    let count = rounds.iter().map(Vec::len).max().unwrap_or_default();
    let means: Vec<f64> = (0..count)
        .map(|round| {
            let logs: Vec<f64> = rounds.iter().filter_map(|figures| Some(figures.get(round)?.ln())).collect();
            (logs.iter().sum::<f64>() / logs.len() as f64).exp()
        })
        .collect();
    let usual = median(&sorted(means.iter().copied())).unwrap_or_default();
    let relative =
        |figures: &Vec<f64>| sorted(figures.iter().zip(&means).map(|(figure, mean)| figure / mean));
    rounds.iter().map(|figures| Some(median(&relative(figures))? * usual)).collect()
}

/// How many times as much one contender costs as another.
struct Ratio {
    /// The one in the middle of those of each round.
    median: f64,
    /// The interval that has the true one with 95 %, whatever the noise looks like, if there are enough rounds.
    interval: Option<(f64, f64)>,
}

impl Ratio {
    fn of(rounds: &[f64], other: &[f64]) -> Option<Self> {
        let ratios = sorted(rounds.iter().zip(other).map(|(one, other)| one / other));
        // How often a ratio is below the true median is binomial: its half plus or minus 1.96 times half the root.
        let (count, root) = (ratios.len() as f64, (ratios.len() as f64).sqrt());
        let outside = (count / 2.0 - 0.98 * root).floor();
        let interval = (outside >= 1.0).then(|| {
            let outside = outside as usize;
            (ratios[outside], ratios[ratios.len() - 1 - outside])
        });
        Some(Self { median: median(&ratios)?, interval })
    }

    /// With half the width of the interval.
    fn with_width(&self) -> String {
        let width = self.interval.map(|(lower, upper)| format!(" ±{:.2}", (upper - lower) / 2.0));
        format!("{:.2}{}", self.median, width.unwrap_or_default())
    }

    /// With the bounds of the interval, and with one more digit: two builds differ by little.
    fn with_bounds(&self) -> String {
        let bounds = self.interval.map(|(lower, upper)| format!(", {lower:.3} – {upper:.3}"));
        format!("{:.3}{}", self.median, bounds.unwrap_or_default())
    }
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}
