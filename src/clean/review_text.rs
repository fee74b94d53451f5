//! What can be wrong with a review's words themselves.

use crate::domain::ReviewText;

/// Not one letter in it.
pub(super) fn has_no_words(text: &str) -> bool {
    !text.chars().any(char::is_alphabetic)
}

/// Replaced characters, control characters, or UTF-8 that was read as Latin-1 or GBK once.
pub(super) fn is_broken(text: &str) -> bool {
    let mut before = ' ';
    let is_sign = |(this, before): (char, char)| match this {
        '\u{fffd}' => true,
        // "Ã©" for "é", "Â£" for "£"; "â€" begins what was a dash or a quote.
        '\u{80}'..='\u{bf}' => matches!(before, 'Ã' | 'Â'),
        '€' => before == 'â',
        _ => is_control(this),
    };
    let pairs = text.chars().map(|this| (this, std::mem::replace(&mut before, this)));
    pairs.into_iter().any(is_sign) || text.contains("锟斤拷")
}

fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// Without characters that say nothing; nothing where no words would be left.
pub(super) fn mended(text: &str) -> Option<ReviewText> {
    let kept: String = text.chars().filter(|c| *c != '\u{fffd}' && !is_control(*c)).collect();
    (kept.len() < text.len()).then(|| ReviewText::parse(&kept).ok()).flatten()
}

/// Begins with a sign that only stands inside or at the end of a sentence.
pub(super) fn is_fragment(text: &str) -> bool {
    text.trim_start().starts_with(['，', '。', '、', '；', '：', '）', '】', '》', '”', '’', '？', '！', ',', ']', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_and_whole_texts_are_told_apart() {
        for (text, broken) in [
            ("caf\u{fffd}", true),
            ("CafÃ© crÃ¨me", true),
            ("itâ€™s fine", true),
            ("a\u{7}b", true),
            ("锟斤拷锟斤拷", true),
            ("Café crème, it’s fine", false),
            ("两行\n文字\t好", false),
            ("São Paulo, NÃO", false),
            ("10 € für alle", false),
        ] {
            assert_eq!(is_broken(text), broken, "{text:?}");
        }
    }

    #[test]
    fn fragments_begin_in_the_middle() {
        for (text, fragment) in [
            ("，但是服务不错", true),
            (" 、房间小", true),
            (", but the lid leaks", true),
            ("“很好”", false),
            ("...and it works", false),
            (":) fine", false),
            ("（附图）好", false),
        ] {
            assert_eq!(is_fragment(text), fragment, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn mending_leaves_only_what_says_something(text in "[a中\\x07\u{fffd}\n ]{0,12}") {
            if let Some(mended) = mended(&text) {
                prop_assert!(!is_broken(mended.as_str()));
                prop_assert_eq!(super::mended(mended.as_str()), None);
            }
        }
    }
}
