//! The built-in tables: `factors`, `flags`, `rules`, `patterns`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch, StringViewArray};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use plume_datasets::factors::{Medium, factors};
use plume_datasets::flags::flags;
use plume_datasets::patterns::patterns;
use plume_datasets::rules::rule_sets;
use plume_udfs::time::date_of;

use crate::Result;

/// Every built-in table with its name.
pub(super) fn tables() -> Result<Vec<(&'static str, Arc<dyn TableProvider>)>> {
    Ok(vec![
        ("factors", factor_table()?),
        ("flags", flag_table()?),
        ("rules", rule_table()?),
        ("patterns", pattern_table()?),
    ])
}

/// A column of text, one value a row.
fn text<'a, T, S: AsRef<str>>(rows: &'a [T], value: impl Fn(&'a T) -> Option<S>) -> ArrayRef {
    Arc::new(
        rows.iter().map(|row| value(row).map(|text| text.as_ref().to_owned())).collect::<StringViewArray>(),
    )
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Result<Arc<dyn TableProvider>> {
    let batch = RecordBatch::try_from_iter(columns)?;
    Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))
}

fn factor_table() -> Result<Arc<dyn TableProvider>> {
    let rows = factors();
    table(vec![
        ("factor", text(rows, |f| Some(&f.code))),
        ("old_code", text(rows, |f| f.old_code.as_ref())),
        ("name_en", text(rows, |f| Some(&f.name_en))),
        ("name_zh", text(rows, |f| Some(&f.name_zh))),
        ("medium", text(rows, |f| Medium::of(&f.code).map(Medium::name))),
        ("unit", text(rows, |f| Some(&f.unit))),
        ("total_unit", text(rows, |f| f.total_unit.as_ref())),
        ("old_unit", text(rows, |f| f.old_unit.as_ref())),
        ("clause", text(rows, |f| Some(&f.clause))),
    ])
}

fn flag_table() -> Result<Arc<dyn TableProvider>> {
    let rows = flags();
    table(vec![
        ("flag", text(rows, |f| Some(f.flag.to_string()))),
        ("name_en", text(rows, |f| Some(&f.name_en))),
        ("name_zh", text(rows, |f| Some(&f.name_zh))),
        ("valid", Arc::new(rows.iter().map(|f| Some(f.valid)).collect::<BooleanArray>())),
        ("clause", text(rows, |f| Some(&f.clause))),
    ])
}

fn rule_table() -> Result<Arc<dyn TableProvider>> {
    let rows: Vec<_> = rule_sets()
        .iter()
        .flat_map(|set| set.rules.iter().map(move |(key, rule)| (set, key, rule)))
        .collect();
    let epoch = date_of(0);
    let day = |date: chrono::NaiveDate| i32::try_from(date.signed_duration_since(epoch).num_days()).ok();
    table(vec![
        ("rule_set", text(&rows, |(set, ..)| Some(&set.name))),
        ("key", text(&rows, |(_, key, _)| Some(key))),
        ("value", text(&rows, |(.., rule)| Some(rule.value.to_string()))),
        ("default", text(&rows, |(.., rule)| Some(rule.value.to_string()))),
        ("unit", text(&rows, |(.., rule)| Some(&rule.unit))),
        ("valid_from", Arc::new(rows.iter().map(|(set, ..)| day(set.valid_from)).collect::<Date32Array>())),
        ("valid_to", Arc::new(rows.iter().map(|(set, ..)| day(set.valid_to)).collect::<Date32Array>())),
        ("clause", text(&rows, |(.., rule)| Some(format!("{} [{}]", rule.clause, rule.mark)))),
        ("mark", text(&rows, |(.., rule)| Some(&rule.mark))),
    ])
}

fn pattern_table() -> Result<Arc<dyn TableProvider>> {
    let rows = patterns();
    table(vec![
        ("number", text(rows, |p| Some(&p.number))),
        ("pattern", text(rows, |p| Some(&p.pattern))),
        ("name_zh", text(rows, |p| Some(&p.name_zh))),
        ("mechanism", text(rows, |p| Some(&p.mechanism))),
        ("minute_window", text(rows, |p| p.minute_window.as_ref())),
        ("hour_window", text(rows, |p| p.hour_window.as_ref())),
        ("statistic", text(rows, |p| Some(&p.statistic))),
        ("suppressors", text(rows, |p| Some(&p.suppressors))),
        ("clause", text(rows, |p| Some(&p.clause))),
    ])
}
