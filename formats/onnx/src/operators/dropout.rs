//! Dropout: <https://onnx.ai/onnx/operators/onnx__Dropout.html>. The identity in inference. Opset 12 turned `ratio` into
//! an input and added `seed` and `training_mode`.

use crate::Problem;
use crate::call::Call;
use crate::constant::Numbers;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    if call.opset < 12 {
        call.at_most(1)?;
        call.attributes.float("ratio", 0.5)?;
    } else {
        call.at_most(3)?;
        call.attributes.int("seed", 0)?;
        if let Some(training) = call.optional_constant(2, "training_mode")? {
            match training.numbers {
                Numbers::Int(flags) if flags.iter().all(|&f| f == 0) => {}
                _ => return Err(Problem::input(2, "training_mode", "must be false; training is not supported")),
            }
        }
    }
    call.any_order(0, "data")
}
