//! The report as one web page: figures, plots, and nothing that has to be fetched.

use super::html::{Bar, bars, escaped, line};
use crate::domain::UNSTABLE_BELOW;
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1d2529}\
table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #d8dee1}\
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto;font-size:13px}rect.good{fill:#2f7d6b}\
rect.bad{fill:#b3403a}.whisker{stroke:#1d2529;stroke-width:2}.mark{stroke:#b3403a;stroke-dasharray:4 4}\
.curve{fill:none;stroke:#2f7d6b;stroke-width:2}.dot{fill:#2f7d6b}.chosen{fill:#b3403a}.quiet{color:#58626a}.unstable{color:#a1322f;font-weight:600}";

/// Names, fields, and what they mean, of figures with an interval.
const QUALITY: [(&str, &str, &str); 5] = [
    ("Silhouette", "silhouette", "-1 to 1; how much nearer customers are to their own segment than to the next"),
    ("Davies-Bouldin", "davies_bouldin", "lower is better, 0 the least"),
    ("Caliński-Harabasz", "calinski_harabasz", "higher is better"),
    ("Largest segment", "largest_share", "share of all customers; near 1 a segmentation says nothing"),
    ("Stability", "stability", "share of customers who keep their segment in refits on resampled customers"),
];
const AGREEMENT: [(&str, &str, &str); 6] = [
    ("V-measure", "v_measure", "harmonic mean of the next two"),
    ("Homogeneity", "homogeneity", "1: each segment holds one label"),
    ("Completeness", "completeness", "1: each label lies in one segment"),
    ("Adjusted Rand index", "ari", "0 by chance, 1 the same grouping"),
    ("Mutual information", "nmi", "over the mean of the entropies"),
    ("Accuracy", "accuracy", "segments and labels matched one to one"),
];
const PREDICTION: [(&str, &str, &str); 2] = [
    ("R²", "r2", "share of the outcome's variance that the others of the segment explain"),
    ("Rank correlation", "rank_correlation", "Spearman's, of the segment's mean and the outcome"),
];

/// The whole page.
pub fn page(panel: &Value) -> String {
    let name = escaped(panel["segmentation"].as_str().unwrap_or_default());
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{name}: how good the segments are</title>\
         <style>{STYLE}</style><h1>{name}, version {}</h1><p>{} customers in {} segments. Intervals are 95 %, over other \
         customers of the same kind.</p>",
        panel["version"],
        panel["n_customers"],
        segments(panel).len()
    );
    let quality = &panel["quality"];
    let of_quality = |field: &str| quality.pointer(&format!("/intervals/{field}"));
    out.push_str("<h2>Quality</h2>");
    out.push_str(&table(&QUALITY, quality, &|field| of_quality(field).and_then(pair)));
    out.push_str(
        "<h2>Segments</h2><p class=\"quiet\">Stability: the mean Jaccard index of a segment with its best match in \
                  refits on resampled customers. Below 0.6 (the line) it is unstable.</p>",
    );
    out.push_str(&bars("Stability of each segment", &stabilities(panel), Some(UNSTABLE_BELOW)));
    out.push_str(&segment_table(panel));
    out.push_str(&candidates(quality));
    for (title, field, rows) in
        [("Agreement with labels", "agreement", &AGREEMENT[..]), ("The next period", "prediction", &PREDICTION[..])]
    {
        if let Some(figures) = panel.get(field) {
            let _ = write!(out, "<h2>{title}</h2><p>{} customers.</p>", figures["n_customers"]);
            out.push_str(&table(rows, figures, &|name| pair(&figures[format!("{name}_interval")])));
        }
    }
    out.push_str("</html>\n");
    out
}

fn segments(panel: &Value) -> &[Value] {
    panel["segments"].as_array().map_or(&[], Vec::as_slice)
}

fn pair(value: &Value) -> Option<[f64; 2]> {
    Some([value.get(0)?.as_f64()?, value.get(1)?.as_f64()?])
}

fn shown(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn table(rows: &[(&str, &str, &str)], figures: &Value, interval: &dyn Fn(&str) -> Option<[f64; 2]>) -> String {
    let mut out = String::from("<table><tr><th>Figure<th>Value<th>Interval<th>What it says</tr>");
    for (name, field, meaning) in rows {
        let value = figures[field].as_f64().map_or_else(|| "–".to_owned(), shown);
        let between =
            interval(field).map(|[low, high]| format!("{} to {}", shown(low), shown(high))).unwrap_or_default();
        let _ = write!(
            out,
            "<tr><td>{name}<td class=\"n\">{value}<td class=\"n\">{between}<td class=\"quiet\">{meaning}</tr>"
        );
    }
    out.push_str("</table>");
    out
}

fn stabilities(panel: &Value) -> Vec<Bar> {
    let bar = |segment: &Value| Bar {
        label: segment["name"].as_str().unwrap_or_default().to_owned(),
        value: segment["stability"].as_f64().unwrap_or_default(),
        interval: pair(&segment["stability_interval"]),
        is_bad: segment["unstable"] == true,
    };
    segments(panel).iter().map(bar).collect()
}

fn segment_table(panel: &Value) -> String {
    let mut out = String::from("<table><tr><th>Segment<th>Name<th>Customers<th>Share<th>Cohesion<th>Stability</tr>");
    for segment in segments(panel) {
        let figure = |field: &str| segment[field].as_f64().map_or_else(|| "–".to_owned(), shown);
        let mark = if segment["unstable"] == true { " <span class=\"unstable\">unstable</span>" } else { "" };
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}{mark}</tr>",
            escaped(segment["id"].as_str().unwrap_or_default()),
            escaped(segment["name"].as_str().unwrap_or_default()),
            segment["size"],
            figure("share"),
            figure("cohesion"),
            figure("stability")
        );
    }
    out.push_str("</table>");
    out
}

/// What was tried for k, where it was chosen.
fn candidates(quality: &Value) -> String {
    let tried = quality["candidates"].as_array().map_or(&[][..], Vec::as_slice);
    let point = |candidate: &Value| Some((candidate["k"].as_f64()?, candidate["score"].as_f64()?));
    let points: Vec<(f64, f64)> = tried.iter().filter_map(point).collect();
    if points.is_empty() {
        return String::new();
    }
    let chosen = quality["k"].as_f64().unwrap_or_default();
    let title = "Silhouette times stability of each number of segments";
    format!("<h2>The number of segments</h2><p class=\"quiet\">{title}.</p>{}", line(title, &points, chosen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_holds_every_figure_and_runs_nothing() {
        let panel = json!({
            "segmentation": "needs <b>", "version": 3, "n_customers": 1200,
            "quality": {
                "silhouette": 0.25, "davies_bouldin": 1.5, "calinski_harabasz": 312.4, "largest_share": 0.4, "stability": 0.9, "k": 2,
                "intervals": {"silhouette": [0.2, 0.3]},
                "candidates": [{"k": 2, "score": 0.3}, {"k": 3, "score": 0.2}],
            },
            "segments": [
                {"id": "s1", "name": "<script>alert(1)</script>", "size": 700, "share": 0.6, "cohesion": 0.5, "stability": 0.95,
                    "stability_interval": [0.9, 1.0], "unstable": false},
                {"id": "s2", "name": "tea", "size": 500, "share": 0.4, "cohesion": 0.4, "stability": 0.41, "unstable": true},
            ],
            "agreement": {"n_customers": 900, "v_measure": 0.7, "v_measure_interval": [0.65, 0.75]},
            "prediction": {"n_customers": 800, "r2": 0.2, "rank_correlation": 0.5},
        });
        let page = page(&panel);
        for part in [
            "0.250",
            "0.200 to 0.300",
            "312",
            "unstable</span>",
            "0.650 to 0.750",
            "900 customers",
            "800 customers",
            "0.500",
            "<circle",
        ] {
            assert!(page.contains(part), "{part} is missing");
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"), "{page}");
        assert_eq!(page.matches("unstable</span>").count(), 1);
        // A panel with nothing in it is a page all the same.
        assert!(super::page(&json!({})).ends_with("</html>\n"));
    }
}
