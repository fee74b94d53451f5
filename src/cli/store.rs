//! `clientele store`: whole stores, copied, looked through, backed up and restored. No client of the API: it works on the store itself.

use super::client::DEFAULT_DATA_DIR;
use super::progress::Phases;
use super::{CliError, CliResult};
use crate::domain::WorkspaceId;
use crate::store::{CopiedWorkspace, CopyOrder, CopyProgress, StorePlace, Verified, backup, copy, restore, verify};
use clap::{Args, Subcommand};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio::runtime::Runtime;

/// Copy, look through, back up and restore whole stores.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele store copy --from data --to postgres://clientele:PASSWORD@db/shop
  clientele store copy --from postgres://clientele:PASSWORD@db/shop --to data --workspace shop --dry-run
  clientele store verify data
  clientele store backup --to /backups/monday.db --data-dir data
  clientele store restore /backups/monday.db --data-dir data")]
pub struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Copy workspaces from one store into another, and compare both
    #[command(after_help = "Examples:
  clientele store copy --from data --to postgres://clientele:PASSWORD@db/shop --dry-run
  clientele store copy --from data --to postgres://clientele:PASSWORD@db/shop
  clientele store copy --from postgres://clientele:PASSWORD@db/shop --to archive --workspace shop

Nothing of a copy is to be seen before both sides have been read and found the same; one that was interrupted
leaves nothing, and the next removes what is left of it. An SQLite store must not be in use.
CLIENTELE_FROM and CLIENTELE_TO keep passwords out of the list of processes.")]
    Copy(CopyArgs),
    /// Look through a whole store: its pages, its references, and what holds between its rows
    #[command(after_help = "Examples:
  clientele store verify data
  clientele store verify postgres://clientele:PASSWORD@db/shop

It changes nothing, and a service may go on meanwhile. Exit code 1: something is damaged.")]
    Verify {
        /// A folder, or postgres://USER:PASSWORD@HOST/DATABASE
        #[arg(env = "CLIENTELE_STORE", hide_env_values = true, value_name = "URL")]
        store: String,
    },
    /// Write an SQLite store into one file, while it is in use
    #[command(after_help = "Example:
  clientele store backup --to /backups/monday.db --data-dir data

The file is the store at one moment. It is synced and looked through before it gets its name.")]
    Backup {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        folder: FolderArgs,
        /// Replace the file if it is there
        #[arg(long)]
        force: bool,
    },
    /// Make a backup the store of a folder
    #[command(after_help = "Examples:
  clientele store restore /backups/monday.db --data-dir data
  clientele store restore /backups/monday.db --data-dir data --force

