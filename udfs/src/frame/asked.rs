//! What a query asks of a rule: which columns, and rows of which factors.
//!
//! A filter on `factor` alone is asked of every series before it is settled.
//! Series that no row is asked of are read only where others rest on them: the
//! flow of a medium; oxygen, where values are converted or production stopped; the temperature,
//! pressure and humidity of gas that isn't sent as dry standard, and they and the velocity where the
//! flow of gas is told by it. The filter is asked again of the
//! rule's rows, so this saves work and decides nothing.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use plume_datasets::factors::{GAS_HUMIDITY, GAS_PRESSURE, GAS_TEMPERATURE, GAS_VELOCITY, Medium, OXYGEN};

use super::facts::OutletFacts;

/// What a query asks of a rule.
#[derive(Debug, Clone)]
pub struct Asked {
    output: SchemaRef,
    filter: Option<Arc<dyn PhysicalExpr>>,
    media: Vec<Medium>,
    is_about: fn(&str) -> bool,
    compares_converted: bool,
}

impl Asked {
    /// Asks for the columns of `output`, and for the factors that the filters
    /// on `factor` alone leave.
    pub fn try_new(session: &dyn Session, output: SchemaRef, filters: &[Expr]) -> Result<Self> {
        let schema = factor_schema();
        let on_factor = filters.iter().filter(|filter| is_about_factors(filter)).cloned();
        let Some(filter) = conjunction(on_factor) else { return Ok(Self::all(output)) };
        let filter = session.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&schema))?)?;
        let keep = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&schema))
            .try_build(Arc::clone(&filter))?
            .prune(&PrunableStatistics::new(Medium::ALL.map(codes_of).map(Arc::new).to_vec(), schema))?;
        let media = Medium::ALL.into_iter().zip(keep).filter_map(|(medium, keep)| keep.then_some(medium));
        Ok(Self { filter: Some(filter), media: media.collect(), ..Self::all(output) })
    }

    /// Asks for the columns of `output`, of every factor.
    pub fn all(output: SchemaRef) -> Self {
        Self {
            output,
            filter: None,
            media: Medium::ALL.to_vec(),
            is_about: |_| true,
            compares_converted: false,
        }
    }

    /// Asks for rows of such factors only.
    pub fn about(self, is_about: fn(&str) -> bool) -> Self {
        Self { is_about, ..self }
    }

    /// Asks for converted values, too, where a rule compares them without showing them.
    pub fn comparing_converted(self, compares_converted: bool) -> Self {
        Self { compares_converted, ..self }
    }

    /// The columns asked for.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.output.fields().iter().map(|field| field.name().as_str())
    }

    /// Whether a column of the rule's output is asked for.
    pub fn column(&self, name: &str) -> bool {
        self.output.column_with_name(name).is_some()
    }

    /// Whether converted values, or how they came about, are asked for or compared.
    pub fn converted(&self) -> bool {
        self.compares_converted || self.column("converted") || self.column("converted_basis")
    }

    /// Whether any factor of a medium may be asked for.
    pub fn medium(&self, medium: Medium) -> bool {
        self.media.contains(&medium)
    }

    /// How a factor is used. A filter that fails on it is left to fail where it stands in the query.
    fn usage(&self, factor: &str) -> Usage {
        let asked = self.filter.as_ref().is_none_or(|filter| holds(filter, factor).unwrap_or(true));
        if asked && (self.is_about)(factor) {
            return Usage::Asked;
        }
        if self.media.iter().any(|medium| factor == medium.flow_factor()) {
            return Usage::Supporting;
        }
        match factor {
            _ if !self.medium(Medium::Air) => Usage::Unused,
            OXYGEN if self.converted() => Usage::Supporting,
            OXYGEN => Usage::SupportingStops,
            GAS_TEMPERATURE | GAS_PRESSURE | GAS_HUMIDITY => Usage::SupportingStates,
            GAS_VELOCITY => Usage::SupportingFlow,
            _ => Usage::Unused,
        }
    }
}

/// How a query uses a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Rows of it are asked for.
    Asked,
    /// Rows of others rest on it.
    Supporting,
    /// Rows of others rest on it where production stopped.
    SupportingStops,
    /// Rows of others rest on it where gas is sent in another state than dry standard, or its flow is told by velocity.
    SupportingStates,
    /// Rows of others rest on it where the flow of gas is told by velocity.
    SupportingFlow,
    /// Not at all.
    Unused,
}

impl Usage {
    /// Whether a factor so used is read of an outlet.
    pub fn is_read_of(self, facts: Option<&OutletFacts>) -> bool {
        let holds = |condition: fn(&OutletFacts) -> bool| facts.is_some_and(condition);
        match self {
            Self::Asked | Self::Supporting => true,
            Self::SupportingStops => holds(|facts| !facts.production_stops.is_empty()),
            Self::SupportingStates => {
                holds(|facts| facts.sends_other_states() || facts.tells_flow_by_velocity())
            }
            Self::SupportingFlow => holds(OutletFacts::tells_flow_by_velocity),
            Self::Unused => false,
        }
    }
}

