//! Names into folders, checks, and what is said where nothing helps.

use super::*;

#[test]
fn where_every_source_fails_the_error_has_a_line_for_each_and_the_mends() {
    let bench = Bench::new(catalogue_of(true, true));
    let error = bench.pull().unwrap_err();
    let EmbedError::Fetch { id, tried, mend } = &error else { panic!("{error}") };
    assert_eq!(id, "tiny");
    let lines: Vec<&str> = tried.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 3, "{tried}");
    assert!(lines[0].starts_with("local: ") && lines[0].contains("lacks config.json, tokenizer.json"), "{tried}");
    assert!(lines[1].starts_with("hub (owner/tiny at http://127.0.0.1:"), "{tried}");
    assert!(lines[2].starts_with("pip (tiny-model==1.0): ") && lines[2].contains("CLIENTELE_PYTHON"), "{tried}");
    for word in ["HF_ENDPOINT", "pip config", "copy its files by hand", "models/tiny"] {
        assert!(mend.contains(word), "{word}: {mend}");
    }
}

#[test]
fn offline_nothing_is_asked_and_the_error_says_so() {
    let mirror = Mirror::serve(served());
    let mut bench = Bench::at(&mirror, catalogue_of(true, true));
    bench.give_pip(&[]);
    bench.offline = true;
    bench
        .assert_refused("model.safetensors", &["the hub is not to be called", "offline", "clientele models pull tiny"]);
    assert!(mirror.asked().is_empty());
    assert!(!bench.folder.path().join("pip-args").exists());
}

#[test]
fn a_name_or_alias_resolves_to_a_fetched_checked_folder_with_the_catalogue_s_words() {
    let mirror = Mirror::serve(served());
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    let resolved = bench.resolve("owner/tiny").unwrap();
    let expected = Resolved {
        folder: bench.models_dir().join("tiny"),
        id: "tiny".into(),
        fingerprint: Some(format!("tiny@{}", &sha256(FILES[2].1)[..16])),
        pooling: Some(Pooling::Cls),
        prefix: Some("query: ".into()),
        max_tokens: Some(8),
        normalise: Some(false),
    };
    assert_eq!(resolved, expected);
    assert_eq!(bench.resolve("tiny").unwrap(), expected);
    assert_eq!(mirror.asked().len(), 3);
    let settings = expected.load_settings(DeviceChoice::Cpu, crate::embed::PrecisionChoice::Auto);
    assert_eq!((settings.id.as_deref(), settings.prefix.as_deref()), (Some("tiny"), Some("query: ")));
}

#[test]
fn files_copied_by_hand_resolve_offline_after_a_full_check() {
    let mut bench = Bench::new(catalogue_of(true, true));
    bench.offline = true;
    bench.put_all();
    bench.resolve("tiny").unwrap();
}

#[test]
fn a_present_but_wrong_file_is_never_loaded_and_the_error_names_the_mend() {
    for (bytes, word) in [(&b"short"[..], "has 5 bytes instead of 18"), (b"x123456789 weights", "has the sha256")] {
        let mirror = Mirror::serve(served());
        let bench = Bench::at(&mirror, catalogue_of(true, false));
        bench.put_all();
        // Also where an earlier check was noted.
        bench.resolve("tiny").unwrap();
        bench.put("model.safetensors", bytes);
        let later = std::time::SystemTime::now() + Duration::from_secs(2);
        File::options().append(true).open(bench.file("model.safetensors")).unwrap().set_modified(later).unwrap();
        let error = bench.resolve("tiny").unwrap_err();
        assert!(matches!(&error, EmbedError::BadFile { file, .. } if *file == bench.file("model.safetensors")));
        assert!(error.to_string().contains(word), "{error}");
        assert!(error.to_string().contains("clientele models pull tiny"), "{error}");
        assert!(mirror.asked().is_empty(), "it was silently replaced");
        bench.pull().unwrap();
        bench.assert_whole();
        bench.resolve("tiny").unwrap();
    }
}

