//! `plume findings`: what there is to look into, on what one of it rests, and that it was explained.

mod chart;
mod picture;
mod show;

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use datafusion::functions::math::expr_fn::round;
use datafusion::prelude::{DataFrame, ident, lit};
use plume_datasets::patterns::patterns;

use super::output::{self, OutputFormat};
use super::{period, say, session, time};
use crate::findings::{Finding, dismiss, extent, find, findings, time_text};
use crate::session::Session;
use crate::session::options::{PlumeOptions, parse_time};
use crate::session::period::Period;
use crate::{Error, Result};

/// The columns of a list.
const LISTED: [&str; 10] = [
    "finding_id",
    "mn",
    "factor",
    "pattern",
    "name_zh",
    "started",
    "ended",
    "score",
    "severity",
    "dismissed",
];

/// Decimals of a score in a table.
const DECIMALS: i64 = 3;

#[derive(Debug, Subcommand)]
pub(super) enum FindingsCommand {
    /// The findings that overlap some time, the strongest first; dismissed ones left out
    List(ListArgs),
    /// All that is known of one finding, with a chart of the hours around it
    Show(ShowArgs),
    /// Lay down that a finding was explained; it then stays out of lists, even if its bounds move
    Dismiss(DismissArgs),
}

impl FindingsCommand {
    /// The store it is about.
    pub(super) fn store(&self) -> &str {
        let (Self::List(ListArgs { hours, .. })
        | Self::Show(ShowArgs { hours, .. })
        | Self::Dismiss(DismissArgs { hours, .. })) = self;
        &hours.store
    }
}

/// Where, and when, findings are looked for.
#[derive(Debug, Args)]
pub(super) struct HoursArgs {
    /// A directory, file://, s3://bucket/prefix or memory://
    #[arg(long)]
    store: String,
    /// 2026, 2026Q1, 2026-01, 2026-W05 or 2026-01-31; without it, --from and --to, all the store's data
    #[arg(long, value_parser = period, conflicts_with_all = ["from", "to"])]
    period: Option<String>,
    /// From this date or time on; without it, from the store's first data
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<String>,
    /// Until this date or time, which is not in it; without it, to the end of the store's data
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    hours: HoursArgs,
    /// Only this pattern, by its name or number, like constant_value or P1
    #[arg(long, value_parser = pattern)]
    pattern: Option<String>,
    /// Only this outlet
    #[arg(long)]
    mn: Option<String>,
    /// Only scores from here on; 0.5 is worth an inspector's trip
    #[arg(long, value_name = "SCORE", default_value = "0.5", value_parser = score)]
    least_score: f64,
    /// Dismissed ones, too
    #[arg(long)]
    dismissed: bool,
    /// How the list is written
    #[arg(long, value_enum, default_value = "table")]
    format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The finding, as a list names it
    id: String,
    #[command(flatten)]
    hours: HoursArgs,
    /// Draw the chart to this file, too; its name ends with .svg
    #[arg(long, value_name = "FILE", value_parser = picture::path)]
    plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DismissArgs {
    /// The finding, as a list names it
    id: String,
    #[command(flatten)]
    hours: HoursArgs,
    /// Why it is no tampering
    #[arg(long, value_name = "TEXT", value_parser = not_empty)]
    reason: String,
    /// Who says so; without it, the user of this machine
    #[arg(long, value_name = "NAME", value_parser = not_empty)]
    who: Option<String>,
}

/// A pattern of the command line, by name or number.
fn pattern(text: &str) -> Result<String> {
    let named =
        |text: &str| patterns().iter().find(|p| p.pattern == text || p.number.eq_ignore_ascii_case(text));
    named(text).map(|known| known.pattern.clone()).ok_or_else(|| {
        Error::Usage(format!(
            "there is no pattern '{text}'; `SELECT number, pattern FROM patterns` lists them"
        ))
    })
}

/// A score of the command line.
fn score(text: &str) -> Result<f64> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| Error::Usage(format!("'{text}' is no score; write a number from 0 to 1")))
}

/// A text that says something.
fn not_empty(text: &str) -> Result<String> {
    match text.trim() {
        "" => Err(Error::Usage("it says nothing; write it out, it stays on record".to_owned())),
        text => Ok(text.to_owned()),
    }
}

pub(super) async fn run(command: FindingsCommand) -> Result<()> {
    match command {
        FindingsCommand::List(args) => list(args).await,
        FindingsCommand::Show(args) => {
            let (session, finding) = finding(&args.hours, &args.id).await?;
            show::run(&session, &finding, args.plot.as_deref()).await
        }
        FindingsCommand::Dismiss(args) => lay_down(args).await,
    }
}

