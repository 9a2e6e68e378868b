//! Logs as rows of a Parquet file: a column for each field, named as in the API. Texts, numbers and times are such;
//! what has parts is JSON.

use std::{io::Write, sync::Arc};

use parea_types::{Timestamp, TraceLog};
use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::Result,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    record::{Field, Row},
    schema::parser::parse_message_type,
};
use serde_json::{Map, Value};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
    Integer,
    Number,
    Switch,
    Time,
}

use Kind::{Integer, Json, Number, Switch, Text, Time};

/// The place of a log in the store that it came from; it is no field of the log.
const ARRIVAL: &str = "arrival";

const COLUMNS: &[(&str, Kind)] = &[
    (ARRIVAL, Integer),
    ("trace_id", Text),
    ("root_trace_id", Text),
    ("parent_trace_id", Text),
    ("trace_name", Text),
    ("project_name", Text),
    ("project_uuid", Text),
    ("organization_id", Text),
    ("start_timestamp", Time),
    ("end_timestamp", Time),
    ("last_updated_at", Time),
    ("latency", Number),
    ("time_to_first_token", Number),
    ("depth", Integer),
    ("execution_order", Integer),
    ("status", Text),
    ("error", Text),
    ("inputs", Json),
    ("output", Text),
    ("target", Text),
    ("output_for_eval_metrics", Text),
    ("configuration", Json),
    ("input_tokens", Integer),
    ("output_tokens", Integer),
    ("total_tokens", Integer),
    ("cost", Number),
    ("cache_hit", Switch),
    ("deployment_id", Text),
    ("scores", Json),
    ("feedback_score", Number),
    ("evaluation_metric_names", Json),
    ("evaluation_metric_ids", Json),
    ("apply_eval_frac", Number),
    ("log_sample_rate", Number),
    ("metadata", Json),
    ("tags", Json),
    ("end_user_identifier", Text),
    ("session_id", Text),
    ("experiment_uuid", Text),
    ("images", Json),
    ("comments", Json),
    ("annotations", Json),
    ("children", Json),
    ("children_ids", Json),
    ("fill_children", Switch),
];

/// Rows, and bytes of text, after which a row group is written: what is held in memory.
const ROWS: usize = 8192;
const BYTES: usize = 16 << 20;

/// The values of a column, without those that are null.
enum Cells {
    Bytes(Vec<ByteArray>),
    Integers(Vec<i64>),
    Numbers(Vec<f64>),
    Switches(Vec<bool>),
}

struct Column {
    name: &'static str,
    kind: Kind,
    cells: Cells,
    /// 1 for a value, 0 for null.
    levels: Vec<i16>,
}

