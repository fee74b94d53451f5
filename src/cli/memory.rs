//! Amounts of memory as people type them, and how much there is.

use std::path::Path;

/// How much something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Half of what this process can have.
    Half,
    None,
    Bytes(u64),
}

/// What an amount may end with, and how many bytes it stands for.
const UNITS: &[(&str, u64)] = &[
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("b", 1),
    ("", 1),
];

impl MemoryLimit {
    /// # Errors
    /// A sentence that says what an amount looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let word = text.trim().to_ascii_lowercase();
        match word.as_str() {
            "half" => return Ok(Self::Half),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let (number, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, bytes)| *bytes);
        let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        bytes.map(Self::Bytes).ok_or_else(|| format!("{text:?} is not an amount of memory, such as 2GiB or 500MiB"))
    }

    /// None: without bound, also where it cannot be told how much memory there is.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Half => memory_there_is().map(|bytes| bytes / 2),
            Self::None => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// The machine's memory, or what a container may have of it.
fn memory_there_is() -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(Path::new(file)).ok();
    let machine = read("/proc/meminfo").and_then(|text| total_of(&text));
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let container = container.iter().find_map(|file| read(file)).and_then(|text| text.trim().parse::<u64>().ok());
    machine.into_iter().chain(container).min()
}

/// `MemTotal` of the kernel's table, which counts in KiB.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_typed() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("64MiB", 64 << 20), (" 2 gib ", 2 << 30), ("3G", 3 << 30), ("1b", 1)]
        {
            assert_eq!(MemoryLimit::parse(text), Ok(MemoryLimit::Bytes(bytes)), "{text}");
        }
        assert_eq!(MemoryLimit::parse("Half"), Ok(MemoryLimit::Half));
        assert_eq!(MemoryLimit::parse("none").map(MemoryLimit::bytes), Ok(None));
    }

    #[test]
    fn what_is_no_amount_is_refused_with_an_example() {
        for text in ["", "GiB", "-1", "1.5GiB", "2 apples", "99999999999999999999", "99999999999TiB", "half a gib"] {
            assert!(MemoryLimit::parse(text).is_err_and(|why| why.contains("2GiB")), "{text}");
        }
    }

    #[test]
    fn the_kernels_table_is_read() {
        assert_eq!(total_of("Foo: 1 kB\nMemTotal:       16 kB\nMemFree: 2 kB\n"), Some(16 << 10));
        assert_eq!(total_of("MemTotal: lots\n"), None);
        assert_eq!(total_of(""), None);
    }
}
