//! The hub and its mirrors, well-behaved and not.

use super::*;

#[test]
fn a_mirror_gives_the_whole_model_and_no_token_is_sent_where_there_is_none() {
    let mirror = Mirror::serve(served());
    let bench = Bench::at(&mirror, catalogue_of(true, true));
    assert_eq!(bench.pull().unwrap(), bench.models_dir().join("tiny"));
    bench.assert_whole();
    let asked = mirror.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.range.is_none() && asked.authorization.is_none()), "{asked:?}");
    assert!(bench.heard.all().contains("model.safetensors Some(18) from 0"), "{}", bench.heard.all());
}

#[test]
fn a_second_pull_asks_for_nothing() {
    let mirror = Mirror::serve(served());
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.pull().unwrap();
    bench.pull().unwrap();
    assert_eq!(mirror.asked().len(), 3);
}

#[test]
fn an_endpoint_with_a_slash_at_its_end_works_too() {
    let mirror = Mirror::serve(served());
    let mut bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.settings.endpoint = Some(format!("{}/", mirror.endpoint()));
    bench.pull().unwrap();
    bench.assert_whole();
}

#[test]
fn a_partial_file_is_resumed_where_it_stopped() {
    let mirror = Mirror::serve(served());
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.put("model.safetensors.partial", b"01234");
    bench.pull().unwrap();
    bench.assert_whole();
    let asked = mirror.asked().into_iter().find(|asked| asked.path.ends_with("safetensors")).unwrap();
    assert_eq!(asked.range.as_deref(), Some("bytes=5-"));
    assert!(bench.heard.all().contains("model.safetensors Some(18) from 5"), "{}", bench.heard.all());
}

#[test]
fn a_partial_file_of_something_else_is_fetched_anew() {
    for partial in [&b"other"[..], b"exactly eighteen b", b"longer than the file is supposed to be"] {
        for pinned in [true, false] {
            let mirror = Mirror::serve(served());
            let bench = Bench::at(&mirror, catalogue_of(pinned, false));
            bench.put("model.safetensors.partial", partial);
            bench.pull().unwrap();
            bench.assert_whole();
        }
    }
}

#[test]
fn a_server_that_knows_no_ranges_gives_the_whole_file() {
    let whole = Served { ignores_range: true, ..Served::file(FILES[2].1) };
    let mirror = Mirror::serve(served_but("model.safetensors", whole));
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.put("model.safetensors.partial", b"01234");
    bench.pull().unwrap();
    bench.assert_whole();
}

#[test]
fn a_body_that_breaks_off_is_resumed_within_the_pull() {
    let cut = Served { first_cut_at: Some(7), ..Served::file(FILES[2].1) };
    let mirror = Mirror::serve(served_but("model.safetensors", cut));
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.pull().unwrap();
    bench.assert_whole();
    assert_eq!(mirror.asked().last().unwrap().range.as_deref(), Some("bytes=7-"));
    assert!(bench.heard.all().contains("resuming"), "{}", bench.heard.all());
}

#[test]
fn a_body_that_breaks_off_at_once_is_an_error_and_never_a_file() {
    let cut = Served { first_cut_at: Some(0), ..Served::file(FILES[2].1) };
    let mirror = Mirror::serve(served_but("model.safetensors", cut));
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.assert_refused("model.safetensors", &["broke off"]);
}

#[test]
fn a_file_that_is_wrong_short_refused_or_gone_is_an_error_that_says_so() {
    let mut other = FILES[2].1.to_vec();
    other[0] = b'x';
    let announced = Served::file(FILES[2].1).with("X-Linked-ETag", format!("\"{}\"", "0".repeat(64)));
    for (served_instead, words) in [
        (Served::file(&other), ["has the sha256", &sha256(FILES[2].1)]),
        (Served::file(b"short"), ["has 5 bytes there", "instead of 18"]),
        (announced, ["there instead of", &sha256(FILES[2].1)]),
        (Served::status(404), ["not found there (404)", "HF_ENDPOINT"]),
        (Served::status(401), ["refused (401)", "HF_TOKEN may be needed"]),
        (Served::status(403), ["refused (403)", "HF_TOKEN may be needed"]),
        (Served::status(429), ["too many requests (429)", "later"]),
        (Served::status(500), ["the answer was 500", "copy its files by hand"]),
        (Served::status(302), ["redirects to nowhere", "127.0.0.1"]),
        (Served::status(302).with("Location", "ftp://127.0.0.1/x"), ["redirects to nowhere", "127.0.0.1"]),
        (Served::status(302).with("Location", url_path("model.safetensors")), ["redirects more than", "times"]),
    ] {
        let mirror = Mirror::serve(served_but("model.safetensors", served_instead));
        let bench = Bench::at(&mirror, catalogue_of(true, false));
        bench.assert_refused("model.safetensors", &words);
        assert!(!bench.file("model.safetensors.partial").exists() || bench.states()[2] == FileState::Missing);
    }
}

