//! A guess at the language of a column of texts: by the script, and among the languages in Latin letters by their commonest words.

/// Bytes of texts that a guess is made of.
const ENOUGH_BYTES: usize = 64 * 1024;

/// Words that hardly stand in texts of the other languages.
const WORDS: [(&str, &[&str]); 6] = [
    ("en", &["the", "and", "is", "of", "this", "was", "for", "it", "with", "not", "very"]),
    ("de", &["der", "die", "und", "ist", "das", "nicht", "ich", "mit", "ein", "auch", "sehr"]),
    ("fr", &["le", "les", "et", "est", "une", "pas", "je", "pour", "avec", "très", "des"]),
    ("es", &["el", "los", "y", "es", "muy", "una", "pero", "con", "por", "que", "las"]),
    ("it", &["il", "gli", "di", "che", "non", "una", "molto", "per", "sono", "della", "ho"]),
    ("pt", &["o", "os", "não", "uma", "muito", "com", "para", "é", "do", "da", "mais"]),
];

/// What has been seen of the texts of a column.
#[derive(Default)]
pub(super) struct Language {
    n_bytes: usize,
    han: u64,
    kana: u64,
    hangul: u64,
    cyrillic: u64,
    arabic: u64,
    latin: u64,
    words: [u64; WORDS.len()],
}

impl Language {
    pub(super) fn see(&mut self, text: &str) {
        if self.n_bytes >= ENOUGH_BYTES {
            return;
        }
        let text = super::shown::first_chars(text, 4_096);
        self.n_bytes += text.len();
        text.chars().for_each(|c| self.count(c));
        for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty() && word.len() <= 8) {
            let word = word.to_lowercase();
            for (n, (_, words)) in self.words.iter_mut().zip(WORDS) {
                *n += u64::from(words.contains(&word.as_str()));
            }
        }
    }

    fn count(&mut self, c: char) {
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => self.latin += 1,
            '\u{3400}'..='\u{9fff}' => self.han += 1,
            '\u{3040}'..='\u{30ff}' => self.kana += 1,
            '\u{ac00}'..='\u{d7af}' => self.hangul += 1,
            '\u{400}'..='\u{52f}' => self.cyrillic += 1,
            '\u{600}'..='\u{6ff}' => self.arabic += 1,
            _ => {}
        }
    }

    /// ISO 639-1 where it could be told. A letter of Chinese says about as much as three of a language with an alphabet.
    pub(super) fn guess(&self) -> Option<&'static str> {
        let (zh, ja) = if self.kana * 10 > self.han { (0, 3 * (self.kana + self.han)) } else { (3 * self.han, 0) };
        let scripts = [
            (zh, "zh"),
            (ja, "ja"),
            (3 * self.hangul, "ko"),
            (self.cyrillic, "ru"),
            (self.arabic, "ar"),
            (self.latin, "latin"),
        ];
        let (n, name) = scripts.into_iter().max_by_key(|(n, _)| *n).filter(|(n, _)| *n >= 20)?;
        if name != "latin" {
            return Some(name);
        }
        let (hits, best) =
            self.words.iter().zip(WORDS).map(|(hits, (name, _))| (*hits, name)).max_by_key(|(hits, _)| *hits)?;
        // About one word in eight is one of these in running text.
        (hits * 200 >= n).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_script_and_common_words() {
        for (text, expected) in [
            ("The grinder is quiet and it was cheap, not bad for this price", Some("en")),
            ("这家酒店的房间很干净，早餐也不错，下次还会再来住", Some("zh")),
            ("Die Mühle ist sehr leise und ich bin nicht enttäuscht", Some("de")),
            ("Le moulin est très bon et je ne suis pas déçu", Some("fr")),
            ("この商品はとても良いです。また買いたいと思います。", Some("ja")),
            ("Очень хорошая кофемолка, спасибо большое", Some("ru")),
            ("xq zvbn", None),
            ("", None),
        ] {
            let mut language = Language::default();
            language.see(text);
            assert_eq!(language.guess(), expected, "{text:?}");
        }
    }
}
