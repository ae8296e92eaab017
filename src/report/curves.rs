//! Charts as SVG: lines over epochs or steps, bars and a pie for counts.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::{Error, Result};

/// Eight colours that stay apart for those who see few (Okabe and Ito), dark ones first.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(190, 175, 20),
];
const GROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(34, 34, 34);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points (x, y) in order; those that are not finite leave a gap out.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A series of points.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }
}

/// What a line chart shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineChart {
    /// Above the chart.
    pub title: String,
    /// Below the chart: epoch, step.
    pub x: String,
    /// Beside the chart: loss, `IoU`.
    pub y: String,
    /// The lowest and the highest y, where they are given; else as the points have it.
    pub y_range: Option<(f64, f64)>,
    /// The lines.
    pub series: Vec<Series>,
    /// Where their names stand.
    pub legend: Legend,
}

/// A corner of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legend {
    /// For what falls to the right: a loss.
    #[default]
    UpperRight,
    /// For what rises to the right: a ROC curve.
    LowerRight,
    /// For what fills the upper right: precision over recall.
    LowerLeft,
}

/// A line chart of 760×420, on a light ground. Without a point to show it says so.
///
/// Fails where the drawing library refuses.
pub fn line_chart(chart: &LineChart) -> Result<String> {
    let shown = |s: &Series| -> Vec<(f64, f64)> {
        s.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let series: Vec<(String, Vec<(f64, f64)>)> =
        chart.series.iter().map(|s| (clean(&s.name), shown(s))).filter(|(_, points)| !points.is_empty()).collect();
    let xs = span(series.iter().flat_map(|(_, points)| points).map(|p| p.0));
    let ys = span(series.iter().flat_map(|(_, points)| points).map(|p| p.1));
    let (Some((left, right)), Some((low, high))) = (xs, ys) else {
        return drawing((760, 420), |area| {
            heading(area, &chart.title)?;
            area.draw(&Text::new("no data", (380, 210), style(18, INK, HPos::Center)))
        });
    };
    let (low, high) = chart.y_range.filter(|(a, b)| a.is_finite() && b.is_finite() && a < b).unwrap_or_else(|| {
        let room = 0.05 * (high - low);
        (if low >= 0.0 { (low - room).max(0.0) } else { low - room }, high + room)
    });
    drawing((760, 420), |area| {
        heading(area, &chart.title)?;
        let (_, below) = area.split_vertically(40);
        let mut context = ChartBuilder::on(&below)
            .margin_right(28)
            .margin_left(16)
            .margin_bottom(8)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(Ticks(left, right), Ticks(low, high))?;
        let label = style(14, INK, HPos::Center);
        context
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_desc(clean(&chart.x))
            .y_desc(clean(&chart.y))
            .x_labels(10)
            .y_labels(8)
            .x_label_formatter(&|v| number(*v))
            .y_label_formatter(&|v| number(*v))
            .label_style(label.clone())
            .axis_desc_style(label)
            .draw()?;
        for ((name, points), color) in series.iter().zip(COLORS.iter().cycle()) {
            let line = color.stroke_width(2);
            let drawn = context.draw_series(LineSeries::new(points.iter().copied(), line))?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], line));
            if points.len() <= 40 {
                context.draw_series(points.iter().map(|&p| Circle::new(p, 3, color.filled())))?;
            }
        }
        context
            .configure_series_labels()
            .position(match chart.legend {
                Legend::UpperRight => SeriesLabelPosition::UpperRight,
                Legend::LowerRight => SeriesLabelPosition::LowerRight,
                Legend::LowerLeft => SeriesLabelPosition::LowerLeft,
            })
            .background_style(GROUND.mix(0.85))
            .border_style(GRID)
            .label_font(("sans-serif", 14))
            .draw()
    })
}

/// How often each class occurs, as bars that lie, with count and share beside them.
///
/// Fails where the drawing library refuses.
pub fn bar_chart(title: &str, counts: &[(String, usize)]) -> Result<String> {
    let rows = counts.len().min(200) as i32;
    let largest = counts.iter().map(|c| c.1).max().unwrap_or(0).max(1) as f64;
    let all = counts.iter().map(|c| c.1).sum::<usize>().max(1) as f64;
    drawing((760, (64 + 34 * rows.max(1)) as u32), |area| {
        heading(area, title)?;
        if rows == 0 {
            area.draw(&Text::new("no data", (380, 60), style(18, INK, HPos::Center)))?;
        }
        for (row, (name, count)) in (0..rows).zip(counts) {
            let (top, long) = (48 + 34 * row, (430.0 * *count as f64 / largest).round() as i32);
            let color = COLORS[row as usize % COLORS.len()];
            area.draw(&Rectangle::new([(180, top), (180 + long.max(1), top + 24)], color.filled()))?;
            area.draw(&Text::new(shorten(name, 22), (172, top + 12), style(14, INK, HPos::Right)))?;
            let share = format!("{count} ({:.1} %)", 100.0 * *count as f64 / all);
            area.draw(&Text::new(share, (188 + long, top + 12), style(14, INK, HPos::Left)))?;
        }
        Ok(())
    })
}