impl HoursArgs {
    /// What was asked for in words of the command line; `None` where that is all there is. What is
    /// found where, and by which id, hangs on the hours that are looked at.
    fn asked(&self) -> Option<String> {
        let words = [("--period", &self.period), ("--from", &self.from), ("--to", &self.to)];
        let given = words.iter().filter_map(|(word, value)| Some(format!("{word} '{}'", value.as_ref()?)));
        Some(given.collect::<Vec<_>>().join(" ")).filter(|words| !words.is_empty())
    }

    /// The hours asked for.
    async fn of(&self, session: &Session) -> Result<Range<i64>> {
        if let Some(period) = &self.period {
            let Period { from, to } = Period::parse(period)?;
            return Ok(from..to);
        }
        let (from, to) = (self.from.as_deref().map(parse_time), self.to.as_deref().map(parse_time));
        let (from, to) = (from.transpose()?, to.transpose()?);
        // A store without data has no findings, whatever hours are asked for.
        let all = match (from, to) {
            (Some(_), Some(_)) => 0..0,
            _ => extent(session).await?.unwrap_or(0..1),
        };
        let hours = from.unwrap_or(all.start)..to.unwrap_or(all.end);
        if hours.is_empty() {
            let (from, to) = (time_text(hours.start), time_text(hours.end));
            return Err(Error::Usage(format!(
                "no time lies from {from} to {to}; give --from before --to, and both within the store's data"
            )));
        }
        Ok(hours)
    }
}

/// The finding with an id, and the session that found it.
async fn finding(hours: &HoursArgs, id: &str) -> Result<(Session, Finding)> {
    let session = session(&hours.store, PlumeOptions::default()).await?;
    let hours = hours.of(&session).await?;
    let finding = find(&session, &hours, id).await?;
    Ok((session, finding))
}

async fn list(args: ListArgs) -> Result<()> {
    let session = session(&args.hours.store, PlumeOptions::default()).await?;
    let hours = args.hours.of(&session).await?;
    let listed = listed(findings(&session, &hours).await?, &args)?;
    if args.format == OutputFormat::Table {
        let (from, to) = (time_text(hours.start), time_text(hours.end));
        let dismissed = if args.dismissed { "" } else { ", without those dismissed" };
        say(format_args!("findings from {from} to {to}, score {} and more{dismissed}", args.least_score));
        if let Some(same) = args.hours.asked() {
            say(format_args!("show and dismiss know these ids with the same {same}"));
        }
    }
    output::write(listed, args.format, None).await
}

/// The findings that a list asks for, the strongest first.
fn listed(findings: DataFrame, args: &ListArgs) -> Result<DataFrame> {
    let mut asked = ident("score").gt_eq(lit(args.least_score));
    for (column, value) in [("pattern", &args.pattern), ("mn", &args.mn)] {
        if let Some(value) = value {
            asked = asked.and(ident(column).eq(lit(value)));
        }
    }
    if !args.dismissed {
        asked = asked.and(!ident("dismissed"));
    }
    let by = |column: &str| ident(column).sort(true, false);
    let order = vec![ident("score").sort(false, false), by("mn"), by("started"), by("factor"), by("pattern")];
    let listed = findings.filter(asked)?.select(LISTED.map(ident).to_vec())?.sort(order)?;
    match args.format {
        OutputFormat::Table => Ok(listed.with_column("score", round(vec![ident("score"), lit(DECIMALS)]))?),
        _ => Ok(listed),
    }
}

/// Lands a dismissal and says what came of it.
async fn lay_down(args: DismissArgs) -> Result<()> {
    let who = match args.who {
        Some(who) => who,
        None => whoami::username().map_err(|error| {
            Error::Usage(format!("who dismisses it can't be told ({error}); add --who NAME"))
        })?,
    };
    let (session, finding) = finding(&args.hours, &args.id).await?;
    let counts = dismiss(&session, &finding, &args.reason, &who).await?;
    let Finding { finding_id, mn, factor, pattern, span, .. } = &finding;
    let (started, ended) = (time_text(span.start), time_text(span.end));
    let done = match counts.landed {
        0 => "was dismissed by the same words already",
        _ => "is dismissed",
    };
    writeln!(std::io::stdout(), "{finding_id} {done}: {pattern} of {factor} at {mn}, {started} to {ended}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_go_by_name_or_number() {
        for text in ["constant_value", "P1", "p1"] {
            assert!(pattern(text).is_ok_and(|name| name == "constant_value"), "{text}");
        }
        assert!(pattern("P37").is_err_and(|error| error.to_string().contains("FROM patterns")));
    }

    #[test]
    fn scores_lie_from_0_to_1_and_words_say_something() {
        assert!(["0", "0.5", "1"].iter().all(|text| score(text).is_ok()));
        assert!(["", "1.1", "-0.1", "NaN", "half"].iter().all(|text| score(text).is_err()));
        assert!(not_empty(" \n").is_err() && not_empty(" x ").is_ok_and(|text| text == "x"));
    }
}
