//! Texts into token ids: `tokenizer.json` as it is, but for its truncation and padding, which are the model's to say.

use crate::embed::{EmbedError, TokenIds};
use rayon::prelude::*;
use std::path::Path;
use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::{
    NormalizerWrapper, PostProcessor, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy,
};

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
        let n_special = tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(false));
        if n_special == 0 {
            return Err(bad("adds no special tokens, and the family's models want them around every text".into()));
        }
        if settings.max_tokens <= n_special {
            let max_tokens = settings.max_tokens;
            return Err(bad(format!(
                "adds {n_special} special tokens, so max_tokens {max_tokens} leaves none for the text"
            )));
        }
        tokenizer.with_padding(None);
        tokenizer.with_truncation(Some(truncation(settings.max_tokens))).map_err(|error| bad(error.to_string()))?;
        if settings.lower_case {
            lower_case(&mut tokenizer).map_err(|error| bad(error.to_string()))?;
        }
        Ok(Self { tokenizer, prefix: settings.prefix.to_owned() })
    }

    /// Tokens of every text, in the texts' order; `prefix` goes before each, None is the model's own.
    ///
    /// A text is never cut before it is tokenised: a normaliser may drop or merge any number of characters, so no
    /// count of characters is sure to hold the first tokens. All the family's tokenisers take linear time anyhow.
    pub fn encode(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        let prefix = prefix.unwrap_or(&self.prefix);
        texts.par_iter().map(|text| self.encode_one(text, prefix)).collect()
    }

    fn encode_one(&self, text: &str, prefix: &str) -> Result<TokenIds, EmbedError> {
        let encoding = match prefix {
            "" => self.tokenizer.encode_fast(text, true),
            prefix => self.tokenizer.encode_fast(format!("{prefix}{text}"), true),
        };
        let encoding =
            encoding.map_err(|error| EmbedError::Forward(format!("a text could not be tokenised: {error}")))?;
        Ok(TokenIds { ids: encoding.get_ids().to_vec(), truncated: !encoding.get_overflowing().is_empty() })
    }
}

fn truncation(max_tokens: usize) -> TruncationParams {
    TruncationParams {
        direction: TruncationDirection::Right,
        max_length: max_tokens,
        strategy: TruncationStrategy::LongestFirst,
        stride: 0,
    }
}

/// Lower-cases before the tokeniser's own normaliser, unless that lower-cases already.
fn lower_case(tokenizer: &mut Tokenizer) -> tokenizers::Result<()> {
    let mut steps: Vec<NormalizerWrapper> = vec![Lowercase.into()];
    steps.extend(tokenizer.get_normalizer().cloned());
    tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
    Ok(())
}
