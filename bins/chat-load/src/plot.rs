//! Latency over time as a picture.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::load::Latency;

/// Draws p50, p99 and the maximum of each slot of 100 ms. The times grow by powers of ten.
pub(crate) fn latency(path: &Path, slots: &[Latency]) -> Result<(), Box<dyn Error>> {
    let seconds = slots.len() as f64 / 10.0;
    let most = slots.iter().map(|slot| ms(slot, 100.0)).fold(1.0, f64::max);
    let area = SVGBackend::new(path, (900, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("latency in milliseconds over seconds", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..seconds.max(0.1), (0.01..most * 1.5).log_scale())?;
    chart.configure_mesh().y_label_formatter(&|ms| format!("{ms}")).draw()?;
    for (name, percent, color) in [("p50", 50.0, BLUE), ("p99", 99.0, MAGENTA), ("max", 100.0, RED)] {
        let points = slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| !slot.is_empty())
            .map(|(i, slot)| (i as f64 / 10.0, ms(slot, percent).max(0.01)));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}

fn ms(slot: &Latency, percent: f64) -> f64 {
    slot.percentile(percent).as_secs_f64() * 1e3
}
