//! `clientele export`: who is in which segment, as a file.

use super::client::{Call, Opening, encoded};
use super::{CliError, CliResult, Target};
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Write every customer's segment: customer, segment_id, segment, confidence.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele export --segmentation needs --format csv > segments.csv
  clientele export --segmentation needs --segment s3 --format ndjson --out audience.ndjson

In CSV, a cell that a spreadsheet would take for a formula (= + - @) gets a ' before it; NDJSON is exact.")]
pub struct ExportArgs {
    #[arg(long)]
    segmentation: String,
    #[arg(long, value_enum, default_value = "csv")]
    format: ExportFormat,
    /// Only this segment's customers, by id (s3)
    #[arg(long)]
    segment: Option<String>,
    /// Write here instead of standard output; the file appears when it is whole
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    Csv,
    Ndjson,
}

pub fn run(args: &ExportArgs) -> CliResult {
    let client = args.target.connect(Opening::Read)?;
    let format = match args.format {
        ExportFormat::Csv => "csv",
        ExportFormat::Ndjson => "ndjson",
    };
    let mut path = format!("/v1/segmentations/{}/members?format={format}", encoded(&args.segmentation));
    if let Some(segment) = &args.segment {
        path.push_str(&format!("&segment={}", encoded(segment)));
    }
    let call = Call::get(path);
    match &args.out {
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            client.download(call, &mut out)?;
            out.flush()?;
        }
        Some(file) => {
            let unwritable =
                |error: std::io::Error| CliError::user(format!("{} cannot be written: {error}", file.display()));
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut part = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
            {
                let mut out = BufWriter::new(File::options().write(true).open(part.path()).map_err(unwritable)?);
                client.download(call, &mut out)?;
                out.flush()?;
            }
            part.flush()?;
            part.persist(file).map_err(|error| unwritable(error.error))?;
        }
    }
    Ok(())
}
