//! What a pattern found.

use std::ops::Range;

use super::outlet::FactorSeries;

/// A stretch of one series, or of a whole outlet, that shows a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The factor it stands on; the one that shows it best where it is of several.
    pub factor: String,
    /// When it began, µs.
    pub started: i64,
    /// When it ended, µs.
    pub ended: i64,
    /// 0 to 1; 0.5 and more is worth an inspector's trip.
    pub score: f64,
    /// Rows that it rests on.
    pub rows: usize,
    /// The figures a reader can check.
    pub evidence: Evidence,
}

impl Hit {
    /// A hit on a factor, over a span of time, µs, resting on `rows`.
    pub fn new(factor: &str, span: Range<i64>, score: f64, rows: usize, evidence: Evidence) -> Self {
        Self { factor: factor.to_owned(), started: span.start, ended: span.end, score, rows, evidence }
    }
}

impl FactorSeries {
    /// A hit on this series: [`Hit::new`] with its factor. The span of a stretch of points is
    /// [`Points::span`](super::outlet::Points::span) of the points that were looked at: minutes, hours, or hours as sent.
    ///
    /// ```
    /// use plume_udfs::patterns::hit::Evidence;
    /// use plume_udfs::patterns::outlet::FactorSeries;
    /// # fn example(series: &FactorSeries) {
    /// let points = series.hours();
    /// let hit = series.hit(points.span(&(24..48)), 0.75, 20, Evidence::default().number("share", 0.2));
    /// assert_eq!((hit.started, hit.ended), (points.grid.ts(24), points.grid.ts(48)));
    /// # }
    /// ```
    pub fn hit(&self, span: Range<i64>, score: f64, rows: usize, evidence: Evidence) -> Hit {
        Hit::new(&self.factor, span, score, rows, evidence)
    }
}

/// Figures by name, in the order in which they are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence(Vec<(&'static str, Figure)>);

/// One figure of the evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// A number; one that is not finite is told as null.
    Number(f64),
    /// A word, a factor, an outlet.
    Text(String),
    /// A moment, µs.
    Time(i64),
}

impl Evidence {
    /// Adds a number.
    #[must_use]
    pub fn number(self, name: &'static str, number: f64) -> Self {
        self.with(name, Figure::Number(number))
    }

    /// Adds a word.
    #[must_use]
    pub fn text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Figure::Text(text.to_owned()))
    }

    /// Adds a moment, µs.
    #[must_use]
    pub fn time(self, name: &'static str, ts: i64) -> Self {
        self.with(name, Figure::Time(ts))
    }

    fn with(mut self, name: &'static str, figure: Figure) -> Self {
        self.0.push((name, figure));
        self
    }

    /// The figures, in order.
    pub fn figures(&self) -> &[(&'static str, Figure)] {
        &self.0
    }

    /// A number by its name.
    pub fn number_of(&self, name: &str) -> Option<f64> {
        self.0.iter().find_map(|(known, figure)| match figure {
            Figure::Number(number) if *known == name => Some(*number),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::survival::{FACTOR, hourly};
    use super::*;
    use crate::time::HOUR_US;

    #[test]
    fn a_hit_of_a_series_spans_its_points() {
        let series = hourly(vec![1.0; 100]).factors.remove(0);
        let hit = series.hit(series.fine.span(&(24..48)), 0.75, 20, Evidence::default().number("share", 0.2));
        // Hours 24 to 47; the last ends when hour 48 begins.
        assert_eq!((hit.started, hit.ended), (24 * HOUR_US, 48 * HOUR_US));
        assert_eq!((hit.factor.as_str(), hit.score, hit.rows), (FACTOR, 0.75, 20));
        assert_eq!(hit.evidence.number_of("share"), Some(0.2));
    }
}
