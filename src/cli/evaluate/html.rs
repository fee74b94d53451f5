//! Small parts of a web page: text made safe, bars with an interval, lines. SVG, with nothing from elsewhere.

use std::fmt::Write;

/// Text in a page, whatever is in it.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// One bar of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    /// 0 to 1; what is beyond is drawn at the end.
    pub value: f64,
    pub interval: Option<[f64; 2]>,
    pub is_bad: bool,
}

const LABEL_WIDTH: f64 = 260.0;
const PLOT_WIDTH: f64 = 420.0;
const ROW: f64 = 26.0;

/// Bars from 0 to 1, one below the other, with a line across at `mark`.
pub fn bars(title: &str, bars: &[Bar], mark: Option<f64>) -> String {
    let (width, height) = (LABEL_WIDTH + PLOT_WIDTH + 60.0, ROW * bars.len() as f64 + 8.0);
    let x = |value: f64| LABEL_WIDTH + PLOT_WIDTH * value.clamp(0.0, 1.0);
    let mut out = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\">",
        escaped(title)
    );
    for (i, bar) in bars.iter().enumerate() {
        let (top, middle) = (ROW * i as f64 + 4.0, ROW * i as f64 + ROW / 2.0 + 4.0);
        let class = if bar.is_bad { "bad" } else { "good" };
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect class=\"{class}\" x=\"{LABEL_WIDTH}\" \
             y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            LABEL_WIDTH - 8.0,
            middle + 4.0,
            escaped(&shortened(&bar.label)),
            x(bar.value) - LABEL_WIDTH,
            ROW - 8.0
        );
        if let Some([low, high]) = bar.interval {
            let _ = write!(
                out,
                "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
                x(low),
                x(high)
            );
        }
        let end = bar.interval.map_or(bar.value, |[_, high]| high.max(bar.value));
        let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{:.2}</text>", x(end) + 6.0, middle + 4.0, bar.value);
    }
    if let Some(mark) = mark {
        let _ = write!(out, "<line class=\"mark\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{height}\"/>", x(mark));
    }
    out.push_str("</svg>");
    out
}

/// A label that fits.
fn shortened(label: &str) -> String {
    const MOST: usize = 36;
    if label.chars().count() <= MOST { label.to_owned() } else { label.chars().take(MOST - 1).chain(['…']).collect() }
}

/// A line through points whose x are whole numbers, with one of them marked.
pub fn line(title: &str, points: &[(f64, f64)], marked: f64) -> String {
    const WIDTH: f64 = 680.0;
    const HEIGHT: f64 = 200.0;
    const EDGE: f64 = 30.0;
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max);
    let (left, right) = (least(&mut points.iter().map(|p| p.0)), most(&mut points.iter().map(|p| p.0)));
    let (low, high) = (least(&mut points.iter().map(|p| p.1)).min(0.0), most(&mut points.iter().map(|p| p.1)));
    let x = |value: f64| EDGE + (WIDTH - 2.0 * EDGE) * (value - left) / (right - left).max(1e-9);
    let y = |value: f64| HEIGHT - EDGE - (HEIGHT - 2.0 * EDGE) * (value - low) / (high - low).max(1e-9);
    let path: Vec<String> = points.iter().map(|&(a, b)| format!("{:.1},{:.1}", x(a), y(b))).collect();
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">\
         <polyline class=\"curve\" points=\"{}\"/>",
        escaped(title),
        path.join(" ")
    );
    for &(a, b) in points {
        let class = if a == marked { "chosen" } else { "dot" };
        let _ = write!(
            out,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{a}: {b:.3}</title></circle>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{a}</text>",
            x(a),
            y(b),
            x(a),
            HEIGHT - 8.0
        );
    }
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_breaks_out_of_a_page(text in "\\PC{0,40}", value in -1.0..2.0f64) {
            let bar = Bar { label: text.clone(), value, interval: Some([value - 0.1, value + 0.1]), is_bad: false };
            let drawn = bars(&text, &[bar], Some(0.6));
            // As many signs of markup as without the text.
            let plain = bars("", &[Bar { label: String::new(), value, interval: Some([0.0, 0.0]), is_bad: false }], Some(0.6));
            for sign in ['<', '>', '"'] {
                prop_assert_eq!(drawn.matches(sign).count(), plain.matches(sign).count());
            }
            prop_assert!(!drawn.contains("NaN"));
        }

        #[test]
        fn every_point_of_a_line_lies_within_it(points in prop::collection::vec((2.0..30.0f64, -1.0..1.0f64), 1..9)) {
            let drawn = line("k", &points, points[0].0);
            prop_assert_eq!(drawn.matches("<circle").count(), points.len());
            for part in drawn.split("cy=\"").skip(1) {
                let y: f64 = part.split('"').next().unwrap().parse().unwrap();
                prop_assert!((0.0..=200.0).contains(&y));
            }
        }
    }
}
