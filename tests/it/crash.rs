//! The real program killed with SIGKILL while it takes reviews and imports a file: what was acknowledged is there afterwards.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Kills in one run.
const ROUNDS: u64 = 4;
const SEED: u64 = 20_261_123;

/// A small generator (splitmix64, Steele et al. 2014) so that the moments of death follow from the seed.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Program {
    child: Child,
    url: String,
}

impl Program {
    /// Starts the service and reads its address from its log.
    fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_clientele"))
            .args(["serve", "--listen", "127.0.0.1:0", "--offline", "--data-dir"])
            .arg(data_dir)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the service says where it listens").unwrap();
            if let Some(at) = line.find("listening on http://") {
                let rest = &line[at + "listening on ".len()..];
                break rest.split([';', ' ']).next().unwrap().to_owned();
            }
        };
        // The log is read on, so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn get(agent: &ureq::Agent, url: &str) -> Option<Value> {
    agent.get(url).call().ok()?.body_mut().read_json().ok()
}

/// Posts batch after batch until the service is gone; notes every customer whose batch was acknowledged.
fn writer(url: String, name: String, acknowledged: Arc<Mutex<Vec<String>>>, gone: Arc<AtomicBool>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    for i in 0.. {
        if gone.load(Ordering::Relaxed) {
            return;
        }
        let customers: Vec<String> = (0..5).map(|j| format!("{name}-{i}-{j}")).collect();
        let reviews: Vec<Value> =
            customers.iter().map(|c| json!({ "customer_id": c, "text": format!("words of {c}") })).collect();
        match agent.post(format!("{url}/v1/reviews:batch")).send_json(json!({ "reviews": reviews })) {
            Ok(mut response) => {
                let taken: Value = response.body_mut().read_json().unwrap_or_default();
                if taken["accepted"] == 5 {
                    acknowledged.lock().unwrap().extend(customers);
                }
            }
            Err(_) => return,
        }
    }
}

#[test]
fn what_was_acknowledged_survives_sigkill_and_a_killed_import_is_finished() {
    println!("seed {SEED}");
    let mut rng = Rng(SEED);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let n_rows = 60_000u64;
    let mut csv = String::from("user,body\n");
    (0..n_rows).for_each(|i| csv.push_str(&format!("import-{i},words of row {i}\n")));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut job = None;
    for round in 0..ROUNDS {
        let program = Program::start(&data);
        let gone = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..2)
            .map(|w| {
                let (url, acknowledged, gone) = (program.url.clone(), Arc::clone(&acknowledged), Arc::clone(&gone));
                std::thread::spawn(move || writer(url, format!("w{round}-{w}"), acknowledged, gone))
            })
            .collect();
        if job.is_none() {
            let url = format!("{}/v1/imports?kind=reviews&format=csv&customer=user&text=body", program.url);
            let answer: Value = agent.post(url).send(&csv).unwrap().body_mut().read_json().unwrap();
            job = Some(answer["id"].as_str().unwrap().to_owned());
        }
        // The moment of death: after so many acknowledged batches of this round.
        let target = acknowledged.lock().unwrap().len() + 5 * (1 + rng.next() % 60) as usize;
        while acknowledged.lock().unwrap().len() < target {
            std::thread::yield_now();
        }
        program.kill();
        gone.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }

    let program = Program::start(&data);
    let job_url = format!("{}/v1/jobs/{}", program.url, job.unwrap());
    let ended = loop {
        let job = get(&agent, &job_url).unwrap();
        if job["finished_at"].is_string() {
            break job;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        (ended["state"].as_str(), ended["result"]["rows"].as_u64()),
        (Some("succeeded"), Some(n_rows)),
        "{ended}"
    );
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() as u64 >= 5 * ROUNDS);
    for customer in acknowledged.iter() {
        let found = get(&agent, &format!("{}/v1/customers/{customer}", program.url)).unwrap_or_default();
        assert_eq!(found["reviews"][0]["text"], format!("words of {customer}"), "acknowledged and lost: {customer}");
    }
    // Count and scroll agree, every imported row is there once, and a batch is there whole or not at all.
    let counts = get(&agent, &format!("{}/v1/workspace", program.url)).unwrap();
    let (mut imported, mut written, mut cursor) = (0u64, 0u64, String::new());
    loop {
        let page = get(&agent, &format!("{}/v1/customers?limit=1000{cursor}", program.url)).unwrap();
        for customer in page["data"].as_array().unwrap() {
            assert_eq!(customer["n_reviews"], 1, "{customer}");
            if customer["customer_id"].as_str().unwrap().starts_with("import-") { imported += 1 } else { written += 1 }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(imported, n_rows);
    assert_eq!(written % 5, 0, "half a batch is there");
    assert_eq!(counts["customers"].as_u64(), Some(imported + written));
    program.kill();
    std::io::stdout().flush().unwrap();
}
