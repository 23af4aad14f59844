//! Kernels and the packet decoder, one criterion group each.

#![expect(clippy::expect_used, reason = "a bench that can't go on fails")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use plume_datasets::factors::Medium;
use plume_engine::ingest::hj212::frame::{CrcDialect, Framer, crc_hj212};
use plume_engine::ingest::hj212::segment;
use plume_udfs::correlation::best_lag::best_lag;
use plume_udfs::correlation::corr_kendall::corr_kendall;
use plume_udfs::correlation::corr_partial::corr_partial;
use plume_udfs::correlation::corr_spearman::corr_spearman;
use plume_udfs::time::HOUR_US;
use plume_udfs::validity::Rulebook;
use plume_udfs::validity::days::{DayMean, DayRule, days};
use plume_udfs::validity::hours::{Hours, Rows};
use plume_udfs::validity::months::months;

/// A month of hours of one series, settled and summed to its month.
fn validity(criterion: &mut Criterion) {
    let ts: Vec<i64> = (0..744).map(|hour| hour * HOUR_US).collect();
    let value: Vec<f64> = (0..744).map(|hour| 20.0 + f64::from(hour % 24)).collect();
    let flag: Vec<u8> = (0..744).map(|hour| if hour % 50 == 0 { b'C' } else { b'N' }).collect();
    let book = Rulebook::by_date().expect("the built-in rules");
    let rule = DayRule { mean: DayMean::Arithmetic, medium: Medium::Air, with_extremes: false };
    let (mut hours, mut of_days, mut of_months) = (Hours::default(), Vec::new(), Vec::new());
    criterion.bench_function("monthly_valid/one series-month", |bencher| {
        bencher.iter(|| {
            hours.reset(&(0..744), &(0..744));
            hours.settle_reported(Rows { ts: black_box(&ts), value: &value, flag: &flag });
            days(&hours, &hours.value, &[], rule, &book, &mut of_days);
            months(&of_days, &[], Medium::Air, &book, &mut of_months);
            black_box(of_months.len())
        });
    });
}

/// A thousand packets found, checked and read.
fn hj212(criterion: &mut Criterion) {
    let text = "QN=20260101000000000;ST=31;CN=2061;PW=123456;MN=PLUME0000000001G42000000;Flag=4;CP=&&DataTime=20260101000000;a21026-Avg=12.34,a21026-Min=10.1,a21026-Max=15.2,a21026-Flag=N;a00000-Avg=40.1,a00000-Cou=144360,a00000-Flag=N&&";
    let packet = format!("##{:04}{text}{:04X}\r\n", text.len(), crc_hj212(text.as_bytes()));
    let stream = packet.repeat(1000);
    criterion.bench_function("hj212/1000 packets", |bencher| {
        bencher.iter(|| {
            let mut framer = Framer::new(black_box(stream.as_bytes()), CrcDialect::Hj);
            let mut values = 0;
            while let Some(found) = framer.next_packet().expect("a slice can be read") {
                values += found.segment.as_deref().map_or(0, |bytes| segment::parse(bytes).groups().len());
            }
            assert_eq!(values, 2000);
        });
    });
}

/// A month of hours of a condition and an emission, with ties.
fn correlation(criterion: &mut Criterion) {
    let wave = |hour: u32, slow: f64| (f64::from(hour) / slow).sin();
    let x: Vec<f64> = (0..744).map(|hour| (100.0 * wave(hour, 4.0)).round()).collect();
    let y: Vec<f64> =
        (0..744).map(|hour| (100.0 * (wave(hour, 5.0) + wave(hour * hour, 0.7))).round()).collect();
    let z: Vec<f64> = (0..744).map(|hour| wave(hour, 9.0)).collect();
    criterion.bench_function("corr_spearman/a month", |b| b.iter(|| corr_spearman(black_box(&x), &y)));
    criterion.bench_function("corr_kendall/a month", |b| b.iter(|| corr_kendall(black_box(&x), &y)));
    criterion.bench_function("corr_partial/a month", |b| b.iter(|| corr_partial(black_box(&x), &y, &z)));
    criterion.bench_function("best_lag/a month", |b| b.iter(|| best_lag(black_box(&x), &y, 24, 30)));
}

criterion_group!(benches, validity, hj212, correlation);
criterion_main!(benches);
