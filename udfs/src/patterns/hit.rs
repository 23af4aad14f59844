//! What a pattern found.

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
