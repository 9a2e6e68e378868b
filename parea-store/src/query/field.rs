//! What of a log a condition looks at.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How the values of a field are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exactly; by size when it holds a number or a time and is compared with one.
    Text,
    /// By value.
    Number,
    /// As instants.
    Time,
    /// `true` or `false`, never absent.
    Bool,
    /// By its elements.
    List,
    /// As JSON text. With a key, by what stands there.
    Map,
}

/// A field of a log by its wire name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogField {
    name: &'static str,
    kind: Kind,
}

const fn field(name: &'static str, kind: Kind) -> LogField {
    LogField { name, kind }
}

impl LogField {
    /// Every field that a log has on the wire.
    pub const ALL: &[Self] = &[
        field("trace_id", Kind::Text),
        field("root_trace_id", Kind::Text),
        field("parent_trace_id", Kind::Text),
        field("trace_name", Kind::Text),
        field("start_timestamp", Kind::Time),
        field("end_timestamp", Kind::Time),
        field("latency", Kind::Number),
        field("depth", Kind::Number),
        field("execution_order", Kind::Number),
        field("children", Kind::List),
        field("children_ids", Kind::List),
        field("fill_children", Kind::Bool),
        field("inputs", Kind::Map),
        field("output", Kind::Text),
        field("target", Kind::Text),
        field("status", Kind::Text),
        field("error", Kind::Text),
        field("configuration", Kind::Map),
        field("input_tokens", Kind::Number),
        field("output_tokens", Kind::Number),
        field("total_tokens", Kind::Number),
        field("cost", Kind::Number),
        field("time_to_first_token", Kind::Number),
        field("cache_hit", Kind::Bool),
        field("deployment_id", Kind::Text),
        field("scores", Kind::List),
        field("output_for_eval_metrics", Kind::Text),
        field("evaluation_metric_names", Kind::List),
        field("evaluation_metric_ids", Kind::List),
        field("apply_eval_frac", Kind::Number),
        field("log_sample_rate", Kind::Number),
        field("feedback_score", Kind::Number),
        field("metadata", Kind::Map),
        field("tags", Kind::List),
        field("end_user_identifier", Kind::Text),
        field("session_id", Kind::Text),
        field("experiment_uuid", Kind::Text),
        field("images", Kind::List),
        field("comments", Kind::List),
        field("annotations", Kind::Map),
        field("project_name", Kind::Text),
        field("project_uuid", Kind::Text),
        field("organization_id", Kind::Text),
        field("last_updated_at", Kind::Time),
    ];

    /// The field of that wire name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|field| field.name == name).copied()
    }

    /// Its wire name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// How it is compared.
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The member by which a list's records are known: scores by name, images by address, comments by their text.
    pub(super) fn known_by(self) -> Option<&'static str> {
        match self.name {
            "scores" => Some("name"),
            "images" => Some("url"),
            "comments" => Some("comment"),
            _ => None,
        }
    }
}

impl Serialize for LogField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for LogField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| de::Error::custom(format_args!("`{name}` is no field of a log")))
    }
}

/// What a criterion's verdicts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnnotationType {
    /// Numbers, in `score`.
    Continuous,
    /// Words, in `value`.
    Categorical,
}

/// What a condition looks at. Where it finds several values, as with scores of one name, one that fits is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// A whole field.
    Log(LogField),
    /// The value at a key of a map.
    Key(LogField, String),
    /// Scores of that name.
    Score(String),
    /// All users' verdicts by the criterion of that id.
    Annotation(AnnotationType, String),
}

impl Field {
    /// How its values are compared. Values in maps are free: the SDKs send them all as text.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Log(field) => field.kind,
            Self::Key(..) | Self::Annotation(AnnotationType::Categorical, _) => Kind::Text,
            Self::Score(_) | Self::Annotation(AnnotationType::Continuous, _) => Kind::Number,
        }
    }

    /// The field of the log in which it is found.
    pub fn holder(&self) -> &'static str {
        match self {
            Self::Log(field) | Self::Key(field, _) => field.name,
            Self::Score(_) => "scores",
            Self::Annotation(..) => "annotations",
        }
    }
}
