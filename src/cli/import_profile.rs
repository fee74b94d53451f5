//! A dry run for people: the columns in a table, what is odd about them, what they could be, and the command to run next.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::IsTerminal;
use unicode_width::UnicodeWidthStr;

/// Whether colours are used: on a terminal, where nobody asked for none.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    pub fn of_stdout() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb)
    }

    fn bold(self, text: &str) -> String {
        self.in_code(text, "1")
    }

    fn warning(self, text: &str) -> String {
        self.in_code(text, "33")
    }

    fn in_code(self, text: &str, code: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Problems that stop rows or change their meaning; the others are to be known.
const GRAVE: [&str; 7] = [
    "bad_utf8",
    "garbled_text",
    "mixed_types",
    "repeated_ids",
    "time_form_not_taken",
    "personal_data",
    "rating_out_of_scale",
];

/// The report of a dry run as text.
pub fn told(report: &Value, file: &str, command: Option<&str>, paint: Paint) -> String {
    let profile = &report["profile"];
    let mut out = String::new();
    head(&mut out, profile, file, paint);
    columns(&mut out, profile, paint);
    problems(&mut out, profile, paint);
    proposal(&mut out, report, paint);
    checked(&mut out, report, paint);
    match command {
        Some(command) => line(&mut out, &format!("{}\n  {command}", paint.bold("To import it so"))),
        None => line(&mut out, "The file fits no kind as it is; name its columns yourself (clientele import --help)"),
    }
    out
}

/// Writing to a String cannot fail.
fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

fn head(out: &mut String, profile: &Value, file: &str, paint: Paint) {
    let n_columns = list(&profile["columns"]).len();
    line(out, &format!("{}: {} rows, {n_columns} columns", paint.bold(&safe(file)), number(&profile["rows"])));
    let duplicates = &profile["duplicate_rows"];
    if duplicates["n"].as_u64().unwrap_or(0) > 0 {
        let about = if duplicates["is_exact"] == true { "" } else { "about " };
        let lines = lines_text(&duplicates["lines"]);
        let text = format!("{about}{} rows say what an earlier row says{lines}", number(&duplicates["n"]));
        line(out, &paint.warning(&text));
    }
    for (code, place) in profile["unreadable_rows"].as_object().into_iter().flatten() {
        let text = format!("{} rows cannot be read: {code}{}", number(&place["n"]), lines_text(&place["lines"]));
        line(out, &paint.warning(&text));
    }
    if profile["columns_left_out"].as_u64().unwrap_or(0) > 0 {
        line(
            out,
            &paint.warning(&format!("{} further columns were not looked at", number(&profile["columns_left_out"]))),
        );
    }
    for note in list(&profile["notes"]) {
        line(out, &paint.warning(&safe(note.as_str().unwrap_or_default())));
    }
    line(out, "");
}

fn columns(out: &mut String, profile: &Value, paint: Paint) {
    let mut rows = vec![["column", "type", "missing", "different", "what is in it"].map(str::to_owned)];
    for column in list(&profile["columns"]) {
        let about = if column["distinct"]["is_exact"] == true { "" } else { "~" };
        rows.push([
            cut(&safe(column["name"].as_str().unwrap_or_default()), 28),
            text(&column["type"]).replace('_', " "),
            missing(&column["missing"]),
            format!("{about}{}", number(&column["distinct"]["n"])),
            content(column),
        ]);
    }
    table(out, &rows, &[2, 3], paint);
    line(out, "");
}

fn missing(missing: &Value) -> String {
    let share = missing["share"].as_f64().unwrap_or(0.0);
    match missing["n"].as_u64() {
        None | Some(0) => "-".to_owned(),
        Some(n) if share < 0.001 => n.to_string(),
        Some(_) => percent(share),
    }
}

/// The most telling thing about a column, in one line.
fn content(column: &Value) -> String {
    let told = if let Some(times) = column.get("times") {
        let day = |moment: &Value| text(moment).get(..10).unwrap_or_default().to_owned();
        format!("{} to {}, written {}", day(&times["first"]), day(&times["last"]), text(&times["form"]))
    } else if let Some(numbers) = column.get("numbers") {
        let n = |name: &str| short(&numbers[name]);
        let currency = column.get("currency").map(|currency| format!(" {}", text(currency))).unwrap_or_default();
        format!("{} to {}, median {}, p95 {}{currency}", n("min"), n("max"), n("median"), n("p95"))
    } else if !list(&column["top"]).is_empty() {
        let top = list(&column["top"]).iter().take(3);
        top.map(|top| format!("{} ({})", safe(&text(&top["value"])), number(&top["n"]))).collect::<Vec<_>>().join(", ")
    } else if let Some([least, median, most]) = column.get("lengths").and_then(Value::as_array).map(Vec::as_slice) {
        let language = column.get("language").map(|language| format!(", {}", text(language))).unwrap_or_default();
        format!("{} to {} characters, median {}{language}", short(least), short(most), short(median))
    } else {
        String::new()
    };
    cut(&told, 60)
}

fn problems(out: &mut String, profile: &Value, paint: Paint) {
    let all = list(&profile["columns"]);
    let all: Vec<_> =
        all.iter().flat_map(|column| list(&column["problems"]).iter().map(move |problem| (column, problem))).collect();
    if all.is_empty() {
        return;
    }
    line(out, &paint.bold("To look at"));
    for (column, problem) in all {
        let share = problem["share"].as_f64().unwrap_or(0.0);
        let name = safe(&text(&column["name"]));
        let told =
            format!("  {name}: {} ({}) {}", number(&problem["n"]), percent(share), safe(&text(&problem["message"])));
        let is_grave = GRAVE.iter().any(|code| problem["code"] == *code);
        line(out, &if is_grave { paint.warning(&told) } else { told });
        let examples = list(&problem["examples"]).iter();
        let examples: Vec<_> =
            examples.map(|example| format!("line {} {}", example["line"], safe(&text(&example["value"])))).collect();
        if !examples.is_empty() {
            line(out, &format!("      {}", cut(&examples.join("; "), 110)));
        }
    }
    line(out, "");
}

fn proposal(out: &mut String, report: &Value, paint: Paint) {
    let read_as = &report["read_as"];
    let proposals = list(&report["profile"]["proposals"]);
    let Some(proposal) = proposals.iter().find(|proposal| proposal["kind"] == read_as["kind"]) else { return };
    if read_as["is_proposed"] != true {
        return;
    }
    let others: Vec<_> = proposals
        .iter()
        .filter(|other| other["kind"] != read_as["kind"] && other["is_complete"] == true)
        .map(|other| format!("{} {}", text(&other["kind"]), percent(other["sure"].as_f64().unwrap_or(0.0))))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!("; else {}", others.join(", ")) };
    let sure = percent(proposal["sure"].as_f64().unwrap_or(0.0));
    line(out, &format!("{} {} ({sure} sure{others})", paint.bold("It looks like"), text(&proposal["kind"])));
    let mapped = &read_as["mapping"];
    let fields = list(&proposal["fields"]).iter().filter(|field| mapped[text(&field["role"])] == field["column"]);
    let row = |field: &Value| {
        let sure = percent(field["sure"].as_f64().unwrap_or(0.0));
        [format!("  --{}", text(&field["role"])), safe(&text(&field["column"])), sure, text(&field["why"])]
    };
    table(out, &fields.map(row).collect::<Vec<_>>(), &[2], Paint(false));
    for note in list(&proposal["notes"]) {
        line(out, &format!("  {}", paint.warning(&safe(&text(note)))));
    }
    line(out, "");
}

