//! `clientele demo`: a sample shop through the public API, from nothing to a running service on real segments.

use super::client::{Call, Client, Payload, Remote};
use super::fit::print_summary;
use super::progress::{JobView, Phases, follow};
use super::serve::{bind, parse_address, stop_signal};
use super::{CliError, CliResult, ModelArgs, evaluate};
use crate::api::Limits;
use crate::api::server::{ServerSettings, serve};
use crate::app::{App, AppSettings, JobSettings};
use crate::demo::{ShopFiles, ShopSettings, write_shop};
use crate::domain::WorkspaceId;
use crate::embed::{self, Presence};
use crate::ingest::Vocabulary;
use crate::store::StorePlace;
use clap::Args;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The demo's segmentation.
const SEGMENTATION: &str = "needs";
/// Understands Chinese and English: where it is there, the sample shop has Chinese customers too.
const MULTILINGUAL: &str = "multilingual-e5-small";

/// Make a sample shop, import it, fit it, name its segments, and serve them.
///
/// The shop's customers grow from six planted personas; the demo ends by saying how well the segments recover them. A second
/// run starts from what is there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele demo
  clientele demo --customers 1000 --listen 127.0.0.1:8080
  clientele demo --model ./multilingual-e5-small-zh-en     Chinese and English reviews
  clientele demo --exit                                    make the look-ups, show the answers, stop")]
pub struct DemoArgs {
    /// The demo's own folder: the sample files and a store of its own
    #[arg(long, env = "DEMO_DIR", default_value = ".demo", value_name = "DIR")]
    dir: PathBuf,
    #[arg(long, env = "DEMO_LISTEN", default_value = "127.0.0.1:7700")]
    listen: String,
    #[arg(long, env = "DEMO_CUSTOMERS", default_value_t = 3000)]
    customers: usize,
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// [default: multilingual-e5-small if it is in the models' folder, else all-MiniLM-L6-v2]
    #[arg(long, env = "DEMO_MODEL")]
    model: Option<String>,
    /// Make three look-ups, show the answers, stop (DEMO_EXIT=1)
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    models: ModelArgs,
}

/// What the demo settled on.
struct Plan {
    model: String,
    chinese: bool,
    data_dir: PathBuf,
    sample_dir: PathBuf,
}

pub fn run(args: &DemoArgs) -> CliResult {
    if args.customers < 100 {
        return Err(CliError::user("--customers: a shop with fewer than 100 customers shows nothing"));
    }
    let exit = args.exit || std::env::var("DEMO_EXIT").is_ok_and(|value| value == "1");
    let plan = plan(args)?;
    let files = sample(args, &plan)?;
    super::models::ensure(&plan.model, &args.models)?;
    let address = parse_address(&args.listen)?;
    if !address.ip().is_loopback() {
        return Err(CliError::user("--listen: the demo has no keys and stays on loopback"));
    }
    let runtime = Runtime::new()?;
    let settings = AppSettings {
        store: StorePlace::Folder(plan.data_dir.clone()),
        data_dir: plan.data_dir.clone(),
        models: args.models.settings()?,
        loopback: true,
        workspace: WorkspaceId::parse("default").map_err(|error| CliError::user(error.to_string()))?,
        resume_jobs: true,
        jobs: JobSettings::default(),
        limits: Limits::default(),
        vocabulary: Arc::new(Vocabulary::standard()),
    };
    let (app, listener) = runtime.block_on(async {
        let listener = bind(address).await?;
        Ok::<_, CliError>((App::open(settings).await?, listener))
    })?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let wait = async move {
        tokio::select! {
            () = stop_signal() => {}
            // The sender was used, or is gone: both mean stop.
            _ = stopped => {}
        }
    };
    let server = runtime.spawn(serve(listener, app.router(), ServerSettings::default(), wait));
    let client = Client::Remote(Remote::new(&format!("http://{address}"), None)?);
    fill(&client, &plan, &files)?;
    announce(&client, address, &files)?;
    if exit {
        look_ups(&client, address)?;
        // The server may have stopped by itself, at a signal.
        let _ = stop.send(());
        runtime.block_on(server)?;
    } else {
        eprintln!("\nServing until Ctrl-C.");
        runtime.block_on(server)?;
        drop(stop);
    }
    runtime.block_on(app.close(Duration::from_secs(10)));
    Ok(())
}

/// The model: the one asked for, else the multilingual one where it is there already, else the default.
fn plan(args: &DemoArgs) -> CliResult<Plan> {
    let settings = args.models.settings()?;
    let model = match &args.model {
        Some(model) => model.clone(),
        None if is_here(MULTILINGUAL, &settings.models_dir) => MULTILINGUAL.to_owned(),
        None => embed::DEFAULT_MODEL.to_owned(),
    };
    let path = Path::new(&model);
    let model = if path.is_dir() { std::fs::canonicalize(path)?.to_string_lossy().into_owned() } else { model };
    let chinese = model.contains("multilingual");
    // Another shop or another model is another store: what was made before stays as it is.
    let name = format!("shop-{}-{}{}", args.customers, args.seed, if chinese { "-zh" } else { "" });
    let dir = args.dir.join(name);
    Ok(Plan { model, chinese, data_dir: dir.join("data"), sample_dir: dir.join("sample") })
}

