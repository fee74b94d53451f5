//! `clientele import`: a file of reviews or events into the store.

use super::client::{Call, Client, Opening, Payload, encoded};
use super::import_profile::{self, Paint};
use super::progress::{JobView, follow};
use super::{CliError, CliResult, Target};
use crate::ingest::{Format, Kind, Mapping, profile};
use clap::Args;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Import reviews, events, customers, orders or items from a file: CSV, NDJSON or Parquet.
///
/// Interrupted, the same command goes on where it stopped: the file is known by its content. Rows that are wrong are told
/// with their line and left out; all others are kept. Files compressed with gzip or zstd are taken as they are. The same file
/// twice is the same facts once, with or without ids of its own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele import --dry-run reviews.csv                 what is in the file, and the command that imports it
  clientele import --kind reviews --customer user_id --text body --rating stars --time written reviews.csv
  clientele import --kind reviews --customer user_id --text body --dry-run reviews.ndjson
  clientele import --kind orders --customer customer_id --time date --total dollar_value --currency-code USD orders.csv.gz
  clientele import --kind orders --id order --customer buyer --item sku --quantity n --price each lines.parquet
  clientele import --kind events --customer user_id --event event --time timestamp clicks.csv.gz
  clientele import --kind events --customer student --event-name 'Lecture Rated' ratings.parquet
  clientele import --kind events --customer user_id --event event --rejects wrong.ndjson clicks.csv
  clientele import --kind items --name Title --category 'Sub Category' --price Price --currency-code USD items.csv
  clientele import --kind customers --customer account_id accounts.csv
  clientele import --kind customers --customer id --time asked_at --consent-marketing newsletter optins.csv
  clientele import --kind events --url http://127.0.0.1:7700 --key ck_… calls.ndjson")]
