//! An export as a workbook: Chinese headers with units, a sheet per group of
//! outlets, and a sheet of notes. Nothing in it tells when it was written, so that
//! the same figures are the same bytes.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, TimestampMicrosecondType};
use plume_sql::ViewColumn;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::figures::{Figures, day, floats, media, texts, times};
use crate::{Error, Result};

/// Rows that a sheet can hold, its header among them.
const SHEET_ROWS: usize = 1_048_576;
/// The width of every column, in characters.
const WIDTH: f64 = 16.0;
/// The day every workbook says it was made.
const MADE: (u16, u8, u8) = (2021, 7, 1);
const MICROSECONDS: i64 = 1_000_000;

impl From<XlsxError> for Error {
    fn from(error: XlsxError) -> Self {
        Self::Usage(format!("the workbook can't be made: {error}; write csv or parquet"))
    }
}

/// The outlets of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Stacks,
    Outfalls,
    Together,
}

impl Group {
    const ALL: [Self; 3] = [Self::Stacks, Self::Outfalls, Self::Together];

    fn sheet(self) -> &'static str {
        match self {
            Self::Stacks => "废气排放口",
            Self::Outfalls => "废水排放口",
            Self::Together => "主要排放口合计",
        }
    }
}

/// The group of each row: a row without an outlet is of several together.
fn groups(rows: &RecordBatch) -> Result<Vec<Group>> {
    let outlets = rows.column_by_name("mn");
    let of_row = |(row, medium): (usize, Option<char>)| match medium {
        _ if outlets.is_some_and(|mn| mn.is_null(row)) => Group::Together,
        Some('w') => Group::Outfalls,
        _ => Group::Stacks,
    };
    Ok(media(rows)?.into_iter().enumerate().map(of_row).collect())
}

/// The workbook's bytes.
pub(super) fn bytes(figures: &Figures) -> Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    let (year, month, day) = MADE;
    let made = ExcelDateTime::from_ymd(year, month, day)?;
    workbook.set_properties(&DocProperties::new().set_title(figures.view.zh).set_creation_datetime(&made));
    let groups = groups(&figures.rows)?;
    for group in Group::ALL {
        let rows: Vec<usize> = (0..groups.len()).filter(|row| groups[*row] == group).collect();
        if group == Group::Together && rows.is_empty() {
            continue;
        }
        if rows.len() >= SHEET_ROWS {
            return Err(Error::Usage(format!(
                "{} rows don't fit a sheet of a workbook; export csv or parquet, or a shorter period",
                rows.len()
            )));
        }
        write_rows(workbook.add_worksheet().set_name(group.sheet())?, figures, &rows)?;
    }
    write_notes(workbook.add_worksheet().set_name("说明")?, figures)?;
    Ok(workbook.save_to_buffer()?)
}

/// A column's header: its Chinese name, and its unit where it has one.
fn header(name: &str, columns: &[ViewColumn]) -> String {
    let Some(column) = columns.iter().find(|column| column.name == name) else { return name.to_owned() };
    match column.unit {
        "" | "1" => column.zh.to_owned(),
        unit => format!("{}({})", column.zh, unit_zh(unit)),
    }
}

fn unit_zh(unit: &str) -> &str {
    match unit {
        "factor" => "监测因子单位",
        "CNY" => "元",
        "d" => "天",
        "h" => "小时",
        "t" => "吨",
        unit => unit,
    }
}

