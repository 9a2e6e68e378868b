//! When a value was said, and with what authority.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whose word a value is. The greater outranks the smaller, whatever the times say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rank {
    /// A default in a `POST`: most clients write every field, said or not.
    Default,
    /// Anything else in a `POST`.
    Post,
    /// A `PUT` or feedback.
    Put,
}

/// Decides between two values of one cell: the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp {
    /// Authority first.
    pub(crate) rank: Rank,
    /// Then the client's `last_updated_at` in microseconds; without one it is older than any.
    pub(crate) updated: Option<i64>,
    /// Then the order of arrival, unique to a patch.
    pub(crate) arrival: u64,
}

impl Stamp {
    /// The stamp of a value that is, or is not, its field's default.
    pub(crate) fn for_default(self, is_default: bool) -> Self {
        match self.rank {
            Rank::Post if is_default => Self { rank: Rank::Default, ..self },
            _ => self,
        }
    }

    /// Whether both say the same but for the moment of arrival, as a patch and its repetition do.
    pub(crate) fn repeats(self, other: Self) -> bool {
        self.rank == other.rank && self.updated == other.updated
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.rank as u8, self.updated, self.arrival).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (rank, updated, arrival) = <(u8, _, _)>::deserialize(deserializer)?;
        let rank = match rank {
            0 => Rank::Default,
            1 => Rank::Post,
            _ => Rank::Put,
        };
        Ok(Self { rank, updated, arrival })
    }
}