pub struct ImportArgs {
    /// reviews, events, customers, orders or items; a dry run proposes it where it is left out
    #[arg(long, required_unless_present = "dry_run")]
    kind: Option<String>,
    /// csv, ndjson or parquet [default: by the file's name]
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    columns: Columns,
    /// Read the whole file, say what is in it and what is wrong with it, and propose the columns; write nothing
    #[arg(long)]
    dry_run: bool,
    /// All that a dry run learned, as JSON
    #[arg(long, requires = "dry_run")]
    json: bool,
    /// Write the rows that are left out to this file: NDJSON with line, column, code, message and the raw row
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Import the file again even if it was imported before
    #[arg(long)]
    again: bool,
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Which column or field holds what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Columns")]
struct Columns {
    /// The column or field with the customer's id
    #[arg(long, value_name = "COL")]
    customer: Option<String>,
    /// … with the words (reviews)
    #[arg(long, value_name = "COL")]
    text: Option<String>,
    /// … with the id of the review, event or order itself [default: made of the content]
    #[arg(long, value_name = "COL")]
    id: Option<String>,
    /// … with the item's id (reviews, orders)
    #[arg(long, value_name = "COL")]
    item: Option<String>,
    /// … with the rating, a number (reviews)
    #[arg(long, value_name = "COL")]
    rating: Option<String>,
    /// … with the time (RFC 3339, YYYY-MM-DD, Unix seconds or milliseconds)
    #[arg(long, value_name = "COL")]
    time: Option<String>,
    /// … with the language's code, such as zh (reviews) [default: found in the words]
    #[arg(long, value_name = "COL")]
    language: Option<String>,
    /// … with the event's name (events)
    #[arg(long, value_name = "COL")]
    event: Option<String>,
    /// The name of all events in the file, where no column holds it
    #[arg(long, value_name = "NAME")]
    event_name: Option<String>,
    /// The column or field with what was paid for the whole order (orders)
    #[arg(long, value_name = "COL")]
    total: Option<String>,
    /// … with the currency (orders)
    #[arg(long, value_name = "COL")]
    currency: Option<String>,
    /// The currency where no column holds one, such as EUR
    #[arg(long, value_name = "CODE")]
    currency_code: Option<String>,
    /// The column or field with what was taken off the order (orders)
    #[arg(long, value_name = "COL")]
    discount: Option<String>,
    /// … with how many of the item (orders)
    #[arg(long, value_name = "COL")]
    quantity: Option<String>,
    /// … with the price of one (orders)
    #[arg(long, value_name = "COL")]
    price: Option<String>,
    /// … with the item's category (orders)
    #[arg(long, value_name = "COL")]
    category: Option<String>,
    /// … with the item's name (items)
    #[arg(long, value_name = "COL")]
    name: Option<String>,
    /// … with its description (items)
    #[arg(long, value_name = "COL")]
    description: Option<String>,
    /// … with the order's lines: a JSON list of objects with item, quantity, price, category (orders)
    #[arg(long, value_name = "COL")]
    lines: Option<String>,
    /// … with whether the customer allows analytics: true or false, yes or no, granted or withdrawn (customers)
    #[arg(long, value_name = "COL")]
    consent_analytics: Option<String>,
    /// … with whether they allow marketing (customers)
    #[arg(long, value_name = "COL")]
    consent_marketing: Option<String>,
    /// … with whether they allow profiling (customers)
    #[arg(long, value_name = "COL")]
    consent_profiling: Option<String>,
}

impl Columns {
    fn mapping(&self) -> Mapping {
        Mapping {
            customer: self.customer.clone(),
            text: self.text.clone(),
            id: self.id.clone(),
            item: self.item.clone(),
            rating: self.rating.clone(),
            time: self.time.clone(),
            language: self.language.clone(),
            event: self.event.clone(),
            event_name: self.event_name.clone(),
            total: self.total.clone(),
            currency: self.currency.clone(),
            currency_code: self.currency_code.clone(),
            discount: self.discount.clone(),
            quantity: self.quantity.clone(),
            price: self.price.clone(),
            category: self.category.clone(),
            lines: self.lines.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            consent_analytics: self.consent_analytics.clone(),
            consent_marketing: self.consent_marketing.clone(),
            consent_profiling: self.consent_profiling.clone(),
        }
    }
}

pub fn run(args: &ImportArgs) -> CliResult {
    let kind = args.kind.as_deref().map(str::parse::<Kind>).transpose();
    let kind = kind.map_err(|error| CliError::user(format!("--kind: {error}")))?;
    let format = match &args.format {
        Some(format) => format.parse::<Format>().map_err(|error| CliError::user(format!("--format: {error}")))?,
        None => Format::of_path(&args.file).map_err(|error| CliError::user(format!("{error} with --format")))?,
    };
    let mapping = args.columns.mapping();
    // What a dry run is not told it proposes.
    if let Some(kind) = kind.filter(|_| !args.dry_run) {
        let missing = |error| CliError::user(format!("{error}; name them with --customer COL, or see --dry-run"));
        mapping.check(kind, format).map_err(missing)?;
    }
    let fingerprint = fingerprint(&args.file)?;
    let client = args.target.connect(Opening::Import)?;
    let path = path(args, &mapping, kind, format);
    let (job, report) = import(&client, args, &path, &fingerprint)?;
    if args.dry_run && !args.json {
        let command = command(args, &report, format);
        print!(
            "{}",
            import_profile::told(&report, &args.file.to_string_lossy(), command.as_deref(), Paint::of_stdout())
        );
    } else {
        print_report(&report, args.dry_run);
    }
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    if let Some(file) = &args.rejects {
        write_rejects(&client, &job, file, count("rejected"))?;
    }
    if count("rows") > 0 && count("rejected") == count("rows") {
        return Err(CliError::user("every row was rejected; the mapping of columns is the first thing to look at"));
    }
    Ok(())
}

/// Sends the file, unless an earlier run's job for the same content and mapping stands, and follows the job.
fn import(client: &Client, args: &ImportArgs, path: &str, fingerprint: &str) -> CliResult<(String, Value)> {
    let nonce = if args.again || args.dry_run { format!(":{}", uuid::Uuid::now_v7()) } else { String::new() };
    for attempt in 1.. {
        let mut key = Sha256::new();
        key.update(path);
        let key = format!("import:{fingerprint}:{}:{attempt}{nonce}", hex(&key.finalize()[..8]));
        let call = Call { idempotency_key: Some(key), ..Call::post(path, Payload::File(&args.file)) };
        let job: JobView = client.json(call)?;
        // A job that failed or was cancelled is done with; the facts it took are known again, so a new one may start over.
        if matches!(job.state.as_str(), "failed" | "cancelled") {
            continue;
        }
        if job.state == "succeeded" {
            eprintln!("this file was imported before by job {}; --again imports it once more", job.id);
        }
        let id = job.id.clone();
        return Ok((id, follow(client, job)?));
    }
    Err(CliError::user("too many earlier imports of this file failed"))
}

fn path(args: &ImportArgs, mapping: &Mapping, kind: Option<Kind>, format: Format) -> String {
    let file_name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut path = format!("/v1/imports?format={}", format.name());
    let constants = [
        ("kind", kind.map(Kind::name)),
        ("event_name", mapping.event_name.as_deref()),
        ("currency_code", mapping.currency_code.as_deref()),
        ("file_name", file_name.as_deref()),
    ];
    let constants = constants.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in mapping.names().chain(constants) {
        // Writing to a String cannot fail.
        let _ = write!(path, "&{name}={}", encoded(value));
    }
    if args.dry_run {
        path.push_str("&dry_run=true");
    }
    path
}

/// What imports the file as it was checked, with the file and the service called as this command called them.
fn command(args: &ImportArgs, report: &Value, format: Format) -> Option<String> {
    let read_as = report.get("read_as").filter(|read_as| !read_as.is_null())?;
    let kind = read_as["kind"].as_str()?.parse::<Kind>().ok()?;
    let mapping: Mapping = serde_json::from_value(read_as["mapping"].clone()).ok()?;
    let mut command = profile::command(kind, &mapping, format, &args.file.to_string_lossy());
    let target = &args.target;
    let data_dir = target.data_dir.as_ref().map(|folder| folder.to_string_lossy().into_owned());
    let workspace = Some(target.workspace.clone()).filter(|name| name != "default");
    for (flag, value) in [("data-dir", data_dir), ("url", target.url.clone()), ("workspace", workspace)] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(command, " --{flag} {}", profile::quoted(&value));
        }
    }
    Some(command)
}

