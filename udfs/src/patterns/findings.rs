//! From hits to findings: overlapping hits of one mechanism on one factor are one finding.

use std::cmp::Ordering;
use std::ops::Range;

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
/// (column `rank` of the catalogue), then after that of the greatest score, and lasts as long as that
/// hit and those of its pattern that overlap it; what lies apart from these is another finding, even
/// where a vaguer pattern spans both.
pub fn findings(mut hits: Vec<PatternHit>) -> Vec<Finding> {
    let mechanism = |hit: &PatternHit| entry(hit.pattern).map(|(_, entry)| entry.mechanism.as_str());
    hits.retain(|PatternHit { hit, .. }| hit.score > 0.0 && hit.started < hit.ended);
    let number = |hit: &PatternHit| entry(hit.pattern).map(|(number, _)| number);
    hits.sort_by(|a, b| {
        let key = |h: &PatternHit| (mechanism(h), h.hit.started, h.hit.ended, number(h));
        a.hit.factor.cmp(&b.hit.factor).then_with(|| key(a).cmp(&key(b)))
    });
    let is_alike =
        |a: &PatternHit, b: &PatternHit| a.hit.factor == b.hit.factor && mechanism(a) == mechanism(b);
    let mut findings: Vec<Finding> = hits.chunk_by(is_alike).flat_map(findings_of).collect();
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.lead.hit.started, number(&f.lead));
        a.lead.hit.factor.cmp(&b.lead.hit.factor).then_with(|| key(a).cmp(&key(b)))
    });
    findings
}

/// The findings of hits of one factor and mechanism.
fn findings_of(hits: &[PatternHit]) -> Vec<Finding> {
    let mut rest = hits.to_vec();
    let mut found = Vec::new();
    while let Some(lead) = rest.iter().max_by(|a, b| tells_more(a, b)).cloned() {
        let (finding, apart) = finding(lead, rest);
        found.push(finding);
        rest = apart;
    }
    found
}

/// Which of two hits tells more exactly what was done.
fn tells_more(a: &PatternHit, b: &PatternHit) -> Ordering {
    let rank = |hit: &PatternHit| entry(hit.pattern).map_or(u32::MAX, |(_, entry)| entry.rank);
    let is_worth_a_trip = |hit: &PatternHit| hit.hit.score >= 0.5;
    let ranks = if is_worth_a_trip(a) { rank(b).cmp(&rank(a)) } else { Ordering::Equal };
    is_worth_a_trip(a)
        .cmp(&is_worth_a_trip(b))
        .then(ranks)
        .then_with(|| a.hit.score.total_cmp(&b.hit.score))
        .then_with(|| b.hit.started.cmp(&a.hit.started))
}

/// The finding that a hit leads among hits in order of their start, itself one of them, and the hits
/// that lie apart from it.
fn finding(mut lead: PatternHit, hits: Vec<PatternHit>) -> (Finding, Vec<PatternHit>) {
    let span = chained(&lead, &hits);
    let (within, apart): (Vec<_>, Vec<_>) =
        hits.into_iter().partition(|hit| hit.hit.started < span.end && hit.hit.ended > span.start);
    let of_lead = within.iter().filter(|hit| hit.pattern == lead.pattern);
    lead.hit.rows = of_lead.map(|hit| hit.hit.rows).sum();
    (lead.hit.started, lead.hit.ended) = (span.start, span.end);
    let mut also: Vec<(&'static str, f64)> = Vec::new();
    for PatternHit { pattern, hit } in within.iter().filter(|hit| hit.pattern != lead.pattern) {
        match also.iter_mut().find(|(known, _)| known == pattern) {
            Some((_, score)) => *score = score.max(hit.score),
            None => also.push((pattern, hit.score)),
        }
    }
    also.sort_by_key(|(pattern, _)| entry(pattern).map(|(number, _)| number));
    (Finding { lead, also }, apart)
}

/// From when to when a hit and those of its pattern last that overlap it, one by one.
fn chained(lead: &PatternHit, hits: &[PatternHit]) -> Range<i64> {
    let mut span = lead.hit.started..lead.hit.ended;
    let of_pattern = || hits.iter().filter(|hit| hit.pattern == lead.pattern).map(|hit| &hit.hit);
    for hit in of_pattern() {
        if hit.started < span.end && hit.ended > span.start {
            span.end = span.end.max(hit.ended);
        }
    }
    for hit in of_pattern().rev() {
        if hit.started < span.end && hit.ended > span.start {
            span.start = span.start.min(hit.started);
        }
    }
    span
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
    fn two_deeds_that_a_vaguer_pattern_spans_are_two_findings() {
        let found = findings(vec![
            hit("replay", "a21002", 0..10, 1.0),
            hit("low_variance", "a21002", 5..95, 0.9),
            hit("replay", "a21002", 90..100, 0.8),
            hit("random_noise", "a21002", 40..50, 0.7),
        ]);
        let told = |f: &Finding| (f.lead.pattern, f.lead.hit.started..f.lead.hit.ended, f.also.clone());
        assert_eq!(
            found.iter().map(told).collect::<Vec<_>>(),
            [
                ("replay", 0..10, vec![("low_variance", 0.9)]),
                ("random_noise", 40..50, vec![]),
                ("replay", 90..100, vec![])
            ]
        );
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
