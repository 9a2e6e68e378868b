//! Changes of single fields of a log.

use std::cell::Cell;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};

use crate::{Location, TraceLog, ValidationError, did_you_mean, null};

/// Fields that say which log it is, and whose, and so cannot change.
const IDENTITY: [&str; 6] =
    ["trace_id", "root_trace_id", "parent_trace_id", "organization_id", "project_name", "project_uuid"];

/// The body of `PUT /trace_log` (`UpdateLogSchema`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UpdateLogSchema"))]
pub struct UpdateLog {
    /// The log to change; one that is not stored yet is completed when it comes.
    pub trace_id: String,
    /// Fields of [`TraceLog`] and their new values; null clears.
    pub field_name_to_value_map: Map<String, Value>,
    /// Root of the trace, where the client knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_trace_id: Option<String>,
    /// Ours: maps merge, lists append, scores of one name are replaced, instead of whole fields.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub merge: bool,
}

impl UpdateLog {
    /// A change of nothing yet.
    ///
    /// ```
    /// use parea_types::UpdateLog;
    /// let update = UpdateLog::new("6f0c…").set("output", "Hello").set("tags", vec!["seen"]);
    /// assert!(update.check().is_empty());
    /// ```
    pub fn new(trace_id: impl Into<String>) -> Self {
        Self { trace_id: trace_id.into(), ..Self::default() }
    }

    /// Sets a field of the log; null clears it.
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.field_name_to_value_map.insert(field.into(), value.into());
        self
    }

    /// Adds to what is there instead of replacing it: maps merge, lists append, scores of one name are replaced. Servers
    /// other than ours replace all the same.
    #[must_use]
    pub fn merging(mut self) -> Self {
        self.merge = true;
        self
    }

    /// What is wrong with the fields: names that no log has, fields of identity, values of the wrong type. Empty when
    /// the update can be applied as it is.
    ///
    /// Each fault's place is `["body", "field_name_to_value_map", NAME]`.
    pub fn check(&self) -> Vec<ValidationError> {
        self.field_name_to_value_map.iter().filter_map(|(name, value)| check_field(name, value).err()).collect()
    }
}

impl TraceLog {
    /// The names of all its fields as the wire has them.
    pub fn field_names() -> &'static [&'static str] {
        let asked = Cell::new([].as_slice());
        // Always an error: there is no data.
        let _ = Self::deserialize(AskForFields(&asked));
        asked.get()
    }

    /// Whether a field says which log it is, so that an update may not name it.
    pub fn is_identity_field(name: &str) -> bool {
        IDENTITY.contains(&name)
    }
}

fn check_field(name: &str, value: &Value) -> Result<(), ValidationError> {
    let loc = || ["body", "field_name_to_value_map", name].map(Location::from).to_vec();
    let fault = |kind: &str, msg: String| ValidationError { loc: loc(), msg, kind: kind.to_owned() };
    if TraceLog::is_identity_field(name) {
        return Err(fault("frozen_field", format!("`{name}` says which log it is and cannot be changed")));
    }
    if !TraceLog::field_names().contains(&name) {
        let changeable = TraceLog::field_names().iter().copied().filter(|name| !TraceLog::is_identity_field(name));
        let hint = did_you_mean::closest(name, changeable)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let shown: String = name.chars().take(64).collect();
        return Err(fault("extra_forbidden", format!("A log has no field `{shown}`{hint}")));
    }
    if value.is_null() {
        if name == "start_timestamp" {
            return Err(fault("string_type", "Input should be a time as a string, not null".to_owned()));
        }
        return Ok(());
    }
    match read_alone(name, value) {
        Err(error) => Err(ValidationError::from_serde(loc(), &error.to_string())),
        Ok(TraceLog { log_sample_rate: Some(rate), .. }) if !(0.0..=1.0).contains(&rate) => {
            Err(fault("less_than_equal", "Input should be between 0 and 1".to_owned()))
        }
        Ok(_) => Ok(()),
    }
}

/// Reads a log of which nothing but this field is given.
fn read_alone(name: &str, value: &Value) -> serde_json::Result<TraceLog> {
    let (id, time) = (Value::from("-"), Value::from("1970-01-01T00:00:00Z"));
    let required =
        [("trace_id", &id), ("start_timestamp", &time)].into_iter().filter(|(required, _)| *required != name);
    TraceLog::deserialize(MapDeserializer::new(required.chain([(name, value)])))
}

/// A source of data that a struct asks for its fields, and which notes the question in place of an answer. So no list
/// of names has to be kept beside the struct.
struct AskForFields<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for AskForFields<'_> {
    type Error = de::value::Error;

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("there is no data"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
