//! Series that were taken from elsewhere: from the past, from another outlet.

use super::super::scene::Scene;

/// Days that are recorded to be shown again.
const RECORDED_DAYS: usize = 7;

/// Seven days before the pattern are recorded and shown over and over, gaps and flags included.
pub(super) fn replay(scene: &mut Scene<'_>) {
    let a_day = 24 * scene.an_hour();
    let recorded = (RECORDED_DAYS * a_day).min(scene.steps.start / a_day * a_day);
    if recorded == 0 {
        return;
    }
    let start = scene.steps.start - recorded;
    let noise = noise(scene.share);
    for step in scene.steps.clone() {
        let signal = &mut scene.process.signals[scene.signal];
        let source = start + (step - scene.steps.start) % recorded;
        let shown = signal.value[source];
        signal.flag[step] = signal.flag[source];
        signal.value[step] = f64::NAN;
        if !shown.is_nan() {
            signal.value[step] =
                super::super::process::rounded(shown * (1.0 + noise * scene.dice.normal()), signal.decimals);
        }
    }
}

/// Every pollutant is that of another outlet, some minutes later.
pub(super) fn cross_outlet_copy(scene: &mut Scene<'_>) {
    let Some((_, other)) = scene.other else { return };
    let lag = if scene.an_hour() > 1 { 1 + scene.dice.below(5) } else { 0 };
    let noise = noise(scene.share);
    for signal in scene.process.pollutants() {
        let Some(source) = other.position(scene.process.signals[signal].factor) else { continue };
        let source = &other.signals[source].value;
        scene.edit(signal, |dice, step, value| match source.get(step.saturating_sub(lag)) {
            Some(shown) if !shown.is_nan() => shown * (1.0 + noise * dice.normal()),
            _ => value,
        });
    }
}

/// 1, 0.5 and 0 % of noise.
fn noise(share: f64) -> f64 {
    match share {
        share if share < 0.2 => 0.01,
        share if share < 0.4 => 0.005,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Interval;
    use super::super::testing::{cases, plant_of};

    #[test]
    fn a_replay_shows_the_seven_days_before_again() {
        for (strength, case) in cases("replay") {
            let value = &case.after.signals[case.signal].value;
            let recorded = 7 * 24 * case.an_hour;
            let pairs: Vec<(f64, f64)> = case
                .steps
                .clone()
                .take(recorded)
                .map(|step| (value[step], value[step - recorded]))
                .filter(|(new, old)| !new.is_nan() && !old.is_nan())
                .collect();
            assert!(pairs.len() > recorded * 9 / 10);
            let off =
                pairs.iter().map(|(new, old)| (new / old - 1.0).abs()).sum::<f64>() / pairs.len() as f64;
            // The mean of the absolute of a normal number is 0.8 of its deviation.
            let due = [0.008, 0.004, 0.0][strength];
            assert!((off - due).abs() < 0.002, "{strength}: {off}");
        }
    }

    #[test]
    fn a_copy_is_the_other_outlets_series() {
        for (strength, case) in cases("cross_outlet_copy") {
            let is_air = case.after.oxygen().is_some();
            let interval = if case.an_hour == 1 { Interval::Hour } else { Interval::Minute };
            let (_, other) = plant_of(4, is_air, interval);
            let (shown, source) = (&case.after.signals[case.signal].value, &other.signals[case.signal].value);
            let same = |lag: usize| {
                let close = |step: &usize| (shown[*step] / source[step - lag] - 1.0).abs() < 0.02;
                case.steps.clone().filter(close).count()
            };
            let best = (0..6).map(same).max().unwrap_or_default();
            assert!(best > case.steps.len() * 8 / 10, "{strength}: {best} of {}", case.steps.len());
        }
    }
}
