//! Every function, for a session to register.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use crate::correlation::best_lag::best_lag_udaf;
use crate::correlation::corr_kendall::corr_kendall_udaf;
use crate::correlation::corr_partial::corr_partial_udaf;
use crate::correlation::corr_spearman::corr_spearman_udaf;
use crate::emission::dry_standard_flow::dry_standard_flow_udf;
use crate::emission::nox_as_no2::nox_as_no2_udf;
use crate::emission::o2_convert::o2_convert_udf;
use crate::emission::ppm_to_mg::ppm_to_mg_udf;
use crate::emission::relative_accuracy::relative_accuracy_udaf;
use crate::emission::section_velocity::section_velocity_udf;
use crate::emission::to_dry_standard::to_dry_standard_udf;
use crate::exceedance::round_half_even::round_half_even_udf;
use crate::patterns::finding_id::finding_id_udf;
use crate::patterns::outlet_copies::outlet_copies_udaf;
use crate::tax::tax_amount::tax_amount_udf;
use crate::validity::Rulebook;
use crate::validity::effective_transmission::effective_transmission_udf;
use crate::validity::valid_day_mean::valid_day_mean_udaf;
use crate::validity::valid_hour_mean::valid_hour_mean_udaf;
use crate::validity::valid_month_mean::valid_month_mean_udaf;

/// Every scalar function.
pub fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        o2_convert_udf(),
        to_dry_standard_udf(),
        dry_standard_flow_udf(),
        section_velocity_udf(),
        ppm_to_mg_udf(),
        nox_as_no2_udf(),
        round_half_even_udf(),
        tax_amount_udf(),
        effective_transmission_udf(),
        finding_id_udf(),
    ]
}

/// Every aggregate function. One that is told no time goes by the latest rules.
pub fn aggregate_functions(rules: &Arc<Rulebook>) -> Vec<AggregateUDF> {
    let latest = rules.at(i64::MAX);
    vec![
        valid_hour_mean_udaf(latest),
        valid_day_mean_udaf(latest),
        valid_month_mean_udaf(rules),
        relative_accuracy_udaf(rules.emission_at(i64::MAX)),
        corr_spearman_udaf(),
        corr_kendall_udaf(),
        corr_partial_udaf(),
        best_lag_udaf(),
        outlet_copies_udaf(),
    ]
}