fn write_rows(sheet: &mut Worksheet, figures: &Figures, rows: &[usize]) -> Result<()> {
    let bold = Format::new().set_bold().set_text_wrap();
    let schema = figures.rows.schema();
    for (at, field) in (0_u16..).zip(schema.fields()) {
        sheet.write_with_format(0, at, header(field.name(), &figures.view.columns), &bold)?;
        sheet.set_column_width(at, WIDTH)?;
        write_column(sheet, at, figures.rows.column(usize::from(at)), rows)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// The cells of a column; NULL is an empty one.
fn write_column(sheet: &mut Worksheet, at: u16, column: &ArrayRef, rows: &[usize]) -> Result<()> {
    let plain = Format::new();
    let money = Format::new().set_num_format("#,##0.00");
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let time = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let cells = (1_u32..).zip(rows.iter().copied()).filter(|(_, row)| column.is_valid(*row));
    match column.data_type() {
        DataType::Boolean => {
            let values = column.as_boolean();
            for (cell, row) in cells {
                sheet.write(cell, at, if values.value(row) { "是" } else { "否" })?;
            }
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>();
            for (cell, row) in cells {
                let Some(value) = day(values.value(row)) else { continue };
                sheet.write_with_format(
                    cell,
                    at,
                    &ExcelDateTime::parse_from_str(&value.to_string())?,
                    &date,
                )?;
            }
        }
        DataType::Timestamp(..) => {
            let times = times(column)?;
            let values = times.as_primitive::<TimestampMicrosecondType>();
            for (cell, row) in cells {
                let value = ExcelDateTime::from_timestamp(values.value(row).div_euclid(MICROSECONDS))?;
                sheet.write_with_format(cell, at, &value, &time)?;
            }
        }
        DataType::Float64 | DataType::Int64 | DataType::UInt64 | DataType::Decimal128(..) => {
            let format = if matches!(column.data_type(), DataType::Decimal128(..)) { &money } else { &plain };
            let numbers = floats(column)?;
            let values = numbers.as_primitive::<Float64Type>();
            for (cell, row) in cells {
                sheet.write_with_format(cell, at, values.value(row), format)?;
            }
        }
        _ => {
            let one = RecordBatch::try_from_iter([("text", std::sync::Arc::clone(column))])?;
            let values = texts(&one, "text")?;
            for (cell, row) in cells {
                sheet.write(cell, at, values[row].as_str())?;
            }
        }
    }
    Ok(())
}

/// What the figures rest on.
fn write_notes(sheet: &mut Worksheet, figures: &Figures) -> Result<()> {
    let bold = Format::new().set_bold();
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut line = |cells: &[&str]| lines.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
    let request = &figures.request;
    line(&[figures.view.zh]);
    line(&["统计时段", &request.period]);
    line(&["数据截至(北京时间)", &request.as_of]);
    line(&["行数", &figures.rows.num_rows().to_string()]);
    if let Some(total) = total_of_money(figures) {
        line(&["应纳税额合计(元)", &total]);
    }
    for set in &figures.rule_sets {
        let lapsed = if set.lapsed { "已过有效期,沿用" } else { "" };
        line(&[
            "规则集",
            &set.name,
            &set.title_zh,
            &format!("{} – {}", set.valid_from, set.valid_to),
            lapsed,
        ]);
    }
    line(&["规则选项", if request.rules.is_empty() { "默认" } else { &request.rules }]);
    line(&["依据条款", figures.view.clause]);
    line(&["查询", &figures.query]);
    line(&[]);
    line(&["未经确认的规则", "规则", "取值", "条款", "来源标记"]);
    for rule in &figures.unconfirmed {
        line(&[&rule.rule_set, &rule.key, &rule.value, &rule.clause, &rule.mark]);
    }
    line(&[]);
    line(&["栏目", "字段", "单位", "说明"]);
    for column in &figures.view.columns {
        line(&[column.zh, column.name, column.unit, column.en]);
    }
    for (row, cells) in (0_u32..).zip(&lines) {
        let is_heading =
            row == 0 || matches!(cells.first().map(String::as_str), Some("未经确认的规则" | "栏目"));
        for (at, cell) in (0_u16..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            match is_heading {
                true => sheet.write_with_format(row, at, cell, &bold)?,
                false => sheet.write(row, at, cell)?,
            };
        }
    }
    for at in 0..5 {
        sheet.set_column_width(at, WIDTH * 2.0)?;
    }
    Ok(())
}

/// The sum of the rows' rounded money.
fn total_of_money(figures: &Figures) -> Option<String> {
    let cents = figures.column("tax_cny")?.as_primitive_opt::<Decimal128Type>()?;
    let total: i128 = cents.iter().flatten().sum();
    Some(format!("{}.{:02}", total / 100, total % 100))
}
