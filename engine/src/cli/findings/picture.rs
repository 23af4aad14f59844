//! The hours around a finding as an SVG file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime};
use plotters::prelude::*;

use super::chart::runs;
use crate::findings::{Finding, Points, Series};
use crate::{Error, Result};

/// Size of the factor's panel and height of the load's.
const SIZE: (u32, u32) = (1000, 420);
const LOAD_HEIGHT: u32 = 200;
/// Labels of the time, at most, and how far those of values stand apart.
const X_LABELS: usize = 12;
const PIXELS_A_LABEL: u32 = 40;
const FONT: &str = "sans-serif";
const SPAN: RGBColor = RGBColor(230, 120, 40);
const VALUES: RGBColor = RGBColor(30, 90, 160);
const LOAD: RGBColor = RGBColor(90, 90, 90);

/// The file of a picture, by its ending. Pictures of points would need a font in the binary.
pub(super) fn path(text: &str) -> Result<PathBuf> {
    let path = PathBuf::from(text);
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
        true => Ok(path),
        false => Err(Error::Usage(format!("'{text}' is no picture that can be drawn; end it with .svg"))),
    }
}

/// Draws a finding to a file, which gets its name when it is whole.
pub(super) fn write(path: &Path, finding: &Finding, series: &Series) -> Result<()> {
    let failed = |reason: String| Error::Input { path: path.display().to_string(), reason };
    let picture = draw(finding, series).map_err(|error| failed(error.to_string()))?;
    let partial = path.with_extension("partial");
    let written = std::fs::write(&partial, picture).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        failed(format!("{error}; name a file that can be written"))
    })
}

type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

fn draw(finding: &Finding, series: &Series) -> Drawn<String> {
    let (width, height) = SIZE;
    let load = series.load.as_ref().filter(|(_, points)| !points.is_empty());
    let all = height + load.map_or(0, |_| LOAD_HEIGHT);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width, all)).into_drawing_area();
        root.fill(&WHITE)?;
        let (above, below) = root.split_vertically(height);
        let title = format!("{} {}, {}", finding.mn, finding.factor_in_words(), finding.pattern);
        let panel = Panel { series, span: &finding.span, title, color: VALUES, points: &series.values };
        panel.draw(&above)?;
        if let Some((param, points)) = load {
            let title = format!("load: {param}");
            Panel { series, span: &finding.span, title, color: LOAD, points }.draw(&below)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// One series, with the finding's span behind it.
struct Panel<'a> {
    series: &'a Series,
    span: &'a Range<i64>,
    title: String,
    color: RGBColor,
    points: &'a Points,
}

impl Panel<'_> {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn<()> {
        let hours: RangedDateTime<NaiveDateTime> =
            (time(self.series.hours.start)..time(self.series.hours.end)).into();
        let (least, most) = self.bounds();
        // What no XML may hold is left out of the words.
        let title: String = self.title.chars().filter(|character| !character.is_control()).collect();
        let mut chart = ChartBuilder::on(area)
            .caption(title, (FONT, 20))
            .margin(12)
            .x_label_area_size(30)
            .y_label_area_size(60)
            .build_cartesian_2d(hours, least..most)?;
        let corners = [(time(self.span.start), least), (time(self.span.end), most)];
        chart.draw_series([Rectangle::new(corners, SPAN.mix(0.2).filled())])?;
        let labels = usize::try_from(area.dim_in_pixel().1 / PIXELS_A_LABEL).unwrap_or(1);
        let day = |time: &NaiveDateTime| time.format("%Y-%m-%d").to_string();
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(X_LABELS)
            .y_labels(labels)
            .x_label_formatter(&day)
            .draw()?;
        for run in runs(self.points) {
            let points = || run.iter().map(|(ts, value)| (time(*ts), *value));
            match run {
                [_] => drop(
                    chart.draw_series(points().map(|point| Circle::new(point, 1, self.color.filled())))?,
                ),
                _ => drop(chart.draw_series(LineSeries::new(points(), &self.color))?),
            }
        }
        Ok(())
    }

    /// From 0, or below it, to a little above the greatest value.
    fn bounds(&self) -> (f64, f64) {
        let values = || self.points.iter().map(|(_, value)| *value);
        let (least, most) = (values().fold(0.0, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if least < most { (least, most + 0.05 * (most - least)) } else { (least, least + 1.0) }
    }
}

fn time(ts: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(ts).unwrap_or_default().naive_utc()
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_picture_ends_with_svg() {
        assert!(path("a.svg").is_ok() && path("a.SVG").is_ok());
        for other in ["a.png", "a", "svg", "a.svg.txt"] {
            assert!(path(other).is_err_and(|error| error.to_string().contains(".svg")), "{other}");
        }
    }
}
