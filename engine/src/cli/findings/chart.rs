//! The hours around a finding as a chart of a terminal.

use std::fmt::Write as _;
use std::ops::Range;

use plume_udfs::time::HOUR_US;
use textplots::{Chart, Plot, Shape};

use crate::findings::{Finding, Points, Series, time_text};

/// Rows of the factor's chart, and of the load's.
const ROWS: u32 = 12;
const LOAD_ROWS: u32 = 5;
/// Columns where nobody says how wide the terminal is, and bounds of what one says.
const COLUMNS: usize = 100;
const LEAST_COLUMNS: usize = 40;
const MOST_COLUMNS: usize = 160;
/// Columns beside a chart that its numbers take.
const BESIDE: usize = 12;
/// Dots of a character, across and down.
const DOTS: (u32, u32) = (2, 4);

/// The columns of the terminal, or so many as are usual.
pub(super) fn columns() -> usize {
    terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0))
}

/// The chart of the factor and, where it is known, that of the load; the finding's span below each.
pub(super) fn text(finding: &Finding, series: &Series, columns: usize) -> String {
    let columns = columns.clamp(LEAST_COLUMNS, MOST_COLUMNS) - BESIDE;
    let mut text = String::new();
    let mut panel = |title: &str, points: &Points, rows: u32| {
        let _ = writeln!(text, "{title}");
        let chart = Panel { hours: &series.hours, span: &finding.span, points, columns, rows };
        text.push_str(&chart.text());
    };
    panel(&finding.factor_in_words(), &series.values, ROWS);
    if let Some((param, points)) = &series.load {
        panel(&format!("load: {param}"), points, LOAD_ROWS);
    }
    text
}

/// One series with the span of the finding below it.
struct Panel<'a> {
    hours: &'a Range<i64>,
    span: &'a Range<i64>,
    points: &'a Points,
    columns: usize,
    rows: u32,
}

impl Panel<'_> {
    fn text(&self) -> String {
        if self.points.is_empty() {
            return "no hourly values from then on record\n".to_owned();
        }
        let (least, most) = self.bounds();
        let frame = self.frame(least, most);
        let lines: Vec<&str> = frame.lines().collect();
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            let number = match at {
                0 => number(most),
                at if at + 1 == lines.len() => number(least),
                _ => String::new(),
            };
            let _ = writeln!(text, "{} {number}", line.trim_end_matches('\n'));
        }
        let _ = writeln!(text, "{} finding", self.mark());
        let (from, to) = (day_text(self.hours.start), day_text(self.hours.end));
        let _ = writeln!(text, "{from}{to:>width$}", width = self.columns.saturating_sub(from.len()));
        text
    }

    /// Least and greatest value; apart from each other, or nothing could be scaled.
    fn bounds(&self) -> (f64, f64) {
        let values = || self.points.iter().map(|(_, value)| *value);
        let (least, most) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if least < most { (least, most) } else { (least - 1.0, most + 1.0) }
    }

    /// The dots: a line through hours that follow one another, a gap where one is missing.
    fn frame(&self, least: f64, most: f64) -> String {
        let runs = runs(self.points);
        let runs: Vec<Vec<(f32, f32)>> =
            runs.iter().map(|run| run.iter().map(|p| self.dot(*p)).collect()).collect();
        let shapes: Vec<Shape<'_>> = runs
            .iter()
            .map(|run| if run.len() == 1 { Shape::Points(run) } else { Shape::Lines(run) })
            .collect();
        let width = u32::try_from(self.columns).unwrap_or(u32::MAX) * DOTS.0 - 1;
        let end = self.dot((self.hours.end, 0.0)).0;
        let mut chart =
            Chart::new_with_y_range(width, self.rows * DOTS.1 - 1, 0.0, end, least as f32, most as f32);
        let chart = shapes.iter().fold(&mut chart, |chart, shape| chart.lineplot(shape));
        chart.figures();
        chart.frame()
    }

    /// Hours since the first that is shown, which single precision holds.
    fn dot(&self, (ts, value): (i64, f64)) -> (f32, f32) {
        ((ts.saturating_sub(self.hours.start) as f64 / HOUR_US as f64) as f32, value as f32)
    }

    /// A line below the columns of the finding's span, of one column at least.
    fn mark(&self) -> String {
        let all = self.hours.end.saturating_sub(self.hours.start).max(1) as f64;
        let column = |ts: i64| {
            let share = ts.saturating_sub(self.hours.start) as f64 / all;
            ((share * self.columns as f64).round() as usize).min(self.columns)
        };
        let (start, end) = (column(self.span.start), column(self.span.end));
        let end = end.max(start + 1);
        let rest = self.columns.saturating_sub(end);
        format!("{}{}{}", " ".repeat(start), "━".repeat(end - start), " ".repeat(rest))
    }
}

/// Points cut where an hour is missing.
pub(super) fn runs(points: &Points) -> Vec<&[(i64, f64)]> {
    points.chunk_by(|(before, _), (after, _)| after - before <= HOUR_US).collect()
}

/// A number in few characters.
fn number(value: f64) -> String {
    let digits = if value.abs() >= 100.0 { 1 } else { 3 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn day_text(ts: i64) -> String {
    time_text(ts).chars().take("2026-01-31 08:00".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = HOUR_US;

    fn panel(points: &Points) -> String {
        Panel { hours: &(0..100 * HOUR), span: &(25 * HOUR..50 * HOUR), points, columns: 40, rows: 4 }.text()
    }

    #[test]
    fn the_span_is_marked_below_its_hours() {
        let points = (0..100).map(|hour| (hour * HOUR, hour as f64)).collect();
        let text = panel(&points);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert_eq!(lines[4], format!("{}{}{} finding", " ".repeat(10), "━".repeat(10), " ".repeat(20)));
        assert!(lines[0].ends_with(" 99") && lines[3].ends_with(" 0"), "{text}");
        assert!(lines[5].starts_with("1970-01-01 00:00") && lines[5].ends_with("1970-01-05 04:00"), "{text}");
    }

    #[test]
    fn a_missing_hour_is_a_gap_and_a_constant_is_a_line() {
        let points: Points = vec![(0, 1.0), (HOUR, 1.0), (3 * HOUR, 1.0)];
        assert_eq!(runs(&points), [&points[..2], &points[2..]]);
        assert!(panel(&points).contains(" 2\n") && panel(&points).contains(" 0\n"));
        assert!(panel(&Points::new()).starts_with("no hourly values"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([31.7, 0.0, 1234.56, -2.0004].map(number), ["31.7", "0", "1234.6", "-2"]);
    }
}