/// A file that is written row by row.
pub(super) struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> Table<W> {
    pub(super) fn new(out: W) -> Result<Self> {
        let fields: Vec<String> =
            COLUMNS.iter().map(|(name, kind)| format!("OPTIONAL {};", spelled(name, *kind))).collect();
        let schema = Arc::new(parse_message_type(&format!("message log {{ {} }}", fields.join(" ")))?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_created_by(format!("parea {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        let columns = COLUMNS.iter().map(|(name, kind)| Column::new(name, *kind)).collect();
        Ok(Self { writer, columns, rows: 0, bytes: 0 })
    }

    pub(super) fn push(&mut self, arrival: u64, log: &TraceLog) -> Result<()> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(log) else {
            return Err(parquet::errors::ParquetError::General("a log is no object".to_owned()));
        };
        fields.insert(ARRIVAL.to_owned(), arrival.into());
        for column in &mut self.columns {
            self.bytes += column.push(fields.remove(column.name).filter(|value| !value.is_null()));
        }
        debug_assert!(fields.is_empty(), "a field has no column: {fields:?}");
        self.rows += 1;
        if self.rows >= ROWS || self.bytes >= BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes a row group.
    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column()? else { continue };
            let levels = Some(column.levels.as_slice());
            match (writer.untyped(), &column.cells) {
                (ColumnWriter::ByteArrayColumnWriter(writer), Cells::Bytes(cells)) => {
                    writer.write_batch(cells, levels, None)?
                }
                (ColumnWriter::Int64ColumnWriter(writer), Cells::Integers(cells)) => {
                    writer.write_batch(cells, levels, None)?
                }
                (ColumnWriter::DoubleColumnWriter(writer), Cells::Numbers(cells)) => {
                    writer.write_batch(cells, levels, None)?
                }
                (ColumnWriter::BoolColumnWriter(writer), Cells::Switches(cells)) => {
                    writer.write_batch(cells, levels, None)?
                }
                _ => 0,
            };
            writer.close()?;
            *column = Column::new(column.name, column.kind);
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Writes what is left, and the end of the file.
    pub(super) fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.writer.into_inner()
    }
}

fn spelled(name: &str, kind: Kind) -> String {
    match kind {
        Text => format!("BYTE_ARRAY {name} (STRING)"),
        Json => format!("BYTE_ARRAY {name} (JSON)"),
        Integer => format!("INT64 {name}"),
        Number => format!("DOUBLE {name}"),
        Switch => format!("BOOLEAN {name}"),
        Time => format!("INT64 {name} (TIMESTAMP(MICROS,true))"),
    }
}

impl Column {
    fn new(name: &'static str, kind: Kind) -> Self {
        let cells = match kind {
            Text | Json => Cells::Bytes(Vec::new()),
            Integer | Time => Cells::Integers(Vec::new()),
            Number => Cells::Numbers(Vec::new()),
            Switch => Cells::Switches(Vec::new()),
        };
        Self { name, kind, cells, levels: Vec::new() }
    }

    /// Adds a value, and answers the bytes that it takes.
    fn push(&mut self, value: Option<Value>) -> usize {
        let mut size = 2;
        let is_there = match (&mut self.cells, value) {
            (_, None) => false,
            (Cells::Bytes(cells), Some(value)) => {
                let text = match value {
                    Value::String(text) if self.kind == Text => text,
                    other => other.to_string(),
                };
                size += text.len();
                cells.push(text.into_bytes().into());
                true
            }
            (Cells::Integers(cells), Some(value)) => {
                let number = if self.kind == Time {
                    value.as_str().and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::micros)
                } else {
                    value.as_i64()
                };
                cells.extend(number);
                number.is_some()
            }
            (Cells::Numbers(cells), Some(value)) => {
                cells.extend(value.as_f64());
                value.as_f64().is_some()
            }
            (Cells::Switches(cells), Some(value)) => {
                cells.extend(value.as_bool());
                value.as_bool().is_some()
            }
        };
        self.levels.push(i16::from(is_there));
        size
    }
}

/// The log that a row of any file spells, as JSON; columns that are no field's are left out. An error says which column
/// cannot be understood.
pub(super) fn read(row: &Row) -> std::result::Result<Vec<u8>, String> {
    let mut fields = Map::new();
    for (name, field) in row.get_column_iter() {
        let Some((_, kind)) = COLUMNS.iter().find(|(known, _)| known == name).filter(|_| name != ARRIVAL) else {
            continue;
        };
        let time = |micros: Option<i64>| {
            let time = micros.and_then(Timestamp::from_micros);
            time.map(|time| Value::String(time.to_string())).ok_or_else(|| format!("`{name}` is out of range"))
        };
        let value = match field {
            Field::Null => continue,
            Field::Bool(value) => (*value).into(),
            Field::Byte(value) => (*value).into(),
            Field::Short(value) => (*value).into(),
            Field::Int(value) => (*value).into(),
            Field::Long(value) => (*value).into(),
            Field::UByte(value) => (*value).into(),
            Field::UShort(value) => (*value).into(),
            Field::UInt(value) => (*value).into(),
            Field::ULong(value) => (*value).into(),
            Field::Float(value) => f64::from(*value).into(),
            Field::Double(value) => (*value).into(),
            Field::TimestampMillis(millis) => time(millis.checked_mul(1000))?,
            Field::TimestampMicros(micros) => time(Some(*micros))?,
            Field::Str(text) => value_of(text, *kind),
            Field::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes.data()).map_err(|_| format!("`{name}` is no UTF-8 text"))?;
                value_of(text, *kind)
            }
            _ => return Err(format!("the column `{name}` has a type that is not understood; write JSON as text")),
        };
        fields.insert(name.clone(), value);
    }
    Ok(Value::Object(fields).to_string().into_bytes())
}

/// What has parts is JSON; a text that is none stays as it is, and is refused where that does not fit.
fn value_of(text: &str, kind: Kind) -> Value {
    if kind == Json {
        return serde_json::from_str(text).unwrap_or_else(|_| text.into());
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_column() {
        let schema = include_str!("../../../parea-types/src/trace_log.rs");
        let body = schema.split("pub struct TraceLog {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
        let names: Vec<&str> =
            body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next()).collect();
        assert!(names.len() > 40, "{names:?}");
        for name in &names {
            assert!(COLUMNS.iter().any(|(known, _)| known == name), "{name}");
        }
        assert_eq!(COLUMNS.len(), names.len() + 1);
    }
}
