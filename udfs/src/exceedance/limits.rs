//! The limits of a monitor, and how an hour or a day compares with them.
//!
//! Guide 28(2) `seed`. Gas is compared as converted, water as measured, strictly above, rounded
//! to the limit's decimals `recall`; a day without a limit of its own takes the hour's `recall`.
//! Gas of an outlet without a reference oxygen is compared as measured `default`.
//!
//! Worked example: 50.75 mg/L against 50 without decimals is 51, beyond by a ratio of 1.02;
//! 50.5 is 50 and within.

use super::round_half_even::round_half_even;

/// Whether hours or days are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Hours, with the hourly limit.
    Hour,
    /// Days, with the daily limit, else the hourly one.
    Day,
}

impl Grain {
    /// The grain of a name: `hour` or `day`.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            _ => None,
        }
    }
}

/// Which value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The value converted to the reference oxygen.
    Converted,
    /// The value measured.
    Value,
}

impl Basis {
    /// The basis that the registry names; anything but `converted` is the value.
    pub fn parse(name: &str) -> Self {
        if name == "converted" { Self::Converted } else { Self::Value }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converted => "converted",
            Self::Value => "value",
        }
    }
}

/// The limits of one monitor as registered, in the unit of its factor.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Of an hour.
    pub hour: Option<f64>,
    /// Of a day.
    pub day: Option<f64>,
    /// The lower limit, of pH.
    pub low: Option<f64>,
    /// Decimals that values are rounded to; `None`: they aren't.
    pub decimals: Option<f64>,
    /// What is compared, if the registry says.
    pub basis: Option<Basis>,
    /// The standard they come from.
    pub standard: Option<String>,
}

impl Limits {
    /// Whether there is any limit.
    pub fn any(&self) -> bool {
        self.hour.or(self.day).or(self.low).is_some()
    }

    /// The upper limit of an hour or a day; NaN where there is none.
    pub fn upper(&self, grain: Grain) -> f64 {
        let upper = match grain {
            Grain::Hour => self.hour,
            Grain::Day => self.day.or(self.hour),
        };
        upper.unwrap_or(f64::NAN)
    }

    /// What is compared: as registered, else gas that has a converted value, or should have one
    /// for the outlet's `has_reference`, as converted.
    pub fn basis(&self, is_gas: bool, has_reference: bool, converted: f64) -> Basis {
        let by_default = match is_gas && (has_reference || !converted.is_nan()) {
            true => Basis::Converted,
            false => Basis::Value,
        };
        self.basis.unwrap_or(by_default)
    }
}

/// What is known of a valid hour or day; NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Its mean.
    pub value: f64,
    /// Its converted mean.
    pub converted: f64,
    /// The least value where there is no mean, as of a day of pH.
    pub least: f64,
    /// The greatest one.
    pub greatest: f64,
}

impl Measured {
    /// The greatest and the least value that are compared. Without a reference oxygen what isn't
    /// converted is compared as measured.
    fn compared(&self, basis: Basis, has_reference: bool) -> (f64, f64) {
        let or = |value: f64, other: f64| if value.is_nan() { other } else { value };
        match basis {
            Basis::Converted if has_reference => (self.converted, self.converted),
            Basis::Converted => {
                let converted = or(self.converted, self.value);
                (converted, converted)
            }
            Basis::Value => (or(self.value, self.greatest), or(self.value, self.least)),
        }
    }
}

/// How an hour or a day stands to its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Not valid: neither extends a run nor breaks it.
    Unjudged,
    /// Within the limit, without one, or stopped: breaks a run.
    Within,
    /// Beyond.
    Beyond(Excess),
}

/// A value beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excess {
    /// What was compared, rounded to the limit's decimals.
    pub value: f64,
    /// Which value that is.
    pub basis: Basis,
    /// The upper limit; NaN where there is none.
    pub limit: f64,
    /// Value ÷ limit; NaN below the lower limit and of a limit of 0.
    pub ratio: f64,
}

