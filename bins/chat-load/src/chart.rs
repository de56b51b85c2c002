//! A chart of latency over time, legible on light and dark pages.

use std::error::Error;
use std::path::Path;

use plotters::coord::combinators::BindKeyPoints;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use chat_load::Latency;

const SIZE: (u32, u32) = (960, 440);
/// The space to the right of the lines, for their labels.
const LABEL_MARGIN: u32 = 64;
const MIN_LABEL_DISTANCE: i32 = 18;

/// The minimum number of messages of a point, if there are that many, so that p99 differs from the
/// maximum.
const MIN_MESSAGES: u64 = 200;
/// More points do not make a line clearer, and fewer do not make a line.
const MAX_POINTS: usize = 100;
const MIN_POINTS: usize = 10;

const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
const TEXT: RGBColor = RGBColor(31, 35, 40);
const GRID: RGBColor = RGBColor(222, 226, 230);
const P50: RGBColor = RGBColor(0, 98, 204);
const P99: RGBColor = RGBColor(200, 80, 0);
const MAX: RGBColor = RGBColor(140, 149, 159);

/// The colours for a dark page. Style rules override the attributes with which the chart is drawn.
const STYLE: &str = r##"<style>
text { font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  [fill="#FFFFFF"] { fill: #14171c; }
  [fill="#1F2328"] { fill: #e6e8eb; }
  [stroke="#1F2328"] { stroke: #8b949e; }
  [stroke="#DEE2E6"] { stroke: #30363d; }
  [fill="#0062CC"] { fill: #6cb2ff; }
  [stroke="#0062CC"] { stroke: #6cb2ff; }
  [fill="#C85000"] { fill: #ff9d5c; }
  [stroke="#C85000"] { stroke: #ff9d5c; }
}
</style>
"##;

/// Writes a chart of p50, p99 and the maximum to a file. `load` describes the load in one line.
/// Each slot is 100 ms.
pub(crate) fn write(path: &Path, load: &str, slots: &[Latency]) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    draw(&mut svg, load, &points(slots))?;
    let Some(head) = svg.find('>').map(|end| end + 1) else { return Err("the chart is empty".into()) };
    svg.insert_str(head, &format!("\n{STYLE}"));
    std::fs::write(path, svg).map_err(|error| format!("Cannot write \"{}\": {error}", path.display()))?;
    Ok(())
}

/// Latency in milliseconds, at a time in seconds.
#[derive(Debug, Clone, Copy)]
struct Point {
    at: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

type Line = (&'static str, RGBColor, u32, fn(&Point) -> f64);

/// The lines from back to front: the maximum is hidden where lines meet.
const LINES: [Line; 3] = [
    ("max", MAX, 2, |point| point.max),
    ("p99", P99, 2, |point| point.p99),
    ("p50", P50, 3, |point| point.p50),
];

/// Merges slots until each point has enough messages.
fn points(slots: &[Latency]) -> Vec<Point> {
    let messages: u64 = slots.iter().map(Latency::count).sum();
    let each = messages.div_ceil(slots.len().max(1) as u64).max(1);
    let wanted = usize::try_from(MIN_MESSAGES.div_ceil(each)).unwrap_or(usize::MAX);
    let width = wanted.min(slots.len() / MIN_POINTS).max(slots.len().div_ceil(MAX_POINTS)).max(1);
    let joined = slots.chunks(width).enumerate().map(|(i, slots)| {
        let mut all = Latency::new();
        slots.iter().for_each(|slot| all.add(slot));
        ((i * width) as f64 / 10.0 + slots.len() as f64 / 20.0, all)
    });
    let ms = |latency: &Latency, percent| latency.percentile(percent).as_secs_f64() * 1e3;
    joined
        .filter(|(_, latency)| !latency.is_empty())
        .map(|(at, latency)| Point {
            at,
            p50: ms(&latency, 50.0),
            p99: ms(&latency, 99.0),
            max: ms(&latency, 100.0),
        })
        .collect()
}

/// The marks of the latency axis, in milliseconds. They are 1, 2 and 5 times powers of ten, or only
/// the powers if there would be more than ten, and they enclose all points.
fn scale(points: &[Point]) -> Vec<f64> {
    let least = points.iter().map(|point| point.p50).fold(f64::INFINITY, f64::min).max(0.001);
    let most = points.iter().map(|point| point.max).fold(0.001, f64::max);
    let least = if least.is_finite() { least } else { 1.0 };
    let steps: Vec<f64> =
        (-4..=6).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power))).collect();
    let from = steps.iter().rposition(|step| *step <= least).unwrap_or(0);
    let to = steps.iter().position(|step| *step >= most).unwrap_or(steps.len() - 1).max(from + 1);
    let marks = &steps[from..=to.min(steps.len() - 1)];
    let is_long = marks.len() > 10;
    let is_kept =
        |(i, _): &(usize, &f64)| !is_long || (from + i).is_multiple_of(3) || *i == 0 || i + 1 == marks.len();
    marks.iter().enumerate().filter(is_kept).map(|(_, mark)| *mark).collect()
}

fn draw(svg: &mut String, load: &str, points: &[Point]) -> Result<(), Box<dyn Error>> {
    let text = |size: i32| TextStyle::from(("sans-serif", size)).color(&TEXT);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&BACKGROUND)?;
    area.draw(&Text::new("Message latency", (16, 14), text(20)))?;
    area.draw(&Text::new(load.to_owned(), (16, 42), text(13)))?;

    let marks = scale(points);
    let (least, most) = (marks[0], marks[marks.len() - 1]);
    let seconds = points.iter().map(|point| point.at).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin_top(72)
        .margin_bottom(12)
        .margin_left(12)
        .margin_right(LABEL_MARGIN)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(
            RangedCoordf64::from(0.0..seconds),
            (least..most).log_scale().with_key_points(marks.clone()),
        )?;
    chart
        .configure_mesh()
        .x_desc("time (s)")
        .y_desc("latency (ms, logarithmic)")
        .axis_desc_style(text(14))
        .label_style(text(13))
        .axis_style(TEXT)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .y_label_formatter(&|ms| format_decimal(*ms))
        .x_label_formatter(&|seconds| format_decimal(*seconds))
        .draw()?;
    let mut labels = Vec::new();
    for (name, color, width, value) in LINES {
        let style = color.stroke_width(width);
        chart.draw_series(LineSeries::new(points.iter().map(|point| (point.at, value(point))), style))?;
        if points.len() < 2 {
            let dots = points.iter().map(|point| Circle::new((point.at, value(point)), 3, color.filled()));
            chart.draw_series(dots)?;
        }
        if let Some(last) = points.last() {
            labels.push((chart.backend_coord(&(last.at, value(last))), name, color));
        }
    }
    labels.sort_by_key(|((_, y), ..)| *y);
    let mut free_from = i32::MIN;
    for ((x, y), name, color) in labels {
        let y = y.max(free_from);
        free_from = y + MIN_LABEL_DISTANCE;
        let style = text(14).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name, (x + 10, y), style))?;
    }
    area.present()?;
    Ok(())
}

/// Formats a number without the digits that binary fractions add.
fn format_decimal(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn slot(milliseconds: &[f64]) -> Latency {
        let mut latency = Latency::new();
        milliseconds.iter().for_each(|ms| latency.record((ms * 1e6) as u64));
        latency
    }

    /// The position of a text in the chart: `x`, `y`.
    fn position(svg: &str, text: &str) -> (f64, f64) {
        let texts = svg.split("<text ").skip(1);
        let found = texts.filter(|one| one.contains(&format!("\n{text}\n"))).last().unwrap();
        let number = |name: &str| {
            found.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        (number("x"), number("y"))
    }

    fn chart(slots: &[Latency]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latency.svg");
        write(&path, "chat.v2, 1 room", slots).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    /// The corners of the lines.
    fn lines(svg: &str) -> Vec<Vec<(f64, f64)>> {
        let corners = |line: &str| -> Vec<(f64, f64)> {
            let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
            let pair = |pair: &str| {
                let (x, y) = pair.split_once(',').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            };
            points.split_whitespace().map(pair).collect()
        };
        let all = svg.split("<polyline ").skip(1);
        all.map(corners).filter(|corners| corners.len() > 2).collect()
    }

    #[test]
    fn axes_and_lines_have_labels_and_no_label_covers_a_line() {
        let slots: Vec<_> = (0..100).map(|i| slot(&[0.3, 0.4, 0.5, 2.0 + f64::from(i % 7)])).collect();
        let svg = chart(&slots);
        for label in ["time (s)", "latency (ms, logarithmic)", "Message latency", "chat.v2, 1 room"] {
            assert!(svg.contains(label), "{label}: {svg}");
        }
        let lines = lines(&svg);
        assert_eq!(lines.len(), 3, "{svg}");
        let end = lines.iter().flatten().map(|(x, _)| *x).fold(0.0, f64::max);
        for label in ["max", "p99", "p50"] {
            assert!(position(&svg, label).0 > end, "{label} covers a line");
        }
    }

    #[test]
    fn the_scale_fits_the_data() {
        let svg = chart(&(0..100).map(|_| slot(&[0.3, 0.4, 40.0])).collect::<Vec<_>>());
        assert!(!svg.contains("\n0.01\n") && svg.contains("\n0.2\n") && svg.contains("\n50\n"), "{svg}");
        let heights: Vec<f64> = lines(&svg).iter().flatten().map(|(_, y)| *y).collect();
        let (top, bottom) = heights.iter().fold((f64::MAX, 0.0_f64), |(a, b), y| (a.min(*y), b.max(*y)));
        assert!(
            bottom - top > 0.6 * f64::from(SIZE.1 - 72 - 12 - 46),
            "{top} to {bottom}: the rest is empty"
        );
    }

    #[test]
    fn p99_is_drawn_over_the_maximum_and_from_enough_messages() {
        let slots: Vec<_> = (0..100).map(|i| slot(&[0.3, 0.3, 0.3, 0.3, 1.0 + f64::from(i)])).collect();
        assert!(points(&slots).iter().all(|point| point.p99 <= point.max));
        assert_eq!(points(&slots).len(), MIN_POINTS, "five messages are too few for a point");
        let svg = chart(&slots);
        let at = |color: &str| svg.find(&format!("stroke=\"{color}\" stroke-width")).unwrap();
        assert!(at("#8C959F") < at("#C85000") && at("#C85000") < at("#0062CC"));
    }

    #[test]
    fn the_chart_is_legible_on_a_dark_page() {
        let svg = chart(&[slot(&[1.0])]);
        assert!(svg.contains("prefers-color-scheme: dark"));
        for color in [BACKGROUND, TEXT, P50, P99] {
            let RGBColor(red, green, blue) = color;
            let hex = format!("#{red:02X}{green:02X}{blue:02X}");
            assert!(STYLE.contains(&hex) && svg.contains(&format!("=\"{hex}\"")), "{hex}");
        }
    }

    #[test]
    fn a_run_without_messages_has_an_empty_chart() {
        assert!(chart(&[]).starts_with("<svg"));
    }
}
