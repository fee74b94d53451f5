//! A text into terms: words and pairs of neighbouring words, English and Chinese side by side.

use jieba_rs::Jieba;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that stand in reviews of anything and tell nothing about what they are of, beyond a language's function words.
const REVIEW_WORDS: &[&str] = &[
    "also",
    "always",
    "another",
    "anything",
    "around",
    "back",
    "bit",
    "buy",
    "came",
    "come",
    "could",
    "day",
    "days",
    "done",
    "enough",
    "even",
    "ever",
    "every",
    "everything",
    "far",
    "find",
    "first",
    "found",
    "gave",
    "get",
    "gets",
    "getting",
    "give",
    "go",
    "goes",
    "going",
    "good",
    "got",
    "great",
    "however",
    "keep",
    "kept",
    "know",
    "last",
    "like",
    "little",
    "long",
    "look",
    "lot",
    "love",
    "made",
    "make",
    "makes",
    "many",
    "may",
    "maybe",
    "much",
    "must",
    "need",
    "never",
    "new",
    "next",
    "nice",
    "nothing",
    "one",
    "ones",
    "order",
    "pretty",
    "product",
    "put",
    "quite",
    "rather",
    "really",
    "said",
    "say",
    "see",
    "seem",
    "seems",
    "something",
    "still",
    "sure",
    "take",
    "tell",
    "thing",
    "things",
    "think",
    "though",
    "time",
    "times",
    "took",
    "tried",
    "try",
    "two",
    "use",
    "used",
    "using",
    "want",
    "wanted",
    "way",
    "week",
    "weeks",
    "well",
    "went",
    "without",
    "would",
    "yet",
];

const CHINESE_REVIEW_WORDS: &[&str] = &[
    "一下",
    "一个",
    "一些",
    "一样",
    "一点",
    "一直",
    "不会",
    "不好",
    "不是",
    "不错",
    "东西",
    "个人",
    "买",
    "买来",
    "人",
    "今天",
    "但",
    "但是",
    "使用",
    "一般",
    "出来",
    "发现",
    "只有",
    "可能",
    "问题",
    "喜欢",
    "太",
    "好像",
    "实在",
    "希望",
    "应该",
    "很多",
    "总体",
    "总的来说",
    "感觉",
    "所以",
    "挺",
    "推荐",
    "收到",
    "方面",
    "时",
    "时候",
    "有点",
    "有些",
    "来说",
    "根本",
    "次",
    "比较",
    "没",
    "没有",
    "点",
    "特别",
    "现在",
    "用",
    "真",
    "真是",
    "真的",
    "知道",
    "确实",
    "算",
    "给",
    "绝对",
    "而且",
    "能",
    "虽然",
    "觉得",
    "认为",
    "说",
    "起来",
    "还",
    "还是",
    "这么",
    "这样",
    "送",
    "都",
    "里面",
    "非常",
    "天",
    "年",
    "想",
    "看",
];

static STOP_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let known = ["en", "zh"].into_iter().filter_map(stop_words::lookup).flatten();
    known.chain(REVIEW_WORDS).chain(CHINESE_REVIEW_WORDS).copied().collect()
});

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// One word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    /// Whether the word before it in the list stands right before it in the text, with nothing but a space or hyphen between.
    follows: bool,
}

/// The terms of a text, with repetitions: every word that is no stop word, and every two such words that stand side by side.
pub fn terms(text: &str) -> Vec<String> {
    let words = words(text);
    let mut terms = Vec::with_capacity(2 * words.len());
    for (i, word) in words.iter().enumerate() {
        terms.push(word.text.clone());
        if word.follows && i > 0 && words[i - 1].text != word.text {
            terms.push(joined(&words[i - 1].text, &word.text));
        }
    }
    terms
}

/// Two words as one term: with a space between them unless both are Chinese.
fn joined(one: &str, other: &str) -> String {
    let between = if is_chinese(one) && is_chinese(other) { "" } else { " " };
    format!("{one}{between}{other}")
}

pub fn is_chinese(text: &str) -> bool {
    text.chars().any(is_han)
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Words that are no stop words, in order.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut adjacent = false;
    for piece in pieces(text) {
        match piece {
            Piece::Han(run) => {
                for cut in JIEBA.cut(run, false) {
                    push(cut.word.to_owned(), &mut words, &mut adjacent);
                }
            }
            Piece::Word(run) => push(run.to_lowercase().replace('\u{2019}', "'"), &mut words, &mut adjacent),
            Piece::Break => adjacent = false,
        }
    }
    words
}

fn push(text: String, words: &mut Vec<Word>, adjacent: &mut bool) {
    let text = text.trim_matches('\'');
    let text = text.strip_suffix("'s").unwrap_or(text);
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    // One Chinese character alone is a particle or says too little, and so does one letter.
    let keeps = letters >= 2 && !STOP_WORDS.contains(text);
    if keeps {
        words.push(Word { text: text.to_owned(), follows: *adjacent });
    }
    *adjacent = keeps;
}

enum Piece<'a> {
    /// Chinese characters without spaces.
    Han(&'a str),
    /// Letters, digits and apostrophes.
    Word(&'a str),
    /// What no term reaches across: punctuation, emoji, a line's end.
    Break,
}

/// Cuts a text where the script changes and at what is no word.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let class = |c: char| match c {
        _ if is_han(c) => 0,
        '\'' | '\u{2019}' => 1,
        _ if c.is_alphanumeric() => 1,
        ' ' | '\t' | '\u{a0}' | '-' => 2,
        _ => 3,
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let first = class(rest.chars().next()?);
            let end = rest.find(|c| class(c) != first).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            rest = after;
            match first {
                0 => return Some(Piece::Han(piece)),
                1 => return Some(Piece::Word(piece)),
                3 => return Some(Piece::Break),
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_pairs_of_neighbours_are_terms_and_nothing_reaches_across_a_comma() {
        assert_eq!(
            terms("The battery life is great, charger broke"),
            ["battery", "life", "battery life", "charger", "broke", "charger broke"]
        );
        assert_eq!(terms("noise-cancelling"), ["noise", "cancelling", "noise cancelling"]);
        assert_eq!(terms("I don’t like it's kids' MP3 3 4G a b"), ["kids", "mp3", "kids mp3"]);
    }

    #[test]
    fn chinese_is_cut_into_words_and_mixes_with_english() {
        let found = terms("酒店的房间很干净，iPhone屏幕不错");
        for term in ["酒店", "房间", "干净", "iphone", "屏幕", "iphone 屏幕"] {
            assert!(found.iter().any(|t| t == term), "{term} is not in {found:?}");
        }
        assert!(!found.iter().any(|t| t.contains('的') || t.contains("不错")), "{found:?}");
        assert!(terms("前台服务").contains(&"前台服务".to_owned()), "{:?}", terms("前台服务"));
    }

    #[test]
    fn what_has_no_words_has_no_terms() {
        for text in ["", "   ", "👍👍👍", "!!! ... 5/5", "10 20 30", "的了"] {
            assert_eq!(terms(text), Vec::<String>::new(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_terms_are_clean(text in "\\PC{0,80}") {
            for term in terms(&text) {
                prop_assert!(!term.trim().is_empty() && term.trim() == term);
                prop_assert!(term.split(' ').count() <= 2);
            }
        }
    }
}
