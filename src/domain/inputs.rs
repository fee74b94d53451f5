//! What a segmentation looks at: blocks and their weights, features and traits to take or leave, the moment it is made as of.

use super::{Invalid, Timestamp};
use serde::{Deserialize, Serialize};

/// One side of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// What they say.
    Text,
    /// What they do.
    Behaviour,
    /// What is known of them.
    Traits,
}

impl BlockKind {
    pub const ALL: [Self; 3] = [Self::Text, Self::Behaviour, Self::Traits];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Behaviour => "behaviour",
            Self::Traits => "traits",
        }
    }
}

/// How much each block counts: λ of `distance² = Σ λ_b d_b²`; 0 leaves a block out.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockWeights {
    pub text: f64,
    pub behaviour: f64,
    pub traits: f64,
}

/// The largest weight that is taken.
pub const MAX_WEIGHT: f64 = 1000.0;

impl BlockWeights {
    /// What people say, alone.
    pub const TEXT: Self = Self { text: 1.0, behaviour: 0.0, traits: 0.0 };

    pub fn of(&self, block: BlockKind) -> f64 {
        match block {
            BlockKind::Text => self.text,
            BlockKind::Behaviour => self.behaviour,
            BlockKind::Traits => self.traits,
        }
    }

    /// The weights that a function gives to each block.
    pub fn each(weight: impl Fn(BlockKind) -> f64) -> Self {
        let [text, behaviour, traits] = BlockKind::ALL.map(weight);
        Self { text, behaviour, traits }
    }

    pub fn total(&self) -> f64 {
        BlockKind::ALL.iter().map(|block| self.of(*block)).sum()
    }

    /// The blocks that count.
    pub fn blocks(&self) -> impl Iterator<Item = BlockKind> {
        let weights = *self;
        BlockKind::ALL.into_iter().filter(move |block| weights.of(*block) > 0.0)
    }

    /// Whether texts alone count.
    pub fn is_text_alone(&self) -> bool {
        self.blocks().eq([BlockKind::Text])
    }

    /// # Errors
    /// A weight is not from 0 to 1,000, or all are 0.
    pub fn check(self) -> Result<Self, Invalid> {
        let wrong = BlockKind::ALL.into_iter().find(|block| !(0.0..=MAX_WEIGHT).contains(&self.of(*block)));
        if let Some(block) = wrong {
            let found = self.of(block);
            return Err(Invalid::new(
                "blocks",
                format!("gives {} the weight {found}; 0 to 1000 are taken", block.as_str()),
            ));
        }
        if self.blocks().next().is_none() {
            return Err(Invalid::new("blocks", "leaves every block out; give one a weight above 0"));
        }
        Ok(self)
    }
}

/// Which blocks count, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockChoice {
    /// Every block the workspace has data for, each with weight 1.
    All,
    /// Weights are sought by stability and by how well segments predict the last period.
    Auto,
    Weights(BlockWeights),
}

impl BlockChoice {
    /// Reads `all` or `auto`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        match word {
            "all" => Ok(Self::All),
            "auto" => Ok(Self::Auto),
            _ => {
                let detail =
                    format!("is {word:?}; give all, auto, or weights such as {{\"text\": 1, \"behaviour\": 1}}");
                Err(Invalid::new("blocks", detail))
            }
        }
    }
}

/// Columns by their names: all, some alone, or all but some. A name that ends in `*` stands for all that begin like it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Picked {
    /// Empty: all.
    pub only: Vec<String>,
    pub without: Vec<String>,
}

impl Picked {
    pub fn takes(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|pattern| matches(pattern, name));
        (self.only.is_empty() || named(&self.only)) && !named(&self.without)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// What customers are grouped by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    pub blocks: BlockChoice,
    /// Features of the behaviour block, by id.
    #[serde(default)]
    pub features: Picked,
    /// Traits, by name.
    #[serde(default)]
    pub traits: Picked,
    /// Facts until then count; all there are where nothing is said.
    #[serde(default)]
    pub as_of: Option<Timestamp>,
}

impl Inputs {
    /// What people say, alone: what every segmentation was before there were blocks.
    pub fn text_alone() -> Self {
        Self { blocks: BlockChoice::Weights(BlockWeights::TEXT), ..Self::default() }
    }

    /// Whether nothing but texts can count.
    pub fn is_text_alone(&self) -> bool {
        matches!(self.blocks, BlockChoice::Weights(weights) if weights.is_text_alone())
    }

    /// Whether texts can count.
    pub fn may_use(&self, block: BlockKind) -> bool {
        match self.blocks {
            BlockChoice::All | BlockChoice::Auto => true,
            BlockChoice::Weights(weights) => weights.of(block) > 0.0,
        }
    }
}

impl Default for Inputs {
    /// Everything there is.
    fn default() -> Self {
        Self { blocks: BlockChoice::All, features: Picked::default(), traits: Picked::default(), as_of: None }
    }
}

/// How customers are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Algorithm {
    #[default]
    #[serde(rename = "kmeans")]
    KMeans,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KMeans => "kmeans",
        }
    }

    /// # Errors
    /// There is no such algorithm.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        match word {
            "kmeans" => Ok(Self::KMeans),
            _ => Err(Invalid::new("algorithm", format!("is {word:?}; kmeans is there"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_pick_columns_alone_by_their_beginning_and_less_some() {
        let picked = |only: &[&str], without: &[&str]| Picked {
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            without: without.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert!(Picked::default().takes("recency"));
        assert!(picked(&["recency"], &[]).takes("recency") && !picked(&["recency"], &[]).takes("recency2"));
        assert!(picked(&["category_share:*"], &[]).takes("category_share:tea"));
        assert!(!picked(&["category_share:*"], &["category_share:tea"]).takes("category_share:tea"));
        assert!(!picked(&[], &["*"]).takes("recency"));
    }

    #[test]
    fn weights_are_finite_not_negative_and_not_all_zero() {
        for (weights, says) in [
            (BlockWeights { text: -1.0, ..BlockWeights::TEXT }, "gives text the weight -1"),
            (BlockWeights { behaviour: f64::NAN, ..BlockWeights::TEXT }, "gives behaviour the weight NaN"),
            (BlockWeights { traits: 1e9, ..BlockWeights::TEXT }, "gives traits the weight 1000000000"),
            (BlockWeights::default(), "leaves every block out"),
        ] {
            let refused = weights.check().unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn inputs_read_back_as_they_were_written(
            weights in prop::array::uniform3(0.0..1000.0f64), kind in 0..3u8,
            only in prop::collection::vec("[a-z]{1,4}", 0..3), seconds in prop::option::of(0..4_000_000_000i64),
        ) {
            let [text, behaviour, traits] = weights;
            let blocks = match kind {
                0 => BlockChoice::All,
                1 => BlockChoice::Auto,
                _ => BlockChoice::Weights(BlockWeights { text, behaviour, traits }),
            };
            let as_of = seconds.map(|seconds| Timestamp::from_second(seconds).unwrap());
            let inputs = Inputs { blocks, features: Picked { only, without: vec![] }, traits: Picked::default(), as_of };
            let text = serde_json::to_string(&inputs).unwrap();
            prop_assert_eq!(serde_json::from_str::<Inputs>(&text).unwrap(), inputs);
        }
    }
}
