//! A model's tokeniser as others than the model may use it: token ids that callers bring, texts cut at either end, tokens shown
//! to people. It needs no forward pass, so it is shared instead of standing behind the model's queue.

use super::{EmbedError, TokenIds};
use std::fmt;
use std::sync::Arc;

/// Which end of a text that is too long is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    Start,
    #[default]
    End,
}

/// One token as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    /// The part of the text it stands for; a special token's name.
    pub text: String,
    pub special: bool,
    /// From which character of prefix and text to before which; None for special tokens.
    pub span: Option<(usize, usize)>,
}

/// What a tokeniser does. `prefix` goes before every text; None is the model's own.
pub trait Tokens: Send + Sync {
    /// Every text's own ids, in the texts' order: not cut, and without the special ones.
    ///
    /// # Errors
    /// [`EmbedError::Forward`] alone: the tokeniser failed.
    fn own_ids(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<Vec<u32>>, EmbedError>;

    /// A text's own ids made ready for the model: cut where they are too many, the special ones around them. A model's
    /// `tokenize` is `own_ids` and this, cut at the end.
    fn wrap(&self, own: &[u32], cut: Cut) -> TokenIds;

    /// Every text's tokens as people read them, in the texts' order, not cut; `special`: with the special ones.
    ///
    /// # Errors
    /// [`EmbedError::Forward`] alone: the tokeniser failed.
    fn spell(&self, texts: &[&str], prefix: Option<&str>, special: bool) -> Result<Vec<Vec<Token>>, EmbedError>;
}

/// Texts that are tokenised in one go: who comes meanwhile waits for so many.
const PIECE_TEXTS: usize = 64;

/// A tokeniser in several hands. Tokenising runs on the threads that are there for it, piece by piece; the caller waits, so an
/// async one calls from a thread that may.
#[derive(Clone)]
pub struct SharedTokens(Arc<dyn Tokens>);

impl SharedTokens {
    pub fn new(tokens: Arc<dyn Tokens>) -> Self {
        Self(tokens)
    }

    /// As [`Tokens::own_ids`].
    ///
    /// # Errors
    /// As there.
    pub fn own_ids(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<Vec<u32>>, EmbedError> {
        in_pieces(texts, |piece| self.0.own_ids(piece, prefix))
    }

    /// As [`Tokens::wrap`].
    pub fn wrap(&self, own: &[u32], cut: Cut) -> TokenIds {
        self.0.wrap(own, cut)
    }

    /// As [`Tokens::spell`].
    ///
    /// # Errors
    /// As there.
    pub fn spell(&self, texts: &[&str], prefix: Option<&str>, special: bool) -> Result<Vec<Vec<Token>>, EmbedError> {
        in_pieces(texts, |piece| self.0.spell(piece, prefix, special))
    }
}

fn in_pieces<T: Send>(
    texts: &[&str],
    work: impl Fn(&[&str]) -> Result<Vec<T>, EmbedError> + Sync,
) -> Result<Vec<T>, EmbedError> {
    let mut all = Vec::with_capacity(texts.len());
    for piece in texts.chunks(PIECE_TEXTS) {
        all.extend(crate::compute::for_tokens(|| work(piece))?);
    }
    Ok(all)
}

impl fmt::Debug for SharedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedTokens")
    }
}

/// The same tokeniser, not one that does the same.
impl PartialEq for SharedTokens {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