No service may run on the folder. With --force a store that is there gives way; it stays beside as clientele.db.before-restore-N.")]
    Restore {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        folder: FolderArgs,
        /// Put it in the place of the store that is there
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
struct CopyArgs {
    /// The store to read: a folder, or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, env = "CLIENTELE_FROM", hide_env_values = true, value_name = "URL")]
    from: String,
    /// The store to write into, likewise; a folder's is made if it is not there
    #[arg(long, env = "CLIENTELE_TO", hide_env_values = true, value_name = "URL")]
    to: String,
    /// One workspace instead of all
    #[arg(long, value_name = "SLUG")]
    workspace: Option<String>,
    /// Count and check, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct FolderArgs {
    /// The folder that holds the store
    #[arg(long, env = "CLIENTELE_DATA_DIR", default_value = DEFAULT_DATA_DIR, value_name = "DIR")]
    data_dir: PathBuf,
}

pub fn run(args: &StoreArgs) -> CliResult {
    match &args.command {
        StoreCommand::Copy(args) => run_copy(args),
        StoreCommand::Verify { store } => run_verify(store),
        StoreCommand::Backup { to, folder, force } => {
            let phases = RefCell::new(Phases::new());
            let done = backup(&folder.data_dir, to, *force, &|phase, done, total| {
                phases.borrow_mut().show(phase, done, Some(total));
            });
            phases.borrow().end();
            eprintln!("{} holds the store of {}: {}", to.display(), folder.data_dir.display(), size(done?.n_bytes));
            Ok(())
        }
        StoreCommand::Restore { file, folder, force } => {
            let phases = RefCell::new(Phases::new());
            let done = restore(file, &folder.data_dir, *force, &|phase, done, total| {
                phases.borrow_mut().show(phase, done, Some(total));
            });
            phases.borrow().end();
            let done = done?;
            eprintln!("{} is the store of {} now: {}", file.display(), folder.data_dir.display(), size(done.n_bytes));
            if let Some(aside) = done.set_aside {
                eprintln!("what was there before is in {}", aside.display());
            }
            Ok(())
        }
    }
}

fn place(text: &str, flag: &str) -> CliResult<StorePlace> {
    StorePlace::parse(Some(text), Path::new(DEFAULT_DATA_DIR))
        .map_err(|error| CliError::user(format!("{flag}: {}", error.to_string().replace("named by --store ", ""))))
}

fn run_copy(args: &CopyArgs) -> CliResult {
    let workspace = args.workspace.as_deref().map(WorkspaceId::parse).transpose();
    let order = CopyOrder {
        from: place(&args.from, "--from")?,
        to: place(&args.to, "--to")?,
        workspace: workspace.map_err(|error| CliError::user(error.to_string()))?,
        is_dry: args.dry_run,
    };
    let phases = Mutex::new(Phases::new());
    let show = |progress: CopyProgress| {
        if let Ok(mut phases) = phases.lock() {
            phases.show(progress.phase, progress.done, Some(progress.total));
        }
    };
    let copied = Runtime::new()?.block_on(copy(&order, &show));
    if let Ok(phases) = phases.lock() {
        phases.end();
    }
    let copied = copied?;
    print!("{}", table(&copied));
    let n_rows: u64 = copied.iter().flat_map(|one| &one.tables).map(|table| table.n_rows).sum();
    let what = if args.dry_run {
        "would be copied; the target has none of these workspaces"
    } else {
        "copied and compared: both sides are the same"
    };
    eprintln!("{n_rows} rows of {} workspaces {what}", copied.len());
    let n_waiting: usize = copied.iter().map(|one| one.n_waiting_imports).sum();
    if n_waiting > 0 {
        eprintln!(
            "{n_waiting} unfinished imports go on where their files are: run the service with the same --data-dir"
        );
    }
    Ok(())
}

/// One line a table that has rows: how many, and the digest that both sides have.
fn table(copied: &[CopiedWorkspace]) -> String {
    let mut lines = String::from("workspace\ttable\trows\tsha256\n");
    for one in copied {
        for table in one.tables.iter().filter(|table| table.n_rows > 0) {
            let digest = table.sum.as_ref().map_or_else(String::new, |sum| {
                sum.sha256.iter().take(8).fold(String::new(), |mut hex, byte| {
                    // Writing to a String cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                    hex
                })
            });
            let _ = writeln!(lines, "{}\t{}\t{}\t{digest}", one.workspace, table.name, table.n_rows);
        }
    }
    lines
}

fn run_verify(store: &str) -> CliResult {
    let place = place(store, "the store")?;
    let phases = Mutex::new(Phases::new());
    let show = |says: &'static str| {
        if let Ok(mut phases) = phases.lock() {
            phases.show(says, 0, None);
        }
    };
    let found = Runtime::new()?.block_on(async { verify(&place, &show).await });
    if let Ok(phases) = phases.lock() {
        phases.end();
    }
    let Verified { schema, checks, n_unfinished_copies } = found?;
    for check in &checks {
        match check.n_wrong {
            0 => println!("ok\t{}", check.says),
            n => println!("WRONG\t{}: not so {n} times", check.says),
        }
    }
    if n_unfinished_copies > 0 {
        eprintln!(
            "{n_unfinished_copies} copies were interrupted; nobody sees them, and the next copy into this store removes them"
        );
    }
    let n_wrong = checks.iter().filter(|check| check.n_wrong > 0).count();
    if n_wrong > 0 {
        return Err(CliError::Broken(anyhow::anyhow!(
            "{n_wrong} of {} checks failed; restore the store from a backup",
            checks.len()
        )));
    }
    eprintln!("the store is sound: schema {schema}, {} checks", checks.len());
    Ok(())
}

fn size(n_bytes: u64) -> String {
    format!("{:.1} MiB", n_bytes as f64 / 1_048_576.0)
}
