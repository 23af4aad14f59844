//! Runs of hours or days beyond the limit.
//!
//! Consecutive count 连续超标条数: the length of a run of valid hours beyond the limit. Invalid and
//! missing hours neither extend nor break it; stopped ones and valid ones within break it `default`.

use super::limits::Verdict;

/// Hours or days beyond the limit, with none judged otherwise between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Position of the first.
    pub first: usize,
    /// Position of the last.
    pub last: usize,
    /// How many there are, without those between that were not judged.
    pub len: i64,
}

/// The runs among verdicts, in order, into `runs`. Of beyond, missing, beyond, within, beyond the
/// first three are a run of two, the last is one of one.
pub fn runs(verdicts: &[Verdict], runs: &mut Vec<Run>) {
    runs.clear();
    let mut is_open = false;
    for (position, verdict) in verdicts.iter().enumerate() {
        match verdict {
            Verdict::Unjudged => continue,
            Verdict::Within => is_open = false,
            Verdict::Beyond(_) => match runs.last_mut().filter(|_| is_open) {
                Some(run) => (run.last, run.len) = (position, run.len + 1),
                None => {
                    runs.push(Run { first: position, last: position, len: 1 });
                    is_open = true;
                }
            },
        }
    }
}

/// Whether the first run may have begun before the first verdict: nothing before it was judged.
pub fn may_begin_earlier(verdicts: &[Verdict]) -> bool {
    let first = verdicts.iter().find(|verdict| **verdict != Verdict::Unjudged);
    matches!(first, Some(Verdict::Beyond(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exceedance::limits::{Basis, Excess};

    const BEYOND: Verdict =
        Verdict::Beyond(Excess { value: 60.0, basis: Basis::Value, limit: 50.0, ratio: 1.2 });
    use Verdict::{Unjudged, Within};

    fn told(verdicts: &[Verdict]) -> Vec<(usize, usize, i64)> {
        let mut out = vec![Run { first: 9, last: 9, len: 9 }];
        runs(verdicts, &mut out);
        out.iter().map(|run| (run.first, run.last, run.len)).collect()
    }

    #[test]
    fn what_is_not_judged_neither_extends_nor_breaks() {
        assert_eq!(told(&[BEYOND, Unjudged, BEYOND, Within, BEYOND]), [(0, 2, 2), (4, 4, 1)]);
        assert_eq!(told(&[Unjudged, BEYOND, BEYOND, Unjudged]), [(1, 2, 2)]);
        assert_eq!(told(&[]), []);
        assert_eq!(told(&[Within, Unjudged]), []);
    }

    #[test]
    fn a_run_may_have_begun_before_unless_something_judged_stands_before_it() {
        assert!(may_begin_earlier(&[Unjudged, BEYOND, Within]));
        assert!(!may_begin_earlier(&[Within, BEYOND]));
        assert!(!may_begin_earlier(&[Unjudged]));
    }

    proptest! {
        /// Every verdict beyond is in one run and no other; between two runs something is within.
        #[test]
        fn runs_part_what_is_beyond(picks in proptest::collection::vec(0_usize..3, 0..60)) {
            let verdicts: Vec<Verdict> = picks.iter().map(|pick| [Unjudged, Within, BEYOND][*pick]).collect();
            let mut found = Vec::new();
            runs(&verdicts, &mut found);
            let counted = |range: std::ops::RangeInclusive<usize>| {
                verdicts[range].iter().filter(|verdict| **verdict == BEYOND).count() as i64
            };
            for run in &found {
                prop_assert_eq!(run.len, counted(run.first..=run.last));
                prop_assert!(verdicts[run.first..=run.last].iter().all(|verdict| *verdict != Within));
            }
            let all = verdicts.iter().filter(|verdict| **verdict == BEYOND).count() as i64;
            prop_assert_eq!(found.iter().map(|run| run.len).sum::<i64>(), all);
            for pair in found.windows(2) {
                prop_assert!(verdicts[pair[0].last..pair[1].first].contains(&Within));
            }
        }
    }
}