/// Judges a valid hour or day of a series by the limits in force. Of a day of pH the greatest
/// hour goes first. What can't be rounded, for there is none or for odd decimals, is within.
pub fn judge(
    limits: &Limits,
    grain: Grain,
    measured: &Measured,
    is_gas: bool,
    has_reference: bool,
) -> Verdict {
    let basis = limits.basis(is_gas, has_reference, measured.converted);
    let (greatest, least) = measured.compared(basis, has_reference);
    let rounded = |value: f64| match limits.decimals {
        Some(decimals) => round_half_even(value, decimals).unwrap_or(f64::NAN),
        None => value,
    };
    let limit = limits.upper(grain);
    let greatest = rounded(greatest);
    if greatest > limit {
        let ratio = if limit == 0.0 { f64::NAN } else { greatest / limit };
        return Verdict::Beyond(Excess { value: greatest, basis, limit, ratio });
    }
    let Some(low) = limits.low else { return Verdict::Within };
    let least = rounded(least);
    if least < low {
        return Verdict::Beyond(Excess { value: least, basis, limit, ratio: f64::NAN });
    }
    Verdict::Within
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f64 = f64::NAN;

    fn value(value: f64) -> Measured {
        Measured { value, converted: NONE, least: NONE, greatest: NONE }
    }

    /// What is shown and its ratio; `None` within.
    fn shown(verdict: Verdict) -> Option<(f64, f64)> {
        match verdict {
            Verdict::Beyond(excess) => Some((excess.value, excess.ratio)),
            Verdict::Unjudged | Verdict::Within => None,
        }
    }

    #[test]
    fn a_value_is_rounded_before_it_is_compared_and_must_lie_above() {
        let limits = Limits { hour: Some(50.0), decimals: Some(0.0), ..Limits::default() };
        let of = |v: f64| shown(judge(&limits, Grain::Hour, &value(v), false, false));
        // 50.5 is 50, 50.75 is 51: 51 / 50 = 1.02.
        assert_eq!((of(50.0), of(50.5), of(50.75)), (None, None, Some((51.0, 1.02))));
        let exact = Limits { decimals: None, ..limits };
        // Not rounded: 50.5 / 50 = 1.01.
        assert_eq!(shown(judge(&exact, Grain::Hour, &value(50.5), false, false)), Some((50.5, 1.01)));
        let odd = Limits { decimals: Some(-1.0), ..exact };
        assert_eq!(judge(&odd, Grain::Hour, &value(99.0), false, false), Verdict::Within);
    }

    #[test]
    fn a_day_has_its_own_limit_else_the_hours() {
        let both = Limits { hour: Some(50.0), day: Some(40.0), ..Limits::default() };
        assert_eq!((both.upper(Grain::Hour), both.upper(Grain::Day)), (50.0, 40.0));
        let hour = Limits { day: None, ..both };
        assert_eq!(hour.upper(Grain::Day), 50.0);
        let none = Limits::default();
        assert!(none.upper(Grain::Day).is_nan() && !none.any());
        assert_eq!(judge(&none, Grain::Day, &value(1e9), false, false), Verdict::Within);
    }

    #[test]
    fn gas_is_compared_as_converted_where_it_can_be() {
        let limits = Limits { hour: Some(50.0), ..Limits::default() };
        let gas = |value: f64, converted: f64, has_reference: bool| {
            let measured = Measured { value, converted, least: value, greatest: value };
            shown(judge(&limits, Grain::Hour, &measured, true, has_reference)).map(|(value, _)| value)
        };
        assert_eq!(gas(40.0, 60.0, true), Some(60.0));
        // With a reference nothing but the converted value is compared.
        assert_eq!(gas(400.0, NONE, true), None);
        assert_eq!(gas(400.0, NONE, false), Some(400.0));
        assert_eq!(limits.basis(true, false, NONE), Basis::Value);
        assert_eq!(limits.basis(false, true, 1.0), Basis::Value);
        let registered = Limits { basis: Some(Basis::Value), ..limits };
        assert_eq!(registered.basis(true, true, 1.0), Basis::Value);
    }

    #[test]
    fn of_ph_each_extreme_is_judged_the_greater_one_first() {
        let limits = Limits { hour: Some(9.0), low: Some(6.0), decimals: Some(1.0), ..Limits::default() };
        let day = |least: f64, greatest: f64| {
            let measured = Measured { value: NONE, converted: NONE, least, greatest };
            judge(&limits, Grain::Day, &measured, false, false)
        };
        // 9.04 is 9.0, 5.96 is 6.0: within. 9.06 is 9.1 and 9.1 / 9 the ratio, whatever the least.
        assert_eq!(day(5.96, 9.04), Verdict::Within);
        assert_eq!(shown(day(5.0, 9.06)), Some((9.1, 9.1 / 9.0)));
        let Verdict::Beyond(low) = day(5.94, 9.0) else { panic!("5.9 lies below 6") };
        assert!(low.value == 5.9 && low.ratio.is_nan());
    }

    #[test]
    fn a_limit_of_0_has_no_ratio() {
        let limits = Limits { hour: Some(0.0), ..Limits::default() };
        let Verdict::Beyond(excess) = judge(&limits, Grain::Hour, &value(0.1), false, false) else {
            panic!("0.1 lies above 0")
        };
        assert!(excess.value == 0.1 && excess.ratio.is_nan());
        assert_eq!(judge(&limits, Grain::Hour, &value(0.0), false, false), Verdict::Within);
    }
}
