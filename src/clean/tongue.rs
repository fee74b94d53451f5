//! Which language a text is in: Chinese, English or another, by its letters and its commonest words.
//!
//! Scripts decide between Chinese and the rest: kana or hangul beside Chinese characters make it another language. Among texts in
//! Latin letters the function words of English are counted against those of its neighbours; a text without any is taken for English
//! as long as its letters are English ones, and said to be unsure.

use crate::domain::{Language, Tongue};
use std::collections::HashSet;
use std::sync::LazyLock;

/// So much of a text is looked at, in characters: a language does not change after that.
const LOOKED_AT: usize = 2_000;
/// A Chinese character says about as much as so many letters.
const LETTERS_PER_CHARACTER: f64 = 2.5;
/// How sure a text without a single known word is taken for English.
const WITHOUT_EVIDENCE: f64 = 0.5;

/// Languages that are written in English's letters or nearly, whose function words are known.
const NEIGHBOURS: [&str; 14] = ["fr", "de", "es", "it", "pt", "nl", "da", "sv", "no", "fi", "hu", "ro", "tr", "id"];

static ENGLISH: LazyLock<HashSet<&'static str>> = LazyLock::new(|| words("en").collect());
/// Words of the neighbours that English does not have.
static FOREIGN: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| NEIGHBOURS.into_iter().flat_map(words).filter(|word| !ENGLISH.contains(word)).collect());

fn words(language: &str) -> impl Iterator<Item = &'static str> {
    stop_words::lookup(language).into_iter().flatten().copied()
}

/// How much of a text is in which letters.
#[derive(Default)]
struct Scripts {
    chinese: f64,
    latin: f64,
    other: f64,
    n_kana: u32,
    /// Latin letters that English does not have.
    n_accented: u32,
}

impl Scripts {
    fn of(text: &str) -> Self {
        let mut scripts = Self::default();
        for letter in text.chars().filter(|c| c.is_alphabetic()) {
            match letter {
                'a'..='z' | 'A'..='Z' => scripts.latin += 1.0,
                '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' => {
                    scripts.chinese += LETTERS_PER_CHARACTER;
                }
                '\u{3040}'..='\u{30ff}' => {
                    scripts.n_kana += 1;
                    scripts.other += LETTERS_PER_CHARACTER;
                }
                '\u{ac00}'..='\u{d7af}' => scripts.other += LETTERS_PER_CHARACTER,
                'ª' | 'º' | '\u{c0}'..='\u{24f}' => {
                    scripts.latin += 1.0;
                    scripts.n_accented += 1;
                }
                _ => scripts.other += 1.0,
            }
        }
        if scripts.n_kana > 0 && f64::from(scripts.n_kana) * 10.0 * LETTERS_PER_CHARACTER > scripts.chinese {
            // Japanese, whose words are partly written in Chinese characters.
            scripts.other += std::mem::take(&mut scripts.chinese);
        }
        scripts
    }
}

/// The language of a text: `zh`, `en` or `other`, with a confidence from 0 (no letter in it) to 1.
pub fn tongue(text: &str) -> Tongue {
    let end = text.char_indices().nth(LOOKED_AT).map_or(text.len(), |(at, _)| at);
    let text = &text[..end];
    let scripts = Scripts::of(text);
    let all = scripts.chinese + scripts.latin + scripts.other;
    if all == 0.0 {
        return Tongue { language: Language::other(), confidence: 0.0 };
    }
    if scripts.chinese >= scripts.latin && scripts.chinese >= scripts.other {
        return Tongue { language: Language::chinese(), confidence: scripts.chinese / all };
    }
    if scripts.other > scripts.latin {
        return Tongue { language: Language::other(), confidence: scripts.other / all };
    }
    let latin = in_latin_letters(text, scripts.n_accented);
    Tongue { confidence: latin.confidence * (scripts.latin / all), ..latin }
}

fn in_latin_letters(text: &str, n_accented: u32) -> Tongue {
    let (mut english, mut foreign) = (0.0, f64::from(n_accented) / 2.0);
    let mut lower = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()) {
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        english += f64::from(u8::from(ENGLISH.contains(lower.as_str())));
        foreign += f64::from(u8::from(FOREIGN.contains(lower.as_str())));
    }
    // One foreign word alone may be a name or an English word that the list lacks ("come", "mine").
    if english == 0.0 && foreign < 2.0 && n_accented == 0 {
        return Tongue { language: Language::english(), confidence: WITHOUT_EVIDENCE };
    }
    let is_english = english >= foreign;
    // Laplace's rule of succession: little evidence is not taken for certainty.
    let confidence = (f64::max(english, foreign) + 1.0) / (english + foreign + 2.0);
    Tongue { language: if is_english { Language::english() } else { Language::other() }, confidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> String {
        tongue(text).language.as_str().to_owned()
    }

    #[test]
    fn languages_are_told_apart() {
        for (text, expected) in [
            ("房间很干净，服务也不错", "zh"),
            ("iPhone 很好用，物流也快", "zh"),
            ("這款手機的電池很耐用", "zh"),
            ("The lid does not close and it leaks.", "en"),
            ("Superb kettle!", "en"),
            ("sent mine back", "en"),
            ("良い商品です。とても使いやすい", "other"),
            ("배송이 빠르고 좋아요", "other"),
            ("Очень хороший чайник", "other"),
            ("Très bon produit, je suis satisfait de la livraison", "other"),
            ("Der Wasserkocher ist sehr gut und die Lieferung war schnell", "other"),
            ("El producto es muy bueno y la entrega fue rápida", "other"),
            ("Het product is goed en de levering was snel", "other"),
            ("منتج رائع", "other"),
            ("12345 !!!", "other"),
            ("", "other"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_unsure_says_so() {
        assert!(tongue("Superb kettle").confidence <= 0.5);
        assert_eq!(tongue("!?").confidence, 0.0);
        assert!(tongue("这个水壶很好用").confidence > 0.99);
        assert!(tongue("This is the best kettle that I have ever had in my kitchen").confidence > 0.85);
    }

    proptest! {
        #[test]
        fn any_text_has_a_language_and_a_confidence(text in "\\PC{0,80}") {
            let found = tongue(&text);
            prop_assert!(["zh", "en", "other"].contains(&found.language.as_str()));
            prop_assert!((0.0..=1.0).contains(&found.confidence));
        }

        #[test]
        fn digits_and_signs_change_nothing(noise in "[0-9 .!?]{0,20}") {
            for text in ["房间很干净", "the lid leaks"] {
                prop_assert_eq!(of(&format!("{noise} {text} {noise}")), of(text));
            }
        }
    }
}