fn is_here(model: &str, models_dir: &Path) -> bool {
    let listed = embed::list(models_dir);
    listed.iter().any(|listing| listing.model.id.as_str() == model && listing.presence == Presence::Complete)
}

/// The sample's files: the ones that are there, or new ones.
fn sample(args: &DemoArgs, plan: &Plan) -> CliResult<ShopFiles> {
    let files = ShopFiles::in_dir(&plan.sample_dir);
    if files.truth.exists() {
        eprintln!("the sample shop in {} is there already", plan.sample_dir.display());
        return Ok(files);
    }
    let settings = ShopSettings { n_customers: args.customers, seed: args.seed, chinese: plan.chinese };
    // Made aside and moved in whole: a sample that is there is complete.
    let part = plan.sample_dir.with_extension("part");
    if part.exists() {
        std::fs::remove_dir_all(&part)?;
    }
    std::fs::create_dir_all(&part)?;
    let phases = std::cell::RefCell::new(Phases::new());
    write_shop(settings, &part, &|done, total| phases.borrow_mut().show("making customers", done, Some(total)))?;
    phases.borrow().end();
    if plan.sample_dir.exists() {
        std::fs::remove_dir_all(&plan.sample_dir)?;
    }
    std::fs::rename(&part, &plan.sample_dir)?;
    Ok(files)
}

/// Imports and fits through the API; what is done already is known by its idempotency key and done no more.
fn fill(client: &Client, plan: &Plan, files: &ShopFiles) -> CliResult {
    let import = |path: &str, key: &str, file: &Path| -> CliResult {
        let call = Call::post(path, Payload::File(file));
        let job: JobView = client.json(Call { idempotency_key: Some(key.to_owned()), ..call })?;
        let fresh = !job.is_final();
        let report = follow(client, job)?;
        if fresh {
            let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            eprintln!(
                "{name}: {} accepted, {} already there, {} rejected",
                count("accepted"),
                count("duplicate"),
                count("rejected")
            );
        }
        Ok(())
    };
    import("/v1/imports?kind=events&format=ndjson&file_name=events.ndjson", "demo-events", &files.events)?;
    let columns = "customer=customer_id&text=text&id=review_id&item=item_id&rating=rating&time=time";
    let reviews = format!("/v1/imports?kind=reviews&format=csv&file_name=reviews.csv&{columns}");
    import(&reviews, "demo-reviews", &files.reviews)?;
    let call =
        Call::post(format!("/v1/segmentations/{SEGMENTATION}/fit"), Payload::Json(json!({ "model": plan.model })));
    let job: JobView = client.json(Call { idempotency_key: Some(format!("demo-fit-{}", plan.model)), ..call })?;
    let fresh = !job.is_final();
    let report = follow(client, job)?;
    if fresh {
        print_summary(&report);
    }
    Ok(())
}

/// Says what came of it, what to open, and three look-ups that work as pasted.
fn announce(client: &Client, address: SocketAddr, files: &ShopFiles) -> CliResult {
    let mut export = Vec::new();
    client.download(Call::get(format!("/v1/segmentations/{SEGMENTATION}/members?format=ndjson")), &mut export)?;
    let agreement = evaluate::agreement(&export, &files.truth, "customer_id", "persona")?;
    let figure = |name: &str| agreement.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
    println!(
        "\nThe {} segments against the {} planted personas: ARI {:.3}, V-measure {:.3}, best-match accuracy {:.3}",
        agreement["n_segments"],
        agreement["n_labels"],
        figure("ari"),
        figure("v_measure"),
        figure("accuracy")
    );
    println!("\nOpen http://{address}/ for the console, http://{address}/docs for the API.\n\nTry:");
    for (what, command, _) in look_up_commands(client, address)? {
        println!("  # {what}\n  {command}");
    }
    Ok(())
}

/// What it shows, the `curl` line, and the same call for `--exit`.
fn look_up_commands(client: &Client, address: SocketAddr) -> CliResult<Vec<(&'static str, String, Call<'static>)>> {
    let page: Value = client.json(Call::get(format!("/v1/segmentations/{SEGMENTATION}/members?limit=1")))?;
    let customer = page.pointer("/data/0/customer_id").and_then(Value::as_str).unwrap_or("c00001");
    let one = format!("/v1/customers/{customer}/segments");
    let segments = format!("/v1/segmentations/{SEGMENTATION}/segments");
    let assign = format!("/v1/segmentations/{SEGMENTATION}/assign");
    let text = json!({ "text": "The grinder is quiet and the espresso tastes wonderful" });
    Ok(vec![
        (
            "which segment is this customer in, how surely, since when",
            format!("curl -s http://{address}{one}"),
            Call::get(one),
        ),
        (
            "all segments: names, sizes, keywords, typical reviews",
            format!("curl -s http://{address}{segments}"),
            Call::get(segments),
        ),
        (
            "where would the writer of this text be",
            format!("curl -s http://{address}{assign} -H 'content-type: application/json' -d '{text}'"),
            Call::post(assign, Payload::Json(text)),
        ),
    ])
}

fn look_ups(client: &Client, address: SocketAddr) -> CliResult {
    println!();
    for (_, command, call) in look_up_commands(client, address)? {
        let answer: Value = client.json(call)?;
        println!("$ {command}\n{}\n", serde_json::to_string_pretty(&answer)?);
    }
    Ok(())
}
