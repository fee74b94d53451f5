//! What `make bench-embed` says to the Rust programs it measures: one JSON object a line in, one a line out.
//!
//! A worker stays up for the whole benchmark, so that rounds of all entries alternate and each is as warm as the others.

use anyhow::{Context, bail};
use clientele::embed::Embeddings;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// From strings to vectors of unit length: tokenising is part of what is measured.
pub type Embed<'a> = dyn Fn(&[&str]) -> anyhow::Result<Embeddings> + 'a;

/// What a worker says first, once it is loaded; one that cannot run here ends with an error instead.
#[derive(Serialize)]
pub struct Hello {
    /// How it was set up, for the table.
    pub setting: String,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Request {
    /// Embeds all texts of an input.
    Run { input: String },
    /// Embeds `n` texts of an input one at a time.
    Single { input: String, n: usize },
    /// Embeds an input and writes its vectors as safetensors, named `vectors`.
    Vectors { input: String, out: PathBuf },
    /// Resident memory, now and at its highest.
    Rss,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Reply {
    Run { seconds: f64, n_texts: usize, n_tokens: usize },
    Single { ms: Vec<f64> },
    Written { n_texts: usize },
    Rss { now_kib: u64, peak_kib: u64 },
    Error { error: String },
}

/// Says hello and answers requests until standard input ends. `inputs` is a folder of `NAME.json`, arrays of strings.
pub fn serve(hello: &Hello, inputs: &Path, embed: &Embed) -> anyhow::Result<()> {
    say(hello)?;
    let mut texts = Inputs { folder: inputs.to_path_buf(), read: HashMap::new() };
    for line in std::io::stdin().lock().lines() {
        let reply =
            answer(&line?, &mut texts, embed).unwrap_or_else(|error| Reply::Error { error: format!("{error:#}") });
        say(&reply)?;
    }
    Ok(())
}

/// One line of JSON on standard output.
fn say(message: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, message)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

fn answer(line: &str, texts: &mut Inputs, embed: &Embed) -> anyhow::Result<Reply> {
    Ok(match serde_json::from_str(line).context("not a request of this protocol")? {
        Request::Run { input } => run(&texts.get(&input)?, embed)?,
        Request::Single { input, n } => single(&texts.get(&input)?, n, embed)?,
        Request::Vectors { input, out } => write_vectors(&embed(&texts.get(&input)?)?, &out)?,
        Request::Rss => Reply::Rss { now_kib: status_kib("VmRSS:")?, peak_kib: status_kib("VmHWM:")? },
    })
}

fn run(texts: &[&str], embed: &Embed) -> anyhow::Result<Reply> {
    let started = Instant::now();
    let n_tokens = embed(texts)?.n_tokens;
    Ok(Reply::Run { seconds: started.elapsed().as_secs_f64(), n_texts: texts.len(), n_tokens })
}

fn single(texts: &[&str], n: usize, embed: &Embed) -> anyhow::Result<Reply> {
    let timed = |text: &&str| -> anyhow::Result<f64> {
        let started = Instant::now();
        embed(&[*text])?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let ms = texts.iter().cycle().take(n).map(timed).collect::<anyhow::Result<_>>()?;
    Ok(Reply::Single { ms })
}

fn write_vectors(vectors: &Embeddings, out: &Path) -> anyhow::Result<Reply> {
    let n_texts = vectors.rows().count();
    let bytes: Vec<u8> = vectors.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![n_texts, vectors.dimension], &bytes)?;
    safetensors::serialize_to_file([("vectors", view)], None, out)?;
    Ok(Reply::Written { n_texts })
}

fn status_kib(field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("resident memory is read on Linux only")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.with_context(|| format!("/proc/self/status has no {field}"))
}

/// The inputs asked for so far.
struct Inputs {
    folder: PathBuf,
    read: HashMap<String, Vec<String>>,
}

impl Inputs {
    fn get(&mut self, name: &str) -> anyhow::Result<Vec<&str>> {
        if !self.read.contains_key(name) {
            let file = self.folder.join(format!("{name}.json"));
            let bytes = std::fs::read(&file).with_context(|| format!("the input {}", file.display()))?;
            let texts: Vec<String> = serde_json::from_slice(&bytes).context("an input is an array of strings")?;
            if texts.is_empty() {
                bail!("the input {name:?} has no texts");
            }
            self.read.insert(name.to_owned(), texts);
        }
        Ok(self.read[name].iter().map(String::as_str).collect())
    }
}
