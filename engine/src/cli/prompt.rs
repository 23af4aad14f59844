//! The SQL prompt: history, completion, statements over several lines.

mod meta;

use std::io::Write;

use datafusion::common::runtime::SpawnedTask;
use plume_sql::Entry;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::output::{self, OutputFormat};
use super::{say, unless_interrupted};
use crate::session::Session;
use crate::{Error, Result};
use meta::Meta;

/// Words of SQL that completion offers besides tables, functions and columns.
const KEYWORDS: [&str; 22] = [
    "AND",
    "AS",
    "BETWEEN",
    "CASE",
    "DISTINCT",
    "EXPLAIN",
    "FROM",
    "GROUP BY",
    "HAVING",
    "IN",
    "IS NULL",
    "JOIN",
    "LIMIT",
    "NOT",
    "ON",
    "OR",
    "ORDER BY",
    "SELECT",
    "SET",
    "SHOW TABLES",
    "UNION",
    "WHERE",
];

/// Runs the prompt until Ctrl-D or `exit`.
pub(super) async fn run(session: &Session, format: OutputFormat) -> Result<()> {
    let entries = plume_sql::entries(session.context()).await?;
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<Words, DefaultHistory> = Editor::with_config(config).map_err(failed)?;
    editor.set_helper(Some(Words::new(&entries)));
    let history = std::env::home_dir().map(|home| home.join(".plume_history"));
    if let Some(history) = &history {
        // A first run has no history yet.
        let _ = editor.load_history(history);
    }
    let version = env!("CARGO_PKG_VERSION");
    writeln!(std::io::stdout(), "plume {version}; end a statement with ;  \\h helps, Ctrl-D leaves")?;
    loop {
        let line = match editor.readline("plume> ") {
            Ok(line) => line,
            // Ctrl-C clears the line.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(failed(error)),
        };
        match Meta::read(&line) {
            Some(Meta::Leave) => break,
            Some(meta) => match meta.answer(&entries) {
                Ok(text) => writeln!(std::io::stdout(), "{text}")?,
                Err(error) => say(format_args!("error: {error}")),
            },
            None => answer_all(session, &line, format).await,
        }
    }
    if let Some(history) = &history {
        editor.save_history(history).map_err(failed)?;
    }
    Ok(())
}

/// Answers the statements of a line; Ctrl-C cancels the one that runs and those after it.
async fn answer_all(session: &Session, line: &str, format: OutputFormat) {
    for statement in statements(line) {
        match unless_interrupted(answer(session, &statement, format)).await {
            Some(Ok(())) => {}
            Some(Err(error)) => say(format_args!("error: {error}")),
            // The terminal showed ^C where the cursor was.
            None => return say("\nquery cancelled"),
        }
    }
}

async fn answer(session: &Session, statement: &str, format: OutputFormat) -> Result<()> {
    let frame = session.sql(statement).await?;
    // On a task of its own, which is aborted when dropped: Ctrl-C is then seen
    // however long the query computes between two of its waits.
    SpawnedTask::spawn(output::write(frame, format, None)).join().await?
}

fn failed(error: ReadlineError) -> Error {
    Error::Usage(format!("the prompt failed: {error}"))
}

/// The statements of a text: cut at `;` outside quotes and comments.
pub(super) fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut quote: Option<char> = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '-') if characters.peek() == Some(&'-') => {
                let comment = characters.by_ref().find(|c| *c == '\n');
                current.extend(comment);
                continue;
            }
            (None, ';') => {
                statements.push(std::mem::take(&mut current));
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        current.push(character);
    }
    statements.push(current);
    statements.iter().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect()
}

/// What completion knows.
struct Words {
    words: Vec<String>,
}

impl Words {
    fn new(entries: &[Entry]) -> Self {
        let named = entries
            .iter()
            .flat_map(|entry| [entry.object.as_str(), &entry.column])
            .filter(|word| !word.is_empty());
        let mut words: Vec<String> = named.chain(KEYWORDS).map(str::to_owned).collect();
        words.sort();
        words.dedup();
        Self { words }
    }
}

impl Helper for Words {}
impl Highlighter for Words {}
impl Hinter for Words {
    type Hint = String;
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or_default();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_word(*c))
            .last()
            .map_or(position, |(at, _)| at);
        let word = before.get(start..).unwrap_or_default().to_lowercase();
        let fits = |candidate: &&String| candidate.to_lowercase().starts_with(&word);
        let pair = |word: &String| Pair { display: word.clone(), replacement: word.clone() };
        Ok((start, self.words.iter().filter(fits).map(pair).collect()))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim_end();
        let complete = text.is_empty() || text.ends_with(';') || Meta::read(text).is_some();
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_outside_quotes_and_comments() {
        assert_eq!(statements("SELECT ';'; SELECT 2 -- a;b\n;"), ["SELECT ';'", "SELECT 2"]);
        assert!(statements(" ; -- nothing").is_empty());
    }
}
