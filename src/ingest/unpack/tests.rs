//! Unpacking: laws, damage at every place, and bombs.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(packed: &[u8], limits: &UnpackLimits) -> Result<Vec<u8>, IngestError> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("given"), folder.path().join("plain"));
    std::fs::write(&from, packed).unwrap();
    let result = unpack(&from, &to, limits, &mut |_| true);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), if result.is_ok() { 2 } else { 1 }, "nothing half done is left: {names:?}");
    result.map(|n_bytes| {
        let bytes = std::fs::read(&to).unwrap();
        assert_eq!(bytes.len() as u64, n_bytes);
        bytes
    })
}

/// Limits that a test's disk does not decide.
fn limits() -> UnpackLimits {
    UnpackLimits { keep_free_bytes: 0, ..UnpackLimits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_packed_in_any_number_of_members_is_unpacked(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 1..5),
        padding in 0_usize..600,
    ) {
        let mut members: Vec<u8> = parts.iter().flat_map(|part| gzipped(part)).collect();
        members.extend(vec![0; padding]);
        prop_assert_eq!(unpacked(&members, &limits()).unwrap(), parts.concat());
        let frames: Vec<u8> = parts.iter().flat_map(|part| zstd_frame(part)).collect();
        prop_assert_eq!(unpacked(&frames, &limits()).unwrap(), parts.concat());
    }

    #[test]
    fn cut_anywhere_is_told_or_the_start_of_it(
        bytes in prop::collection::vec(any::<u8>(), 1..2_000),
        share in 0.0_f64..1.0,
    ) {
        for packed in [gzipped(&bytes), zstd_frame(&bytes)] {
            let cut = 4 + (share * (packed.len() - 5) as f64) as usize;
            let error = unpacked(&packed[..cut], &limits()).unwrap_err();
            prop_assert_eq!(error.code(), "damaged_file");
            prop_assert!(error.to_string().contains("cut short"), "{}", error);
        }
    }

    #[test]
    fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..2) {
        let magic: &[u8] = [&[0x1F, 0x8B, 8, 0][..], &[0x28, 0xB5, 0x2F, 0xFD]][at];
        let _ = unpacked(&[magic, &bytes].concat(), &limits());
    }
}

#[test]
fn damage_is_told_with_its_place() {
    let text = "a line of words\n".repeat(5_000);
    let (gz, zst) = (gzipped(text.as_bytes()), zstd_frame(text.as_bytes()));
    let flipped = |packed: &[u8], at: usize| {
        let mut packed = packed.to_vec();
        packed[at] ^= 0xFF;
        packed
    };
    for (packed, word, why) in [
        (flipped(&gz, gz.len() - 6), "checksum", "a checksum that is not the content's"),
        (flipped(&gz, 10), "damaged", "blocks of no kind"),
        (flipped(&zst, 20), "damaged", "a block that says otherwise"),
        ([gz.as_slice(), b"and more"].concat(), "something else follows", "text behind the data"),
        ([zst.as_slice(), b"and more"].concat(), "damaged", "text behind the frames"),
        ([gz.as_slice(), &[0x1F, 0x8B]].concat(), "breaks off", "half a second member"),
    ] {
        let error = unpacked(&packed, &limits()).map(|_| why).unwrap_err();
        assert!(error.to_string().contains(word), "{why}: {error}");
        assert!(error.to_string().contains("byte"), "{why}: {error}");
        assert_eq!(error.code(), "damaged_file", "{why}");
    }
}

#[test]
fn a_bomb_meets_the_limit_for_its_size_and_the_limit_for_all() {
    let bomb = vec![0; 4 << 20];
    for packed in [gzipped(&bomb), zstd_frame(&bomb)] {
        let measured = UnpackLimits { unmeasured_bytes: 1 << 20, max_ratio: 100, ..limits() };
        let error = unpacked(&packed, &measured).unwrap_err();
        assert!(error.to_string().contains("the limit for its compressed size"), "{error}");
        assert_eq!(error.code(), "too_large");
        let error = unpacked(&packed, &UnpackLimits { max_bytes: 3 << 20, ..limits() }).unwrap_err();
        assert!(error.to_string().contains("over 3145728 bytes, the limit for any file"), "{error}");
        assert_eq!(unpacked(&packed, &limits()).unwrap().len(), bomb.len());
    }
    assert_eq!(UnpackLimits::default().of(10), ((64 << 20) + 10_000, "for its compressed size"));
    assert_eq!(UnpackLimits::default().of(1 << 40), (64 << 30, "for any file"));
}

#[test]
fn without_room_nothing_is_unpacked_and_it_is_told() {
    let error = unpacked(&gzipped(b"words"), &UnpackLimits { keep_free_bytes: u64::MAX, ..limits() }).unwrap_err();
    assert_eq!((error.code(), error.is_ours()), ("no_room", true));
    assert!(error.to_string().contains("no room on the disk"), "{error}");
}

#[test]
fn it_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("given"), folder.path().join("plain"));
    std::fs::write(&from, gzipped(&vec![7; 3 << 20])).unwrap();
    let error = unpack(&from, &to, &limits(), &mut |_| false).unwrap_err();
    assert_eq!(error.code(), "stopped");
    assert!(!to.exists());
}

#[test]
#[cfg(unix)]
fn only_its_owner_reads_what_was_unpacked() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("given"), folder.path().join("plain"));
    std::fs::write(&from, gzipped(b"a@b.example")).unwrap();
    unpack(&from, &to, &limits(), &mut |_| true).unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_first_bytes_say_what_it_is_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("misleading.csv");
    for (bytes, expected) in [
        (gzipped(b""), Some(Packing::Gzip)),
        (zstd_frame(b""), Some(Packing::Zstd)),
        (vec![0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0], Some(Packing::Zstd)),
        (b"a,b".to_vec(), None),
        (Vec::new(), None),
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(packing(&path).unwrap(), expected);
    }
}
