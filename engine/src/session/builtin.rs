//! The built-in tables: `factors`, `flags`, `rules`, `patterns`, `clocks`, `mark_words`,
//! `pollution_equivalents`, `ph_equivalents`, `tax_rates`, `tax_exemptions`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringViewArray};
use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use plume_datasets::clocks::clocks;
use plume_datasets::equivalents::{equivalents, ph_equivalents, tax_exemptions, tax_rates};
use plume_datasets::factors::{Medium, factors};
use plume_datasets::flags::flags;
use plume_datasets::mark_words::mark_words;
use plume_datasets::pattern_thresholds::pattern_thresholds;
use plume_datasets::patterns::patterns;
use plume_udfs::time::date_of;

use super::rule_table::RuleTable;
use crate::Result;

/// Every built-in table with its name.
pub(super) fn tables() -> Result<Vec<(&'static str, Arc<dyn TableProvider>)>> {
    Ok(vec![
        ("factors", factor_table()?),
        ("flags", flag_table()?),
        ("rules", Arc::new(RuleTable::try_new()?)),
        ("patterns", pattern_table()?),
        ("pattern_thresholds", pattern_threshold_table()?),
        ("clocks", clock_table()?),
        ("mark_words", mark_word_table()?),
        ("pollution_equivalents", equivalent_table()?),
        ("ph_equivalents", ph_equivalent_table()?),
        ("tax_rates", tax_rate_table()?),
        ("tax_exemptions", tax_exemption_table()?),
    ])
}

/// A column of text, one value a row.
pub(super) fn text<'a, T, S: AsRef<str>>(rows: &'a [T], value: impl Fn(&'a T) -> Option<S>) -> ArrayRef {
    Arc::new(
        rows.iter().map(|row| value(row).map(|text| text.as_ref().to_owned())).collect::<StringViewArray>(),
    )
}