fn checked(out: &mut String, report: &Value, paint: Paint) {
    let Some(kind) = report["read_as"]["kind"].as_str() else { return };
    let told = format!(
        "Read as {kind}, of {} rows {} would be taken, {} are further lines of an order, {} would be left out",
        number(&report["rows"]),
        number(&report["accepted"]),
        number(&report["grouped"]),
        number(&report["rejected"]),
    );
    line(out, &told.replace(", 0 are further lines of an order", ""));
    for (code, n) in report["rejected_by_code"].as_object().into_iter().flatten() {
        line(out, &paint.warning(&format!("  {} {code}", number(n))));
        for error in list(&report["errors"]).iter().filter(|error| error["code"] == code.as_str()).take(3) {
            let column = error["column"].as_str().map(|column| format!("{}: ", safe(column))).unwrap_or_default();
            line(out, &format!("      line {}: {column}{}", error["line"], safe(&text(&error["message"]))));
        }
    }
    line(out, "");
}

/// Rows under their heading, as wide as their widest cell; the `right` columns to the right.
fn table<const N: usize>(out: &mut String, rows: &[[String; N]], right: &[usize], paint: Paint) {
    let width = |at: usize| rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for (i, row) in rows.iter().enumerate() {
        let mut told = String::new();
        for (at, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[at] - cell.width());
            let _ = if right.contains(&at) { write!(told, "{space}{cell}  ") } else { write!(told, "{cell}{space}  ") };
        }
        let told = told.trim_end();
        line(out, &if i == 0 { paint.bold(told) } else { told.to_owned() });
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// With commas between groups of three digits.
fn number(value: &Value) -> String {
    let digits = value.as_u64().unwrap_or(0).to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn short(value: &Value) -> String {
    let number = value.as_f64().unwrap_or(0.0);
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    if rounded.abs() >= 1e15 { format!("{rounded:e}") } else { rounded.to_string() }
}

fn percent(share: f64) -> String {
    let share = share * 100.0;
    if share > 0.0 && share < 1.0 { format!("{share:.1} %") } else { format!("{share:.0} %") }
}

fn lines_text(lines: &Value) -> String {
    let lines: Vec<_> = list(lines).iter().map(Value::to_string).collect();
    if lines.is_empty() { String::new() } else { format!(" (lines {}, …)", lines.join(", ")) }
}

/// Without what a terminal would act on: the file's words are not ours.
fn safe(text: &str) -> String {
    let is_acted_on = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_acted_on(c) { '\u{fffd}' } else { c }).collect()
}

fn cut(text: &str, n_columns: usize) -> String {
    if text.width() <= n_columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + 2 > n_columns {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}