#[test]
fn a_token_is_sent_to_the_endpoint_and_not_past_a_redirect_to_elsewhere() {
    let store = Mirror::serve([("/blob".to_owned(), Served::file(FILES[2].1))]);
    let redirect = Served::status(302).with("Location", format!("{}/blob", store.endpoint()));
    let mirror = Mirror::serve(served_but("model.safetensors", redirect));
    let mut bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.settings.token = Some("hf_secret".into());
    bench.pull().unwrap();
    bench.assert_whole();
    assert!(mirror.asked().iter().all(|asked| asked.authorization.as_deref() == Some("Bearer hf_secret")));
    assert_eq!(store.asked().len(), 1);
    assert_eq!(store.asked()[0].authorization, None);
}

#[test]
fn a_token_that_is_refused_is_not_told() {
    let mirror = Mirror::serve(served_but("config.json", Served::status(401)));
    let mut bench = Bench::at(&mirror, catalogue_of(true, false));
    bench.settings.token = Some("hf_secret".into());
    let error = bench.pull().unwrap_err().to_string();
    assert!(error.contains("token in HF_TOKEN is not good"), "{error}");
    assert!(!error.contains("secret") && !bench.heard.all().contains("secret"));
}

#[test]
fn without_a_sha256_the_hash_that_the_hub_announces_is_checked() {
    // The large file lies behind a redirect, whose own tag is not that of the content.
    let blob = Served::file(FILES[2].1).with("ETag", "\"of-the-store\"");
    let redirect = Served::status(307)
        .with("Location", "/blob")
        .with("X-Linked-ETag", format!("\"{}\"", sha256(FILES[2].1)))
        .with("ETag", format!("\"{}\"", "0".repeat(40)));
    let mut files = served_but("model.safetensors", redirect);
    files.push(("/blob".into(), blob));
    let mirror = Mirror::serve(files);
    let bench = Bench::at(&mirror, catalogue_of(false, false));
    bench.pull().unwrap();
    bench.assert_whole();
}

#[test]
fn without_a_sha256_a_content_that_is_not_as_announced_is_refused() {
    for (tag, word) in [
        (format!("\"{}\"", git_hash(b"other")), "has the git hash"),
        (format!("\"{}\"", sha256(b"other")), "has the sha256"),
        ("\"some-tag\"".into(), "without the hub's content hash"),
    ] {
        let mirror = Mirror::serve(served_but("model.safetensors", Served::file(FILES[2].1).with("ETag", tag)));
        let bench = Bench::at(&mirror, catalogue_of(false, false));
        bench.assert_refused("model.safetensors", &[word]);
    }
}

#[test]
fn the_hub_s_cache_on_this_machine_saves_the_download_also_offline() {
    let mut bench = Bench::new(catalogue_of(false, false));
    bench.offline = true;
    let repo = bench.settings.hub_cache.join("models--owner--tiny");
    fs::create_dir_all(repo.join("blobs")).unwrap();
    fs::create_dir_all(repo.join("snapshots").join(COMMIT)).unwrap();
    for (path, bytes) in FILES {
        let blob = repo.join("blobs").join(git_hash(bytes));
        fs::write(&blob, bytes).unwrap();
        std::os::unix::fs::symlink(&blob, repo.join("snapshots").join(COMMIT).join(path)).unwrap();
    }
    bench.pull().unwrap();
    bench.assert_whole();

    fs::remove_file(bench.file("config.json")).unwrap();
    fs::write(repo.join("blobs").join(git_hash(FILES[0].1)), "spoilt").unwrap();
    bench.assert_refused("config.json", &["is not in the hub's cache"]);
    assert!(bench.heard.all().contains("passed over"), "{}", bench.heard.all());
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let mut bench = Bench::new(catalogue_of(true, false));
    for (content, word) in [(None, "os error 2"), (Some("no certificate"), "holds no certificate")] {
        let file = bench.folder.path().join("ca.pem");
        content.into_iter().for_each(|content| fs::write(&file, content).unwrap());
        bench.settings.certificates = Some(file);
        bench.assert_refused("config.json", &["SSL_CERT_FILE", word]);
    }
}
