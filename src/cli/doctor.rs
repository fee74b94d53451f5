//! `clientele doctor`: what is wrong with a workspace, and what to do about it.

use super::client::{Call, Opening};
use super::{CliResult, Target};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::fmt::Write as _;

/// Look for what is wrong, and say what to do about it.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Data(DataArgs),
}

/// What was found of the facts that came: a table of rules, with examples and mends.
///
/// It tells what came in since the workspace was made. What is done with each rule is set by PUT /v1/quality/rules.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele doctor data --data-dir data
  clientele doctor data --url http://127.0.0.1:7700 --key ck_…
  clientele doctor data --json --data-dir data")]
struct DataArgs {
    /// The report as JSON, as GET /v1/quality gives it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: &DoctorArgs) -> CliResult {
    let What::Data(args) = &args.what;
    let client = args.target.connect(Opening::Read)?;
    let report: Value = client.json(Call::get("/v1/quality"))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", told(&report));
    }
    Ok(())
}

/// The report for people.
fn told(report: &Value) -> String {
    let none = Vec::new();
    let rules = report["rules"].as_array().unwrap_or(&none);
    let (found, quiet): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| total(rule) > 0);
    let n = |name: &str| report["facts"][name].as_u64().unwrap_or_default();
    let mut out = format!("{} reviews, {} events, {} orders\n\n", n("reviews"), n("events"), n("orders"));
    if found.is_empty() {
        out.push_str("Nothing was found.\n");
    } else {
        table(&mut out, &found);
        out.push('\n');
        found.iter().for_each(|rule| mend(&mut out, rule));
    }
    let word = |rule: &&Value, name: &str| rule[name].as_str().unwrap_or_default().to_owned();
    let off: Vec<_> = quiet.iter().filter(|rule| rule["action"] == "off").map(|rule| word(rule, "rule")).collect();
    if !off.is_empty() {
        let _ = writeln!(out, "Not looked for: {}.", off.join(", "));
    }
    out
}

fn total(rule: &Value) -> u64 {
    ["flagged", "mended", "rejected"].iter().filter_map(|name| rule[*name].as_u64()).sum()
}

fn table(out: &mut String, rules: &[&Value]) {
    let _ = writeln!(out, "{:<20} {:>10} {:>10} {:>10}  {:<7} of", "rule", "flagged", "mended", "rejected", "action");
    for rule in rules {
        let n = |name: &str| rule[name].as_u64().unwrap_or_default();
        let text = |name: &str| rule[name].as_str().unwrap_or_default();
        let kinds: Vec<_> = rule["by_kind"].as_object().into_iter().flat_map(|kinds| kinds.keys().cloned()).collect();
        let (flagged, mended, rejected) = (n("flagged"), n("mended"), n("rejected"));
        let (name, action) = (text("rule"), text("action"));
        let _ = writeln!(out, "{name:<20} {flagged:>10} {mended:>10} {rejected:>10}  {action:<7} {}", kinds.join(", "));
    }
}

fn mend(out: &mut String, rule: &Value) {
    let text = |name: &str| rule[name].as_str().unwrap_or_default();
    let _ = writeln!(out, "{}: {}.\n    {}.", text("rule"), text("meaning"), text("advice"));
    let examples = rule["examples"].as_object().into_iter().flatten();
    for (kind, ids) in examples {
        let ids: Vec<_> = ids.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let _ = writeln!(out, "    for example {kind} {}", ids.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(name: &str, flagged: u64, action: &str) -> Value {
        json!({"rule": name, "meaning": "its time is wrong", "advice": "look for clocks", "action": action,
            "flagged": flagged, "mended": 0, "rejected": 0, "by_kind": {"event": {"flagged": flagged}},
            "examples": {"event": ["e1", "e2"]}})
    }

    #[test]
    fn the_report_tells_what_was_found_with_its_mend_and_what_is_not_looked_for() {
        let facts = json!({"reviews": 1, "events": 2, "orders": 0});
        let report = json!({"facts": facts, "rules": [rule("future_time", 2, "flag"), rule("no_item", 0, "off")]});
        let told = told(&report);
        for part in ["1 reviews, 2 events, 0 orders", "future_time", "look for clocks.", "for example event e1, e2"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(told.ends_with("Not looked for: no_item.\n"), "{told}");
        let clean = json!({"facts": facts, "rules": [rule("future_time", 0, "flag")]});
        assert!(super::told(&clean).contains("Nothing was found."));
    }
}