/// They are personal data: the file is for its owner alone.
fn write_rejects(client: &Client, job: &str, path: &Path, n_rows: u64) -> CliResult {
    let unwritable = |error: std::io::Error| CliError::user(format!("--rejects {}: {error}", path.display()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(unwritable)?;
    if n_rows > 0 {
        client.download(Call::get(format!("/v1/imports/{job}/rejects")), &mut file)?;
    }
    eprintln!("{n_rows} rejected rows are in {}", path.display());
    Ok(())
}

/// The SHA-256 of the file's content.
fn fingerprint(path: &Path) -> CliResult<String> {
    let unreadable = |error: std::io::Error| CliError::user(format!("{} cannot be read: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(CliError::user(format!("{} is a folder; name a file", path.display())));
    }
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(unreadable)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A summary on standard error; the whole report, as JSON, on standard output.
fn print_report(report: &Value, dry_run: bool) {
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let verb = if dry_run { "would be accepted" } else { "accepted" };
    eprintln!(
        "{} rows: {} {verb}, {} replaced, {} already there, {} rejected",
        count("rows"),
        count("accepted"),
        count("replaced"),
        count("duplicate"),
        count("rejected")
    );
    for error in report.get("errors").and_then(Value::as_array).into_iter().flatten().take(20) {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = error.get("line").and_then(Value::as_u64).unwrap_or(0);
        let column = if text("column").is_empty() { String::new() } else { format!(" {}:", text("column")) };
        eprintln!("  line {line}:{column} {}", text("message"));
    }
    println!("{report}");
}
