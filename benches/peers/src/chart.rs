//! Charts as SVG, with a background of their own: pages are light or dark.

mod axis;

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use self::axis::Axis;
use crate::table::{Column, Kind};

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Outcome = Result<(), Box<dyn Error>>;

/// What stands above a chart.
#[derive(Clone, Copy)]
pub(crate) struct Heading<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
}

/// One of the pictures that share a heading.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) is_logarithmic: bool,
    /// The labels of the horizontal axis, at equal distances.
    pub(crate) labels: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    pub(crate) column: Column,
    /// One for each label.
    pub(crate) figures: Vec<Option<f64>>,
}

const WIDTH: i32 = 860;
const HEIGHT: i32 = 460;

/// The room for the heading.
const TOP: i32 = 92;

/// The room for names beside the ends of lines, and before bars.
const NAMES: i32 = 142;

const FONT_SIZE: i32 = 13;
const BAR: i32 = 30;

const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x1f, 0x24, 0x2b);
const GREY: RGBColor = RGBColor(0x63, 0x6b, 0x75);
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
const OWN: RGBColor = RGBColor(0x00, 0x5f, 0xb8);

/// Of the peers, in the order of the report's columns. Eyes that see fewer colors can tell them apart.
const PEERS: [RGBColor; 5] = [
    RGBColor(0xc4, 0x4e, 0x00),
    RGBColor(0x00, 0x8a, 0x65),
    RGBColor(0xb0, 0x50, 0x8c),
    RGBColor(0xa8, 0x76, 0x00),
    RGBColor(0x6b, 0x44, 0x23),
];

/// Panels of lines side by side.
pub(crate) fn lines(heading: Heading<'_>, panels: &[Panel]) -> Result<String, Box<dyn Error>> {
    draw(heading, HEIGHT, |canvas| {
        let width = WIDTH / panels.len() as i32;
        for (panel, left) in panels.iter().zip((0..).step_by(width as usize)) {
            draw_panel(canvas, left, width, panel)?;
        }
        Ok(())
    })
}

fn draw_panel(canvas: &Canvas<'_>, left: i32, width: i32, panel: &Panel) -> Outcome {
    let figures = panel.lines.iter().flat_map(|line| &line.figures).flatten().copied();
    let scale = if panel.is_logarithmic { Axis::logarithmic(figures) } else { Axis::linear(figures) };
    let mut chart = ChartBuilder::on(&canvas.clone().shrink((left, TOP), (width, HEIGHT - TOP - 10)))
        .margin_right(NAMES)
        .x_label_area_size(28)
        .y_label_area_size(60)
        .build_cartesian_2d(Axis::of(&panel.labels), scale)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .axis_style(GREY)
        .label_style(font(FONT_SIZE, GREY))
        .draw()?;
    canvas.draw(&Text::new(panel.title, (left + 60, TOP - 22), bold(FONT_SIZE, INK)))?;

    // tidewire last, above the others.
    let mut lines: Vec<_> = colored(panel.lines.iter().map(|line| line.column)).zip(&panel.lines).collect();
    lines.sort_by_key(|(_, line)| line.column.kind == Kind::Own);
    let mut ends = Vec::new();
    for (color, Line { column, figures }) in lines {
        let points = figures.iter().zip(0..).filter_map(|(figure, at)| Some((f64::from(at), (*figure)?)));
        let points: Vec<_> = points.collect();
        let Some(end) = points.last() else { continue };
        let stroke = color.stroke_width(if column.kind == Kind::Own { 3 } else { 2 });
        if column.kind == Kind::Floor {
            chart.draw_series(DashedLineSeries::new(points.iter().copied(), 6, 4, stroke))?;
        } else {
            chart.draw_series(LineSeries::new(points.iter().copied(), stroke))?;
        }
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, color.filled())))?;
        ends.push((chart.plotting_area().map_coordinate(end), *column, color));
    }
    ends.sort_by_key(|((_, y), ..)| *y);
    let wanted: Vec<_> = ends.iter().map(|((_, y), ..)| f64::from(*y)).collect();
    let places = spread(&wanted, f64::from(TOP)..f64::from(HEIGHT - 38));
    for (((x, y), column, color), place) in ends.into_iter().zip(places) {
        canvas.draw(&PathElement::new([(x + 6, y), (x + 18, place)], color))?;
        draw_name(canvas, column, (x + 22, place), HPos::Left, color)?;
    }
    Ok(())
}