/// Tells how factors are used, remembering what it told.
#[derive(Debug)]
pub struct FactorUsage {
    asked: Arc<Asked>,
    known: Vec<(String, Usage)>,
}

impl FactorUsage {
    /// The usage of factors by a query.
    pub fn new(asked: Arc<Asked>) -> Self {
        Self { asked, known: Vec::new() }
    }

    /// How a factor is used.
    pub fn of(&mut self, factor: &str) -> Usage {
        if let Some((_, usage)) = self.known.iter().find(|(known, _)| known == factor) {
            return *usage;
        }
        let usage = self.asked.usage(factor);
        self.known.push((factor.to_owned(), usage));
        usage
    }
}

fn factor_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("factor", DataType::Utf8View, false)]))
}

fn is_about_factors(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|column| column.name == "factor") && !filter.is_volatile()
}

/// The factor codes of a medium as statistics: the range in which they lie.
fn codes_of(medium: Medium) -> Statistics {
    let code = |digit: char| {
        let prefix = medium.flow_factor().chars().take(1);
        let code: String = prefix.chain(std::iter::repeat_n(digit, 5)).collect();
        Precision::Exact(ScalarValue::Utf8View(Some(code)))
    };
    let factors = ColumnStatistics::new_unknown().with_min_value(code('0')).with_max_value(code('9'));
    Statistics {
        num_rows: Precision::Absent,
        total_byte_size: Precision::Absent,
        column_statistics: vec![factors],
    }
}

/// Whether a filter on `factor` holds for a factor.
fn holds(filter: &Arc<dyn PhysicalExpr>, factor: &str) -> Result<bool> {
    let column = Arc::new(StringViewArray::from(vec![factor]));
    let holds = filter.evaluate(&RecordBatch::try_new(factor_schema(), vec![column])?)?.into_array(1)?;
    Ok(holds.as_boolean_opt().is_none_or(|holds| holds.is_valid(0) && holds.value(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{SessionContext, col, lit};

    fn asked(filter: Expr) -> Asked {
        Asked::try_new(&SessionContext::new().state(), factor_schema(), &[filter]).unwrap()
    }

    /// A literal as the optimizer leaves it, of the column's type.
    fn text(text: &str) -> Expr {
        lit(ScalarValue::Utf8View(Some(text.to_owned())))
    }

    #[test]
    fn a_filter_on_factors_tells_media_and_usage() {
        let asked = asked(col("factor").like(text("a2%")));
        assert!(asked.medium(Medium::Air) && !asked.medium(Medium::Water));
        let mut usage = FactorUsage::new(Arc::new(asked));
        let told = ["a21026", "a00000", "a19001", "a01012", "a01011", "w00000"];
        let told = told.map(|factor| usage.of(factor));
        use Usage::{Asked, Supporting, SupportingFlow, SupportingStates, SupportingStops, Unused};
        assert_eq!(told, [Asked, Supporting, SupportingStops, SupportingStates, SupportingFlow, Unused]);
        assert_eq!(usage.of("a01011"), SupportingFlow); // remembered
    }

    #[test]
    fn a_list_of_factors_narrows_the_media() {
        let asked = asked(col("factor").in_list(vec![text("w21011")], false));
        assert!(!asked.medium(Medium::Air) && asked.medium(Medium::Water));
    }

    #[test]
    fn converted_values_rest_on_oxygen() {
        let fields = ["factor", "converted"].map(|name| Field::new(name, DataType::Utf8View, true));
        let output = Arc::new(Schema::new(fields.to_vec()));
        let asked =
            Asked::try_new(&SessionContext::new().state(), output, &[col("factor").eq(text("a21026"))]);
        assert_eq!(asked.unwrap().usage("a19001"), Usage::Supporting);
        let compared = self::asked(col("factor").eq(text("a21026"))).comparing_converted(true);
        assert_eq!(compared.usage("a19001"), Usage::Supporting);
    }

    #[test]
    fn a_rule_about_some_factors_reads_no_others() {
        let asked = asked(col("mn").eq(lit("A"))).about(|factor| factor == "a21026");
        let told = ["a21026", "a00000", "a19001", "a21002"].map(|factor| asked.usage(factor));
        assert_eq!(told, [Usage::Asked, Usage::Supporting, Usage::SupportingStops, Usage::Unused]);
    }

    #[test]
    fn other_filters_and_failing_ones_leave_everything() {
        assert_eq!(asked(col("mn").eq(col("factor"))).usage("a01012"), Usage::Asked);
        let failing = lit(1).eq(datafusion::prelude::cast(col("factor"), DataType::Int32));
        assert_eq!(asked(failing).usage("a01012"), Usage::Asked);
    }
}
