//! What came for the hours of a series.

use crate::frame::facts::{OutletFacts, hours_within};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::time::hour_of;
use crate::validity::hours::Hours;

/// Notes for which hours of a series a reported hour, or minutes that make one, came.
pub(super) fn note_came(frame: &OutletFrame, factor: &str, hours: &Hours, came: &mut [bool]) {
    let rows = frame.table(SeriesTable::Hourly);
    let pieces = rows.of(factor).into_iter().flat_map(|series| &series.pieces);
    for ts in pieces.filter_map(|piece| rows.ts.get(piece.clone())).flatten() {
        let position = usize::try_from(hour_of(*ts) - hours.first).ok();
        if let Some(came) = position.and_then(|position| came.get_mut(position)) {
            *came = true;
        }
    }
    let decided = came.iter_mut().zip(&hours.valid_minutes);
    decided.for_each(|(came, minutes)| *came |= !minutes.is_nan());
}

/// Notes which hours of a series lie in an approved stop of the facility.
pub(super) fn note_excused(facts: Option<&OutletFacts>, hours: &Hours, excused: &mut [bool]) {
    for span in facts.into_iter().flat_map(|facts| &facts.approved_stops) {
        if let Some(excused) = excused.get_mut(hours.clip(&hours_within(span))) {
            excused.fill(true);
        }
    }
}
