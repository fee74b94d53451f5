//! Texts into token ids: `tokenizer.json` as it is, but for its truncation and padding, which are the model's to say.
//!
//! The tokeniser itself never cuts and never adds special tokens: a text's own ids are cut here and the special ones, which
//! the post-processor puts around every text alike, are joined on. So token ids that a caller brings take the same way as a
//! text's.

use crate::embed::{Cut, EmbedError, Token, TokenIds, Tokens};
use rayon::prelude::*;
use std::path::Path;
use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::{Encoding, NormalizerWrapper, Tokenizer};

/// What the folder's files ask of the tokeniser beyond `tokenizer.json`.
#[derive(Debug, Clone, Copy)]
pub struct TokenSettings<'a> {
    /// Put before every text.
    pub prefix: &'a str,
    /// Tokens a text is cut to, the special ones included.
    pub max_tokens: usize,
    pub lower_case: bool,
    /// Rows of the model's table of words: no token may have a higher id.
    pub n_words: usize,
}

pub struct TextTokenizer {
    tokenizer: Tokenizer,
    prefix: String,
    /// Tokens of a text's own that fit beside the special ones.
    n_room: usize,
    /// Special tokens before every text, and after it.
    before: Vec<u32>,
    after: Vec<u32>,
}

impl TextTokenizer {
    pub fn read(file: &Path, settings: TokenSettings<'_>) -> Result<Self, EmbedError> {
        let bad = |why: String| EmbedError::BadFile { file: file.to_path_buf(), why };
        let mut tokenizer = Tokenizer::from_file(file).map_err(|error| bad(format!("not a tokenizer: {error}")))?;
        let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or_default() as usize;
        if highest >= settings.n_words {
            let n_words = settings.n_words;
            return Err(bad(format!(
                "has a token {highest}, but the weights know {n_words}; they do not belong together"
            )));
        }
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        let (before, after) = special_tokens(&tokenizer).map_err(bad)?;
        let n_special = before.len() + after.len();
        if n_special == 0 {
            return Err(bad("adds no special tokens, and the family's models want them around every text".into()));
        }
        if settings.max_tokens <= n_special {
            let max_tokens = settings.max_tokens;
            return Err(bad(format!(
                "adds {n_special} special tokens, so max_tokens {max_tokens} leaves none for the text"
            )));
        }
        if settings.lower_case {
            lower_case(&mut tokenizer).map_err(|error| bad(error.to_string()))?;
        }
        Ok(Self {
            tokenizer,
            prefix: settings.prefix.to_owned(),
            n_room: settings.max_tokens - n_special,
            before,
            after,
        })
    }

    /// Tokens of every text, in the texts' order; `prefix` goes before each, None is the model's own.
    pub fn encode(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        let encode = |text: &&str| Ok(self.wrap(self.encode_one(text, prefix)?.get_ids(), Cut::End));
        texts.par_iter().map(encode).collect()
    }

    /// A text is never cut before it is tokenised: a normaliser may drop or merge any number of characters, so no count of
    /// characters is sure to hold the first tokens. All the family's tokenisers take linear time anyhow.
    fn encode_one(&self, text: &str, prefix: Option<&str>) -> Result<Encoding, EmbedError> {
        let encoding = match prefix.unwrap_or(&self.prefix) {
            "" => self.tokenizer.encode_fast(text, false),
            prefix => self.tokenizer.encode_fast(format!("{prefix}{text}"), false),
        };
        encoding.map_err(failed)
    }

    fn spell_one(&self, text: &str, prefix: Option<&str>, special: bool) -> Result<Vec<Token>, EmbedError> {
        let whole = format!("{}{text}", prefix.unwrap_or(&self.prefix));
        let encoding = self.tokenizer.encode(whole.as_str(), false).map_err(failed)?;
        let own = encoding.get_ids().iter().zip(encoding.get_offsets());
        // Offsets come in bytes and go out in characters; they rise, but neighbours may overlap, hence the two counters.
        let (mut starts, mut stops) = (CharCount::new(&whole), CharCount::new(&whole));
        let own = own.map(|(&id, &(start, stop))| Token {
            id,
            text: whole.get(start..stop).unwrap_or_default().to_owned(),
            special: false,
            span: Some((starts.up_to(start), stops.up_to(stop))),
        });
        if !special {
            return Ok(own.collect());
        }
        Ok(self.marks(&self.before).chain(own).chain(self.marks(&self.after)).collect())
    }

    fn marks<'a>(&'a self, ids: &'a [u32]) -> impl Iterator<Item = Token> + 'a {
        ids.iter().map(|&id| Token {
            id,
            text: self.tokenizer.id_to_token(id).unwrap_or_default(),
            special: true,
            span: None,
        })
    }
}

impl Tokens for TextTokenizer {
    fn own_ids(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<Vec<u32>>, EmbedError> {
        texts.par_iter().map(|text| Ok(self.encode_one(text, prefix)?.get_ids().to_vec())).collect()
    }

    fn wrap(&self, own: &[u32], cut: Cut) -> TokenIds {
        let n_kept = own.len().min(self.n_room);
        let kept = match cut {
            Cut::Start => &own[own.len() - n_kept..],
            Cut::End => &own[..n_kept],
        };
        TokenIds { ids: [&self.before, kept, &self.after].concat(), truncated: n_kept < own.len() }
    }

    fn spell(&self, texts: &[&str], prefix: Option<&str>, special: bool) -> Result<Vec<Vec<Token>>, EmbedError> {
        texts.par_iter().map(|text| self.spell_one(text, prefix, special)).collect()
    }
}

fn failed(error: tokenizers::Error) -> EmbedError {
    EmbedError::Forward(format!("a text could not be tokenised: {error}"))
}

/// How many characters lie before a byte, counted on from the byte asked for last.
struct CharCount<'a> {
    text: &'a str,
    byte: usize,
    n_chars: usize,
}