#[test]
fn verify_tells_of_every_file_what_it_is() {
    let bench = Bench::new(catalogue_of(true, false));
    assert_eq!(bench.states(), vec![FileState::Missing; 3]);
    bench.put("config.json", b"{}");
    bench.put("tokenizer.json", b"{");
    bench.put("model.safetensors", b"x123456789 weights");
    let wrong = FileState::WrongSha256 { expected: sha256(FILES[2].1), found: sha256(b"x123456789 weights") };
    assert_eq!(bench.states(), vec![FileState::Ok, FileState::WrongSize { expected: 7, found: 1 }, wrong]);
    bench.put_all();
    assert_eq!(bench.states(), vec![FileState::Ok; 3]);
    fs::remove_file(bench.file("config.json")).unwrap();
    fs::create_dir(bench.file("config.json")).unwrap();
    assert!(matches!(&bench.states()[0], FileState::Unreadable { why } if why.contains("not a file")));
    assert!(matches!(verify_in(&bench.catalogue, "huge", &bench.models_dir()), Err(EmbedError::Unknown { .. })));
}

#[test]
fn a_list_tells_what_is_here() {
    let bench = Bench::new(catalogue_of(true, false));
    let presence = || list_in(&bench.catalogue, &bench.models_dir())[0].presence;
    assert_eq!(presence(), Presence::Absent);
    bench.put("config.json", b"{}");
    assert_eq!(presence(), Presence::Incomplete);
    bench.put_all();
    assert_eq!(presence(), Presence::Complete);
    bench.put("config.json", b"{} ");
    assert_eq!(presence(), Presence::Incomplete);
}

#[test]
fn a_folder_is_taken_as_it_is_and_the_catalogue_fills_in_what_it_does_not_say() {
    let bench = Bench::new(catalogue_of(true, false));
    let folder = bench.models_dir().join("tiny-zh");
    fs::create_dir_all(folder.join("1_Pooling")).unwrap();
    let by_path = bench.resolve(folder.to_str().unwrap()).unwrap();
    assert_eq!((by_path.id.as_str(), by_path.fingerprint.clone()), ("tiny-zh", None));
    assert_eq!((by_path.pooling, by_path.prefix.as_deref()), (Some(Pooling::Cls), Some("query: ")));
    assert_eq!((by_path.max_tokens, by_path.normalise), (Some(8), Some(false)));
    assert_eq!(bench.resolve("tiny-zh").unwrap(), by_path, "a name among the local models");

    fs::write(folder.join("modules.json"), "[]").unwrap();
    fs::write(folder.join("sentence_bert_config.json"), "{}").unwrap();
    fs::write(folder.join("config_sentence_transformers.json"), r#"{"default_prompt_name": "q"}"#).unwrap();
    let says = bench.resolve("tiny-zh").unwrap();
    assert_eq!((says.pooling, says.prefix, says.max_tokens, says.normalise), (None, None, None, None));

    let other = bench.models_dir().join("other");
    fs::create_dir_all(&other).unwrap();
    assert_eq!(bench.resolve("other").unwrap().prefix, None);
}

#[test]
fn an_unknown_name_lists_what_is_known() {
    let bench = Bench::new(catalogue_of(true, false));
    fs::create_dir_all(bench.models_dir()).unwrap();
    for name in ["", "huge", "./huge", "owner/huge", "../huge"] {
        let error = bench.resolve(name).unwrap_err();
        assert!(matches!(error, EmbedError::Unknown { .. }), "{name:?}: {error}");
        assert!(error.to_string().contains("the catalogue has tiny"), "{error}");
    }
}

#[test]
fn two_pulls_at_once_fetch_every_file_once() {
    let mirror = Mirror::serve(served());
    let bench = Bench::at(&mirror, catalogue_of(true, false));
    let (models_dir, settings, catalogue) = (bench.models_dir(), &bench.settings, &bench.catalogue);
    let pull = || {
        let progress = &SilentProgress;
        Shelf { catalogue, models_dir: &models_dir, settings, offline: false, progress }.pull("tiny").unwrap();
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(pull)));
    });
    bench.assert_whole();
    assert_eq!(mirror.asked().len(), 3, "{:?}", mirror.asked());
}

#[test]
fn a_models_folder_that_cannot_be_made_is_an_error_with_a_mend() {
    let bench = Bench::new(catalogue_of(true, false));
    fs::write(bench.models_dir(), "in the way").unwrap();
    let error = bench.pull().unwrap_err().to_string();
    assert!(error.contains("--models-dir"), "{error}");
}
