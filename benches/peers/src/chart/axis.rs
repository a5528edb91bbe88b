//! [`Axis`]: where the figures of a chart lie, and its labels.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::Ranged;

pub(super) struct Axis {
    range: Range<f64>,
    is_logarithmic: bool,
    labels: Vec<(f64, String)>,
}

impl Axis {
    /// Labels at equal distances, the first one at zero.
    pub(super) fn of(labels: &[String]) -> Self {
        let last = labels.len().saturating_sub(1).max(1) as f64;
        let labels = labels.iter().zip(0..).map(|(label, at)| (f64::from(at), label.clone()));
        Self { range: 0.0..last, is_logarithmic: false, labels: labels.collect() }
    }

    /// From zero to a little more than the most.
    pub(super) fn linear(figures: impl Iterator<Item = f64>) -> Self {
        let most = figures.fold(0.0, f64::max);
        let step = round_numbers(most / 8.0..most).next().unwrap_or(1.0);
        let steps = (0..8).map(|count| f64::from(count) * step).filter(|step| *step <= most);
        Self { range: 0.0..most * 1.05, is_logarithmic: false, labels: named(steps) }
    }

    /// From a little less than the least to a little more than the most.
    pub(super) fn logarithmic(figures: impl Iterator<Item = f64> + Clone) -> Self {
        let range = figures.clone().fold(f64::INFINITY, f64::min) / 1.2..figures.fold(0.0, f64::max) * 1.2;
        let labels = named(round_numbers(range.clone()));
        Self { range, is_logarithmic: true, labels }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, figure: &f64, (from, to): (i32, i32)) -> i32 {
        let place = |figure: f64| if self.is_logarithmic { figure.log10() } else { figure };
        let (start, end) = (place(self.range.start), place(self.range.end));
        from + ((place(*figure) - start) / (end - start) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // No finer lines between those of the labels.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.labels.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, figure: &f64) -> String {
        let label = self.labels.iter().find(|(at, _)| at == figure);
        label.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

fn named(figures: impl Iterator<Item = f64>) -> Vec<(f64, String)> {
    figures.map(|figure| (figure, number(figure))).collect()
}

/// One, two or five times a power of ten.
fn round_numbers(range: Range<f64>) -> impl Iterator<Item = f64> {
    let decades = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    let numbers = decades.flat_map(|exponent| {
        let power = 10_f64.powi(exponent.abs());
        // Divided rather than multiplied with a fraction, which would leave digits at the end.
        [1.0, 2.0, 5.0].map(|one| if exponent < 0 { one / power } else { one * power })
    });
    numbers.filter(move |number| range.contains(number))
}

/// With commas between thousands.
pub(super) fn number(figure: f64) -> String {
    if figure < 1000.0 {
        return figure.to_string();
    }
    let thousands = (figure / 1000.0).floor();
    format!("{},{:03}", number(thousands), figure - thousands * 1000.0)
}
