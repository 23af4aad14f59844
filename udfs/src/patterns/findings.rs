//! From hits to findings: overlapping hits of one mechanism on one factor are one finding.

use plume_datasets::patterns::{Pattern, patterns};

use super::hit::Hit;

/// A hit, and the pattern that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternHit {
    /// The pattern.
    pub pattern: &'static str,
    /// What was found.
    pub hit: Hit,
}

/// What an inspector is told: one or more hits that are one deed.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The hit that tells most, with the finding's start, end and rows.
    pub lead: PatternHit,
    /// The other patterns that overlap it, each with its greatest score, by number.
    pub also: Vec<(&'static str, f64)>,
}

/// The catalogue's entry of a pattern.
fn entry(pattern: &str) -> Option<(usize, &'static Pattern)> {
    patterns().iter().enumerate().find(|(_, entry)| entry.pattern == pattern)
}

/// The findings that hits of one outlet make, by factor, start and pattern.
///
/// Hits are one finding where their factor and their pattern's mechanism are the same and they
/// overlap. It is named after the hit worth a trip whose pattern says most exactly what was done
/// (column `rank` of the catalogue), then after that of the greatest score; it lasts
/// as long as the hits of that pattern in it.
pub fn findings(mut hits: Vec<PatternHit>) -> Vec<Finding> {
    let mechanism = |hit: &PatternHit| entry(hit.pattern).map(|(_, entry)| entry.mechanism.as_str());
    hits.retain(|PatternHit { hit, .. }| hit.score > 0.0 && hit.started < hit.ended);
    let number = |hit: &PatternHit| entry(hit.pattern).map(|(number, _)| number);
    hits.sort_by(|a, b| {
        let key = |h: &PatternHit| (mechanism(h), h.hit.started, h.hit.ended, number(h));
        a.hit.factor.cmp(&b.hit.factor).then_with(|| key(a).cmp(&key(b)))
    });
    let mut groups: Vec<Vec<PatternHit>> = Vec::new();
    let mut reached = i64::MIN;
    for hit in hits {
        let joins = |last: &Vec<PatternHit>| {
            last.first().is_some_and(|first| {
                first.hit.factor == hit.hit.factor
                    && mechanism(first) == mechanism(&hit)
                    && hit.hit.started < reached
            })
        };
        match groups.last_mut().filter(|last| joins(last)) {
            Some(group) => {
                reached = reached.max(hit.hit.ended);
                group.push(hit);
            }
            None => {
                reached = hit.hit.ended;
                groups.push(vec![hit]);
            }
        }
    }
    let mut findings: Vec<Finding> = groups.into_iter().filter_map(finding).collect();
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.lead.hit.started, number(&f.lead));
        a.lead.hit.factor.cmp(&b.lead.hit.factor).then_with(|| key(a).cmp(&key(b)))
    });
    findings
}

/// One finding out of hits that overlap.
fn finding(group: Vec<PatternHit>) -> Option<Finding> {
    let rank = |hit: &PatternHit| entry(hit.pattern).map_or(u32::MAX, |(_, entry)| entry.rank);
    let is_worth_a_trip = |hit: &PatternHit| hit.hit.score >= 0.5;
    let tells_more = |a: &&PatternHit, b: &&PatternHit| {
        let ranks = if is_worth_a_trip(a) { rank(b).cmp(&rank(a)) } else { std::cmp::Ordering::Equal };
        is_worth_a_trip(a)
            .cmp(&is_worth_a_trip(b))
            .then(ranks)
            .then_with(|| a.hit.score.total_cmp(&b.hit.score))
            .then_with(|| b.hit.started.cmp(&a.hit.started))
    };
    let mut lead = group.iter().max_by(tells_more)?.clone();
    let of_lead = || group.iter().filter(|hit| hit.pattern == lead.pattern).map(|hit| &hit.hit);
    let started = of_lead().map(|hit| hit.started).min()?;
    let ended = of_lead().map(|hit| hit.ended).max()?;
    let rows = of_lead().map(|hit| hit.rows).sum();
    (lead.hit.started, lead.hit.ended, lead.hit.rows) = (started, ended, rows);
    let others = group.iter().filter(|hit| hit.pattern != lead.pattern);
    let mut also: Vec<(&'static str, f64)> = Vec::new();
    for PatternHit { pattern, hit } in others {
        match also.iter_mut().find(|(known, _)| known == pattern) {
            Some((_, score)) => *score = score.max(hit.score),
            None => also.push((pattern, hit.score)),
        }
    }
    also.sort_by_key(|(pattern, _)| entry(pattern).map(|(number, _)| number));
    Some(Finding { lead, also })
}

#[cfg(test)]
mod tests {
    use super::super::hit::Evidence;
    use super::*;

    fn hit(pattern: &'static str, factor: &str, span: std::ops::Range<i64>, score: f64) -> PatternHit {
        let hit = Hit {
            factor: factor.to_owned(),
            started: span.start,
            ended: span.end,
            score,
            rows: 1,
            evidence: Evidence::default(),
        };
        PatternHit { pattern, hit }
    }

    #[test]
    fn overlapping_hits_of_one_mechanism_are_one_finding() {
        // Two value shapes on NOx overlap; a parameter does not join them, nor does SO2.
        let found = findings(vec![
            hit("low_variance", "a21002", 0..100, 0.9),
            hit("constant_value", "a21002", 50..90, 0.6),
            hit("conversion_mismatch", "a21002", 0..100, 0.7),
            hit("low_variance", "a21026", 0..100, 0.8),
        ]);
        let told: Vec<_> = found.iter().map(|f| (f.lead.hit.factor.as_str(), f.lead.pattern)).collect();
        assert_eq!(
            told,
            [("a21002", "conversion_mismatch"), ("a21002", "constant_value"), ("a21026", "low_variance")]
        );
        // A frozen value says more than a low variance, though it scores less; it lasts as long as it did.
        assert_eq!((found[1].lead.hit.started, found[1].lead.hit.ended), (50, 90));
        assert_eq!(found[1].also, [("low_variance", 0.9)]);
    }

    #[test]
    fn a_chain_of_overlaps_is_one_finding_and_a_touch_is_none() {
        let chain = [0..10, 8..20, 18..30].map(|span| hit("constant_value", "a21002", span, 0.6));
        let found = findings(chain.to_vec());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].lead.hit.started, found[0].lead.hit.ended, found[0].lead.hit.rows), (0, 30, 3));
        let touch = [0..10, 10..20].map(|span| hit("constant_value", "a21002", span, 0.6));
        assert_eq!(findings(touch.to_vec()).len(), 2);
    }

    #[test]
    fn a_hit_that_is_worth_a_trip_leads_whatever_its_rank() {
        let found = findings(vec![
            hit("constant_value", "a21002", 0..10, 0.4),
            hit("low_variance", "a21002", 0..10, 0.5),
        ]);
        assert_eq!(found[0].lead.pattern, "low_variance");
        assert_eq!(findings(vec![hit("low_variance", "a21002", 0..10, 0.0)]), []);
        assert_eq!(findings(vec![hit("low_variance", "a21002", 10..10, 0.9)]), []);
    }
}