/// A column of days.
pub(super) fn dates<T>(rows: &[T], date: impl Fn(&T) -> Option<NaiveDate>) -> ArrayRef {
    let epoch = date_of(0);
    let day = |date: NaiveDate| i32::try_from(date.signed_duration_since(epoch).num_days()).ok();
    Arc::new(rows.iter().map(|row| date(row).and_then(day)).collect::<Date32Array>())
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

fn pattern_table() -> Result<Arc<dyn TableProvider>> {
    let rows = patterns();
    table(vec![
        ("number", text(rows, |p| Some(&p.number))),
        ("pattern", text(rows, |p| Some(&p.pattern))),
        ("name_zh", text(rows, |p| Some(&p.name_zh))),
        ("mechanism", text(rows, |p| Some(&p.mechanism))),
        ("rank", Arc::new(rows.iter().map(|p| Some(f64::from(p.rank))).collect::<Float64Array>())),
        ("minute_window", text(rows, |p| p.minute_window.as_ref())),
        ("hour_window", text(rows, |p| p.hour_window.as_ref())),
        ("statistic", text(rows, |p| Some(&p.statistic))),
        ("suppressors", text(rows, |p| Some(&p.suppressors))),
        ("clause", text(rows, |p| Some(&p.clause))),
    ])
}

fn pattern_threshold_table() -> Result<Arc<dyn TableProvider>> {
    let rows = pattern_thresholds();
    table(vec![
        ("pattern", text(rows, |t| Some(&t.pattern))),
        ("key", text(rows, |t| Some(&t.key))),
        ("unit", text(rows, |t| Some(&t.unit))),
        ("hour", Arc::new(rows.iter().map(|t| Some(t.hour)).collect::<Float64Array>())),
        ("minute", Arc::new(rows.iter().map(|t| Some(t.minute)).collect::<Float64Array>())),
        ("reason", text(rows, |t| Some(&t.reason))),
        ("clause", text(rows, |t| Some(&t.clause))),
    ])
}

fn equivalent_table() -> Result<Arc<dyn TableProvider>> {
    let rows = equivalents();
    table(vec![
        ("factor", text(rows, |e| e.factor.as_ref())),
        ("tax_item", text(rows, |e| Some(&e.tax_item))),
        ("name_zh", text(rows, |e| Some(&e.name_zh))),
        ("tax_class", text(rows, |e| Some(&e.tax_class))),
        ("equivalent_kg", Arc::new(rows.iter().map(|e| Some(e.equivalent_kg)).collect::<Float64Array>())),
        ("by_default", Arc::new(rows.iter().map(|e| Some(e.by_default)).collect::<BooleanArray>())),
        ("taxed_once", text(rows, |e| e.taxed_once.as_ref())),
        ("valid_from", dates(rows, |e| Some(e.valid_from))),
        ("valid_to", dates(rows, |e| e.valid_to)),
        ("clause", text(rows, |e| Some(format!("{} [{}]", e.clause, e.mark)))),
        ("mark", text(rows, |e| Some(&e.mark))),
    ])
}

fn ph_equivalent_table() -> Result<Arc<dyn TableProvider>> {
    let rows = ph_equivalents();
    table(vec![
        ("ph_from", Arc::new(rows.iter().map(|e| Some(e.ph_from)).collect::<Float64Array>())),
        ("ph_to", Arc::new(rows.iter().map(|e| Some(e.ph_to)).collect::<Float64Array>())),
        ("holds", text(rows, |e| Some(&e.holds))),
        ("water_t", Arc::new(rows.iter().map(|e| Some(e.water_t)).collect::<Float64Array>())),
        ("valid_from", dates(rows, |e| Some(e.valid_from))),
        ("valid_to", dates(rows, |e| e.valid_to)),
        ("clause", text(rows, |e| Some(format!("{} [{}]", e.clause, e.mark)))),
        ("mark", text(rows, |e| Some(&e.mark))),
    ])
}

fn tax_exemption_table() -> Result<Arc<dyn TableProvider>> {
    let rows = tax_exemptions();
    table(vec![
        ("industry", text(rows, |e| Some(&e.industry))),
        ("name_en", text(rows, |e| Some(&e.name_en))),
        ("name_zh", text(rows, |e| Some(&e.name_zh))),
        ("valid_from", dates(rows, |e| Some(e.valid_from))),
        ("valid_to", dates(rows, |e| e.valid_to)),
        ("clause", text(rows, |e| Some(format!("{} [{}]", e.clause, e.mark)))),
        ("mark", text(rows, |e| Some(&e.mark))),
    ])
}

fn tax_rate_table() -> Result<Arc<dyn TableProvider>> {
    let rows = tax_rates();
    table(vec![
        ("medium", text(rows, |r| Some(&r.medium))),
        ("factor", text(rows, |r| r.factor.as_ref())),
        ("rate", Arc::new(rows.iter().map(|r| Some(r.rate)).collect::<Float64Array>())),
        ("valid_from", dates(rows, |r| Some(r.valid_from))),
        ("valid_to", dates(rows, |r| r.valid_to)),
        ("clause", text(rows, |r| Some(format!("{} [{}]", r.clause, r.mark)))),
        ("mark", text(rows, |r| Some(&r.mark))),
    ])
}

fn clock_table() -> Result<Arc<dyn TableProvider>> {
    let rows = clocks();
    table(vec![
        ("rule", text(rows, |c| Some(&c.rule))),
        ("name_en", text(rows, |c| Some(&c.name_en))),
        ("name_zh", text(rows, |c| Some(&c.name_zh))),
        ("numbers", text(rows, |c| Some(&c.numbers))),
        ("input", text(rows, |c| Some(&c.input))),
        ("judged_in", text(rows, |c| c.judged_in.as_ref())),
        ("checkable", text(rows, |c| Some(&c.checkable))),
        ("reason", text(rows, |c| c.reason.as_ref())),
        ("clause", text(rows, |c| Some(&c.clause))),
    ])
}

fn mark_word_table() -> Result<Arc<dyn TableProvider>> {
    let rows = mark_words();
    table(vec![
        ("word", text(rows, |w| Some(&w.word))),
        ("kind", text(rows, |w| Some(&w.kind))),
        ("name_en", text(rows, |w| Some(&w.name_en))),
        ("name_zh", text(rows, |w| Some(&w.name_zh))),
        ("scope", text(rows, |w| Some(&w.scope))),
        ("allowance", text(rows, |w| w.allowance.as_ref())),
        ("clause", text(rows, |w| Some(&w.clause))),
    ])
}
