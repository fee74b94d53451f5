//! The command that imports a file as proposed, ready to copy into a shell.

use super::super::{Format, Kind, Mapping};
use std::path::Path;

/// With the file called as the caller calls it.
pub fn command(kind: Kind, mapping: &Mapping, format: Format, file: &str) -> String {
    let mut words = vec!["clientele import --kind".to_owned(), kind.name().to_owned()];
    if !Format::of_path(Path::new(file)).is_ok_and(|told| told == format) {
        words.extend(["--format".to_owned(), format.name().to_owned()]);
    }
    let constants = [("event-name", &mapping.event_name), ("currency-code", &mapping.currency_code)];
    let constants = constants.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    for (name, value) in mapping.names().chain(constants) {
        // A value that starts with a hyphen would be read as a flag.
        let join = if value.starts_with('-') { '=' } else { ' ' };
        words.push(format!("--{}{join}{}", name.replace('_', "-"), quoted(value)));
    }
    words.push(if file.starts_with('-') { quoted(&format!("./{file}")) } else { quoted(file) });
    words.join(" ")
}

/// In single quotes where a shell would read anything into it. Control characters have no place in a line to copy.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@+%,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let shown: String = word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    format!("'{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_is_quoted() {
        let name = |text: &str| Some(text.to_owned());
        let mapping = Mapping {
            customer: name("user_id"),
            text: name("it's; rm -rf $HOME"),
            item: name("-x"),
            time: name("下单时间"),
            currency_code: name("EUR"),
            ..Mapping::default()
        };
        assert_eq!(
            command(Kind::Reviews, &mapping, Format::Csv, "my file.csv"),
            "clientele import --kind reviews --customer user_id --text 'it'\\''s; rm -rf $HOME' --item=-x --time 下单时间 \
             --currency-code EUR 'my file.csv'"
        );
        assert_eq!(
            command(Kind::Customers, &Mapping::default(), Format::Ndjson, "-data.csv"),
            "clientele import --kind customers --format ndjson ./-data.csv"
        );
    }
}