impl<'a> CharCount<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, byte: 0, n_chars: 0 }
    }

    fn up_to(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.n_chars) = (0, 0);
        }
        self.n_chars += self.text.get(self.byte..byte).unwrap_or_default().chars().count();
        self.byte = byte;
        self.n_chars
    }
}

/// What the post-processor puts before a text and after it: seen on a text of one token.
fn special_tokens(tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<u32>), String> {
    let token = tokenizers::Token::new(0, String::new(), (0, 0));
    let one = Encoding::from_tokens(vec![token], 0);
    let around = tokenizer.post_process(one, None, true).map_err(|error| error.to_string())?;
    let own: Vec<usize> = (0..around.len()).filter(|&at| around.get_special_tokens_mask()[at] == 0).collect();
    let [own] = own[..] else {
        return Err("its post-processor does not keep a text's tokens as they are, once".into());
    };
    Ok((around.get_ids()[..own].to_vec(), around.get_ids()[own + 1..].to_vec()))
}

/// Lower-cases before the tokeniser's own normaliser, unless that lower-cases already.
fn lower_case(tokenizer: &mut Tokenizer) -> tokenizers::Result<()> {
    let mut steps: Vec<NormalizerWrapper> = vec![Lowercase.into()];
    steps.extend(tokenizer.get_normalizer().cloned());
    tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::fixture::{TINY, tiny};
    use proptest::prelude::*;
    use std::sync::OnceLock;

    const MAX_TOKENS: usize = 9;

    /// The tokenisers of the four tiny models: BERT's, byte-level, unigram, and BERT's again.
    fn tokenizers() -> &'static [TextTokenizer] {
        static ALL: OnceLock<Vec<TextTokenizer>> = OnceLock::new();
        let settings = TokenSettings { prefix: "", max_tokens: MAX_TOKENS, lower_case: false, n_words: 100_000 };
        let read = |family: &&str| TextTokenizer::read(&tiny(family).join("tokenizer.json"), settings).unwrap();
        ALL.get_or_init(|| TINY.iter().map(read).collect())
    }

    fn ids(tokens: &[Token]) -> Vec<u32> {
        tokens.iter().map(|token| token.id).collect()
    }

    /// Words of several scripts, and any characters at all.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-zé中文 ,😀]{0,30}", any::<String>()]
    }

    proptest! {
        #[test]
        fn spelling_own_ids_and_the_models_tokens_agree(text in text(), prefix in "[a-z中: ]{0,6}") {
            for tokenizer in tokenizers() {
                let (texts, prefix) = ([text.as_str()], Some(prefix.as_str()));
                let own = tokenizer.own_ids(&texts, prefix).unwrap().remove(0);
                let plain = tokenizer.spell(&texts, prefix, false).unwrap().remove(0);
                let marked = tokenizer.spell(&texts, prefix, true).unwrap().remove(0);
                let tokens = tokenizer.encode(&texts, prefix).unwrap().remove(0);
                prop_assert_eq!(&ids(&plain), &own);
                prop_assert_eq!(tokens.truncated, marked.len() > MAX_TOKENS);
                prop_assert_eq!(tokens.ids.len(), marked.len().min(MAX_TOKENS));
                if !tokens.truncated {
                    prop_assert_eq!(tokens.ids, ids(&marked));
                }
                prop_assert!(plain.iter().all(|token| !token.special));
                prop_assert_eq!(marked.iter().filter(|token| token.special).count(), marked.len() - plain.len());
            }
        }

        #[test]
        fn a_tokens_span_holds_its_text(text in text(), prefix in "[a-z中: ]{0,6}") {
            let whole: Vec<char> = prefix.chars().chain(text.chars()).collect();
            for tokenizer in tokenizers() {
                for token in tokenizer.spell(&[&text], Some(&prefix), false).unwrap().remove(0) {
                    let (start, stop) = token.span.unwrap();
                    prop_assert_eq!(whole[start..stop].iter().collect::<String>(), token.text);
                }
            }
        }

        #[test]
        fn a_cut_keeps_the_end_that_was_asked_for(own in prop::collection::vec(5u32..20, 0..30)) {
            for tokenizer in tokenizers() {
                let (n_before, n_after) = (tokenizer.before.len(), tokenizer.after.len());
                for cut in [Cut::Start, Cut::End] {
                    let TokenIds { ids, truncated } = tokenizer.wrap(&own, cut);
                    let kept = &ids[n_before..ids.len() - n_after];
                    let expected = if cut == Cut::End { &own[..kept.len()] } else { &own[own.len() - kept.len()..] };
                    prop_assert_eq!(kept, expected);
                    prop_assert_eq!(truncated, own.len() > kept.len());
                    prop_assert_eq!(ids.len(), (own.len() + n_before + n_after).min(MAX_TOKENS));
                }
            }
        }
    }

    #[test]
    fn special_tokens_have_names_and_no_place_in_the_text() {
        let tokens = tokenizers()[0].spell(&["中 a"], Some("a "), true).unwrap().remove(0);
        let spelled: Vec<_> = tokens.iter().map(|token| (token.text.as_str(), token.span)).collect();
        assert_eq!(spelled.first(), Some(&("[CLS]", None)));
        assert_eq!(spelled.last(), Some(&("[SEP]", None)));
        assert_eq!(spelled[spelled.len() - 2], ("a", Some((4, 5))), "places are in characters, the prefix counted");
    }
}