/// Bars from the shortest to the longest, with their figures.
pub(crate) fn bars(heading: Heading<'_>, mut figures: Vec<(Column, f64)>) -> Result<String, Box<dyn Error>> {
    figures.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    draw(heading, TOP + figures.len() as i32 * BAR, |canvas| {
        let Some((_, most)) = figures.last() else { return Ok(()) };
        let (left, longest) = (NAMES + 24, f64::from(WIDTH - NAMES - 110));
        for (&(column, figure), top) in figures.iter().zip((TOP - 16..).step_by(BAR as usize)) {
            let (middle, right) = (top + BAR / 2, left + (figure / most * longest) as i32);
            let color = if column.kind == Kind::Own { OWN } else { GREY };
            let fill = if column.kind == Kind::Peer { GREY.mix(0.6) } else { color.mix(1.0) };
            let corners = [(left, top + 5), (right, top + BAR - 5)];
            canvas.draw(&Rectangle::new(corners, fill.stroke_width(1)))?;
            if column.kind != Kind::Floor {
                canvas.draw(&Rectangle::new(corners, fill.filled()))?;
            }
            draw_name(canvas, column, (left - 8, middle), HPos::Right, color)?;
            let place = Pos::new(HPos::Left, VPos::Center);
            canvas.draw(&Text::new(
                axis::number(figure.round()),
                (right + 8, middle),
                font(FONT_SIZE, INK).pos(place),
            ))?;
        }
        Ok(())
    })
}

fn draw(
    heading: Heading<'_>,
    height: i32,
    figures: impl FnOnce(&Canvas<'_>) -> Outcome,
) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
    canvas.fill(&PAPER)?;
    canvas.draw(&Text::new(heading.title, (24, 16), bold(18, INK)))?;
    canvas.draw(&Text::new(heading.unit, (24, 42), font(FONT_SIZE, GREY)))?;
    figures(&canvas)?;
    canvas.present()?;
    drop(canvas);
    Ok(svg)
}

fn draw_name(canvas: &Canvas<'_>, column: Column, at: (i32, i32), side: HPos, color: RGBColor) -> Outcome {
    let style = if column.kind == Kind::Own { bold(FONT_SIZE, color) } else { font(FONT_SIZE, color) };
    Ok(canvas.draw(&Text::new(column.name, at, style.pos(Pos::new(side, VPos::Center))))?)
}

/// A color for each column.
fn colored(columns: impl Iterator<Item = Column>) -> impl Iterator<Item = RGBColor> {
    let mut peers = PEERS.into_iter().cycle();
    let mut forms = [OWN, RGBColor(0x2b, 0x8a, 0xd6)].into_iter().cycle();
    columns.map(move |column| match column.kind {
        Kind::Floor => GREY,
        Kind::Own | Kind::Other => forms.next().expect("a cycle"),
        Kind::Peer => peers.next().expect("a cycle"),
    })
}

fn font(size: i32, color: RGBColor) -> TextStyle<'static> {
    // The backend divides by as much.
    let style = TextStyle::from(("sans-serif", f64::from(size) * 1.24));
    TextStyle { color: color.to_backend_color(), ..style }
}

fn bold(size: i32, color: RGBColor) -> TextStyle<'static> {
    let style = font(size, color);
    TextStyle { font: style.font.style(FontStyle::Bold), ..style }
}

/// Places near those that are wanted, in ascending order, and far enough from each other that names do not overlap.
fn spread(wanted: &[f64], range: Range<f64>) -> Vec<i32> {
    const GAP: f64 = 17.0;
    // Groups of names that push each other away lie around the middle of what they want: how many, and where the first is.
    let mut groups: Vec<(f64, f64)> = Vec::new();
    let within = |count: f64, first: f64| first.min(range.end - (count - 1.0) * GAP).max(range.start);
    for &place in wanted {
        let mut group = (1.0, within(1.0, place));
        while let Some((count, first)) = groups.pop_if(|(count, first)| *first + *count * GAP > group.1) {
            let together = count + group.0;
            let middle = (count * first + group.0 * (group.1 - count * GAP)) / together;
            group = (together, within(together, middle));
        }
        groups.push(group);
    }
    let places = |(count, first): (f64, f64)| (0..count as i32).map(move |at| first + f64::from(at) * GAP);
    groups.into_iter().flat_map(places).map(|place| place.round() as i32).collect()
}
