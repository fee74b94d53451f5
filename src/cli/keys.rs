//! `clientele keys`: make, list, revoke.

use super::client::{Call, Opening, Payload, encoded};
use super::{CliResult, Target};
use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Make, list and revoke the keys that callers of the service send.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele keys create --label shop-backend --scopes write,read --data-dir data
  clientele keys list --data-dir data
  clientele keys revoke 0190b2a4-… --url http://127.0.0.1:7700 --key ck_…

The secret is printed once, on standard output; the store keeps only its hash.")]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key and print its secret
    Create {
        /// What to call it
        #[arg(long, default_value = "unnamed")]
        label: String,
        /// Of write, read, manage, admin, with commas between
        #[arg(long, default_value = "write,read")]
        scopes: String,
    },
    /// List the workspace's keys
    List,
    /// Revoke a key by its id
    Revoke { id: String },
}

pub fn run(args: &KeysArgs) -> CliResult {
    // Keys are made before anything else is: the store may be new.
    let creates = matches!(args.command, KeysCommand::Create { .. });
    let client = args.target.connect(if creates { Opening::Create } else { Opening::Read })?;
    match &args.command {
        KeysCommand::Create { label, scopes } => {
            let scopes: Vec<&str> = scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
            let ask = json!({ "label": label, "scopes": scopes });
            let key: Value = client.json(Call::post("/v1/keys", Payload::Json(ask)))?;
            eprintln!("key {} ({}): keep the secret, it is not shown again", text(&key, "id"), text(&key, "label"));
            println!("{}", text(&key, "secret"));
        }
        KeysCommand::List => {
            let keys: Value = client.json(Call::get("/v1/keys"))?;
            for key in keys.get("data").and_then(Value::as_array).into_iter().flatten() {
                let scopes: Vec<_> = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let state = if key["revoked_at"].is_null() { "live" } else { "revoked" };
                println!("{}  {state:<7}  {:<24}  {}", text(key, "id"), scopes.join(","), text(key, "label"));
            }
        }
        KeysCommand::Revoke { id } => {
            let call = Call { method: Method::DELETE, ..Call::get(format!("/v1/keys/{}", encoded(id))) };
            client.download(call, &mut std::io::sink())?;
            eprintln!("key {id} is revoked");
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
