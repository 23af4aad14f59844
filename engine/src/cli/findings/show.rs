//! One finding in words, and the hours around it as a chart.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::super::say;
use super::{chart, picture};
use crate::Result;
use crate::findings::{Dismissal, Finding, series, time_text};
use crate::session::Session;

/// Columns of names.
const NAMES: usize = 12;

pub(super) async fn run(session: &Session, finding: &Finding, plot: Option<&Path>) -> Result<()> {
    let series = series(session, finding).await?;
    if let Some(path) = plot {
        picture::write(path, finding, &series)?;
        say(format_args!("{} is drawn", path.display()));
    }
    let text = format!("{}\n{}", words(finding), chart::text(finding, &series, chart::columns()));
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// What is known of a finding, a line each.
fn words(finding: &Finding) -> String {
    let mut text = String::new();
    let mut line = |name: &str, told: &str| {
        let _ = writeln!(text, "{name:NAMES$}{told}");
    };
    let Finding { pattern, mechanism, pattern_named: [number, name_zh], .. } = finding;
    line("finding", &finding.finding_id);
    line("outlet", &finding.mn);
    line("factor", &finding.factor_in_words());
    line("pattern", &format!("{pattern} {name_zh} ({number}, {mechanism})"));
    line("started", &time_text(finding.span.start));
    line("ended", &time_text(finding.span.end));
    line("score", &format!("{:.2}, {}", finding.score, finding.severity));
    line("rows", &finding.rows);
    line("looks for", &finding.looks_for);
    line("excused by", &finding.excuses);
    line("clause", &finding.clause);
    let dismissal = finding.dismissal.as_ref();
    line("dismissed", &dismissal.map_or_else(|| "no".to_owned(), |d| dismissed(finding, d)));
    text.push_str("\nevidence\n");
    evidence(&finding.evidence, &mut text);
    text
}

impl Finding {
    /// The factor's code with its names and unit.
    pub(super) fn factor_in_words(&self) -> String {
        let [name_en, name_zh, unit] = &self.factor_named;
        let named = [self.factor.as_str(), name_en, name_zh].into_iter().filter(|word| !word.is_empty());
        let named = named.collect::<Vec<_>>().join(" ");
        if unit.is_empty() { named } else { format!("{named}, {unit}") }
    }
}

/// Who dismissed it, when and why; and as what, where its bounds were others then.
fn dismissed(finding: &Finding, dismissal: &Dismissal) -> String {
    let who = if dismissal.who.is_empty() { "somebody" } else { &dismissal.who };
    let at = dismissal.at.map_or_else(String::new, |at| format!(" on {}", to_second(at)));
    let then =
        dismissal.span.as_ref().filter(|span| **span != finding.span).map_or_else(String::new, |span| {
            let id = &dismissal.finding_id;
            format!(" (then it was {id}, {} to {})", time_text(span.start), time_text(span.end))
        });
    format!("yes, by {who}{at}: {}{then}", dismissal.reason)
}

fn to_second(ts: i64) -> String {
    time_text(ts).chars().take_while(|character| *character != '.').collect()
}

/// Every figure by its name; those within another one below its name.
fn evidence(figures: &Map<String, Value>, text: &mut String) {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let named: Vec<(String, String)> = figures
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Object(inner) => {
                inner.iter().map(|(key, value)| (format!("{name} {key}"), plain(value))).collect()
            }
            value => vec![(name.clone(), plain(value))],
        })
        .collect();
    let width = named.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in named {
        let _ = writeln!(text, "  {name:width$}  {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_stands_by_its_name_and_nested_ones_by_both() {
        let figures =
            serde_json::json!({"value": 31.7, "since": "2026-01-10", "also": {"low_variance": 0.9}});
        let Value::Object(figures) = figures else { return };
        let mut text = String::new();
        evidence(&figures, &mut text);
        for line in
            ["  value              31.7\n", "  since              2026-01-10\n", "  also low_variance  0.9\n"]
        {
            assert!(text.contains(line), "{text}");
        }
    }
}