/// The classes' shares as a pie with a legend.
///
/// Fails where the drawing library refuses.
pub fn pie_chart(title: &str, counts: &[(String, usize)]) -> Result<String> {
    let all = counts.iter().map(|c| c.1).sum::<usize>();
    let rows = counts.len().min(200) as i32;
    drawing((760, (56 + 26 * rows).max(400) as u32), |area| {
        heading(area, title)?;
        if all == 0 {
            return area.draw(&Text::new("no data", (380, 200), style(18, INK, HPos::Center)));
        }
        let (x, y, radius) = (210.0, 218.0, 160.0);
        let mut from = -std::f64::consts::FRAC_PI_2;
        for (row, (name, count)) in (0..rows).zip(counts) {
            let color = COLORS[row as usize % COLORS.len()];
            let share = *count as f64 / all as f64;
            let to = from + share * std::f64::consts::TAU;
            let steps = ((to - from) / 0.02).ceil().max(1.0) as usize;
            let on_circle = |step: usize| {
                let angle = from + (to - from) * step as f64 / steps as f64;
                ((x + radius * angle.cos()).round() as i32, (y + radius * angle.sin()).round() as i32)
            };
            let mut slice: Vec<(i32, i32)> = (0..=steps).map(on_circle).collect();
            if *count < all {
                slice.push((x as i32, y as i32));
            }
            if *count > 0 {
                area.draw(&Polygon::new(slice.clone(), color.filled()))?;
                slice.push(slice[0]);
                area.draw(&PathElement::new(slice, GROUND.stroke_width(2)))?;
            }
            from = to;
            let top = 60 + 26 * row;
            area.draw(&Rectangle::new([(430, top), (446, top + 16)], color.filled()))?;
            let line = format!("{}: {count} ({:.1} %)", shorten(name, 24), 100.0 * share);
            area.draw(&Text::new(line, (456, top + 8), style(14, INK, HPos::Left)))?;
        }
        Ok(())
    })
}

type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn drawing(size: (u32, u32), draw: impl FnOnce(&Area) -> Drawn) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = area.fill(&GROUND).and_then(|()| draw(&area)).and_then(|()| area.present());
        drawn.map_err(|error| Error::parameter("chart", error.to_string()))?;
    }
    Ok(svg)
}

fn heading(area: &Area, title: &str) -> Drawn {
    area.draw(&Text::new(shorten(title, 80), (20, 22), style(18, INK, HPos::Left)))
}

fn style(points: i32, color: RGBColor, side: HPos) -> TextStyle<'static> {
    ("sans-serif", points).into_font().color(&color).pos(Pos::new(side, VPos::Center))
}

/// Text without the control characters that XML forbids.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

fn shorten(text: &str, most: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Lowest and highest, apart by something even where all are one.
fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if low > high {
        return None;
    }
    let room = 1e-9 * low.abs().max(high.abs());
    if high - low > room {
        Some((low, high))
    } else {
        Some((low - low.abs().max(1.0) / 2.0, high + high.abs().max(1.0) / 2.0))
    }
}

/// As short as a tick's label can be said.
fn number(value: f64) -> String {
    let text = match value.abs() {
        v if v < 1e-12 => return "0".into(),
        v if !(1e-4..1e6).contains(&v) => return format!("{value:.1e}").replace(".0e", "e"),
        v if v < 0.1 => format!("{value:.5}"),
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 1000.0 => format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A range of numbers whose ticks stand at 1, 2 or 5 times a power of ten.
struct Ticks(f64, f64);

impl plotters::coord::ranged1d::Ranged for Ticks {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = ((value - self.0) / (self.1 - self.0)).clamp(0.0, 1.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let most = hint.max_num_points().clamp(2, 12) as f64;
        let least = (self.1 - self.0) / most;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= least).unwrap_or(least);
        let first = (self.0 / step - 1e-9).ceil();
        (0..=12).map(|i| (first + f64::from(i)) * step).take_while(|v| *v <= self.1 + 1e-9 * step).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0..self.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_and_named() {
        let points = (0..30).map(|i| (f64::from(i), 1.0 / f64::from(i + 1))).collect();
        let series = vec![Series::new("train <loss>", points), Series::new("val", vec![(0.0, f64::NAN), (3.0, 0.5)])];
        let chart = LineChart {
            title: "Loss".into(),
            x: "epoch".into(),
            y: "loss".into(),
            y_range: None,
            series,
            ..LineChart::default()
        };
        let svg = line_chart(&chart).unwrap();
        assert!(svg.contains("train &lt;loss&gt;") && svg.contains("polyline") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn charts_without_data_or_with_odd_data() {
        let empty = LineChart::default();
        assert!(line_chart(&empty).unwrap().contains("no data"));
        for points in [
            vec![(1.0, 1.0)],
            vec![(0.0, 0.0), (1.0, 0.0)],
            vec![(0.0, 1e30), (1e12, -1e30)],
            vec![(0.0, f64::INFINITY)],
        ] {
            line_chart(&LineChart { series: vec![Series::new("\u{1}", points)], ..LineChart::default() }).unwrap();
        }
        assert!(bar_chart("t", &[]).unwrap().contains("no data"));
        assert!(pie_chart("t", &[("a".into(), 0)]).unwrap().contains("no data"));
        for svg in [bar_chart, pie_chart].map(|chart| chart("t", &[("a & b".into(), 3)]).unwrap()) {
            assert!(svg.contains("a &amp; b") && svg.contains("100.0 %"), "{svg}");
        }
    }

    #[test]
    fn ticks_are_round() {
        use plotters::coord::ranged1d::{BoldPoints, Ranged as _};
        assert_eq!(Ticks(0.0, 1.0).key_points(BoldPoints(6)), [0.0, 0.2, 0.4, 0.600_000_000_000_000_1, 0.8, 1.0]);
        assert_eq!(
            [0.600_000_000_000_000_1, 8e-4, 2e-5, 12.0, 2_000_000.0].map(number),
            ["0.6", "0.0008", "2e-5", "12", "2e6"]
        );
    }
}
