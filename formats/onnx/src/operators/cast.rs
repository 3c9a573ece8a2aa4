//! Cast: <https://onnx.ai/onnx/operators/onnx__Cast.html>. Opset 19 added `saturate`, which only 8-bit floats read; opset
//! 24 `round_mode`, likewise. A constant is converted as every runtime does. A computed value may only change from one
//! float type to the other: over the real numbers that is the identity.

use super::fold;
use crate::Problem;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::schema::tensor_proto::DataType;
use crate::value::Value;
use std::sync::Arc;
use unmoved_ir::Data;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let to = call.attributes.optional_int("to")?.ok_or_else(|| Problem::attribute("to", "is missing"))?;
    if call.opset >= 19 {
        call.attributes.flag("saturate", true)?;
    }
    let to = i32::try_from(to).ok().and_then(|to| DataType::try_from(to).ok()).unwrap_or(DataType::Undefined);
    match (call.any_order(0, "input")?, to) {
        (Value::Computed(x), DataType::Float | DataType::Double) => {
            call.note("nothing: float types differ in rounding alone", false);
            Ok(x.into())
        }
        (Value::Computed(_), to) => Err(Problem::Other(format!(
            "casts a computed value to {}, which rounds; only float and double are supported",
            to.as_str_name().to_lowercase()
        ))),
        (Value::Constant(c), to) => {
            call.spend(c.len().saturating_mul(2))?;
            Ok(Constant { numbers: converted(&c, to)?, dims: c.dims }.into())
        }
    }
}

fn converted(c: &Constant, to: DataType) -> Result<Numbers, Problem> {
    let range = match to {
        DataType::Int64 => i64::MIN..=i64::MAX,
        DataType::Int32 => i64::from(i32::MIN)..=i64::from(i32::MAX),
        DataType::Bool => 0..=1,
        DataType::Float | DataType::Double => return to_floats(c, to),
        other => return Err(Problem::ElementType(other.as_str_name().to_lowercase())),
    };
    let is_bool = to == DataType::Bool;
    let whole: Option<Vec<i64>> = match &c.numbers {
        Numbers::Int(v) => v.iter().map(|&v| Some(if is_bool { i64::from(v != 0) } else { v })).collect(),
        Numbers::Float(Data::F32(v)) => v.iter().map(|&v| truncated(f64::from(v), is_bool)).collect(),
        Numbers::Float(Data::F64(v)) => {
            let steady = |&v| fold::steady(v, |v| truncated(v, is_bool));
            v.iter().map(steady).collect::<Result<Option<_>, _>>()?
        }
    };
    match whole.filter(|v| v.iter().all(|v| range.contains(v))) {
        Some(v) => Ok(Numbers::Int(Arc::new(v))),
        None => Err(Problem::Other(format!("a number does not fit {}", to.as_str_name().to_lowercase()))),
    }
}

/// Towards zero; nothing where no 64-bit integer is meant.
fn truncated(v: f64, is_bool: bool) -> Option<i64> {
    const LIMIT: f64 = (1u64 << 63) as f64;
    match is_bool {
        true => Some(i64::from(v != 0.0)),
        false => (v.abs() < LIMIT).then_some(v as i64),
    }
}

fn to_floats(c: &Constant, to: DataType) -> Result<Numbers, Problem> {
    let double = to == DataType::Double;
    let data = match &c.numbers {
        Numbers::Float(Data::F32(v)) if !double => Data::F32(v.clone()),
        Numbers::Float(Data::F64(v)) if double => Data::F64(v.clone()),
        Numbers::Float(Data::F32(v)) => Data::F64(Arc::new(v.iter().map(|&v| f64::from(v)).collect())),
        Numbers::Float(Data::F64(v)) => Data::F32(Arc::new(v.iter().map(|&v| v as f32).collect())),
        Numbers::Int(v) if double => Data::F64(Arc::new(v.iter().map(|&v| v as f64).collect())),
        Numbers::Int(v) => Data::F32(Arc::new(v.iter().map(|&v| v as f32).collect())),
    };
    Ok(Numbers::Float(data))
}
