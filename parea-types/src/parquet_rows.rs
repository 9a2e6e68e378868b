//! Rows of Parquet files.

use std::{fs::File, path::Path};

use parquet::{
    file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
    record::Field,
};
use serde_json::{Map, Number, Value};

/// Reads a Parquet file: of each row its values by column. Columns of lists, maps and structs are JSON; dates, times and
/// decimals are the texts that say them.
///
/// # Errors
///
/// Why the file cannot be read; what is wrong with a value, behind its row (from 1) and its column.
pub fn parquet_rows(path: &Path) -> Result<Vec<Map<String, Value>>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|error| format!("it cannot be read as Parquet: {error}"))?;
    let mut rows = Vec::new();
    for (index, record) in reader.get_row_iter(None).map_err(|error| error.to_string())?.enumerate() {
        let number = index + 1;
        let record = record.map_err(|error| format!("row {number}: {error}"))?;
        let mut values = Map::new();
        for (column, field) in record.get_column_iter() {
            let value = json(field).map_err(|why| format!("row {number}: column `{column}`: {why}"))?;
            values.insert(column.clone(), value);
        }
        rows.push(values);
    }
    Ok(rows)
}

/// A value as JSON. What JSON has no form for, such as a date, is the text that says it.
fn json(field: &Field) -> Result<Value, String> {
    let float = |number: f64| {
        let number = Number::from_f64(number).map(Value::Number);
        number.ok_or_else(|| "it is no finite number; leave the cell empty, or write it as text".to_owned())
    };
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => (*truth).into(),
        Field::Byte(number) => (*number).into(),
        Field::Short(number) => (*number).into(),
        Field::Int(number) => (*number).into(),
        Field::Long(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::Float16(number) => float(f64::from(f32::from(*number)))?,
        // The decimals that are written, not those of the nearest double.
        Field::Float(number) => float(number.to_string().parse().unwrap_or(f64::NAN))?,
        Field::Double(number) => float(*number)?,
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => return Err("it holds bytes that are no text; write the column as a string".to_owned()),
        },
        Field::Group(group) => {
            let members = group.get_column_iter().map(|(name, field)| Ok((name.clone(), json(field)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(json).collect::<Result<_, _>>()?),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, value)| {
                let key = match json(key)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Ok((key, json(value)?))
            });
            Value::Object(entries.collect::<Result<_, String>>()?)
        }
        // Dates, times and decimals.
        other => other.to_string().into(),
    })
}
