//! Writes the seeds: `seeds FOLDER` makes a folder for each target in it.

use std::path::Path;
use std::{fs, io};
use unmoved_check::{Certificate, Lifted, LiftedElement, LinearForm, QuadraticForm, Step};
use unmoved_fuzz::{EVERY_OPERATOR, PROPERTY, PROPERTY_2, SMALL, query};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let write = |target: &str, name: &str, bytes: &[u8]| -> io::Result<()> {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    for (name, text) in [("every", EVERY_OPERATOR), ("small", SMALL)] {
        let network = unmoved_text::parse(text)?;
        write("text", name, text.as_bytes())?;
        write("safetensors", name, &unmoved_safetensors::to_bytes(&network)?)?;
        write("onnx", name, &unmoved_onnx::to_bytes(&network)?.bytes)?;
        write("arch", name, unmoved_safetensors::arch::print(&network)?.as_bytes())?;
    }
    write("nnet", "tiny", include_bytes!("../../formats/nnet/tests/canonical/tiny.nnet"))?;
    write("nnet", "lenient", include_bytes!("../../formats/nnet/tests/canonical/lenient.nnet"))?;
    write("vnnlib", "small", PROPERTY.as_bytes())?;
    write("vnnlib", "version-2", PROPERTY_2.as_bytes())?;
    write("query", "small", query().to_text().as_bytes())?;
    let leaf = || Step::Linear(LinearForm::with_lambda(vec![1.0]));
    let element = |index: u32| LiftedElement { index, nu: -0.5, d: 1.0, kappa: 0.25 };
    let quadratic = Step::Quadratic(Box::new(QuadraticForm {
        form: LinearForm::with_lambda(vec![0.0]),
        lifted: vec![Lifted { relu: unmoved_ir::NodeId(2), elements: vec![element(0), element(1)] }],
        constant: 0.5,
        inputs: vec![0.5, 2.0],
        ball: 0.0,
    }));
    let proofs = [
        vec![Step::SplitDisjuncts, leaf(), leaf()],
        vec![Step::SplitInput { index: 0, at: 0.5 }, Step::SplitDisjuncts, leaf(), leaf(), Step::Empty],
        vec![Step::SplitRelu { node: unmoved_ir::NodeId(1), index: 0 }, Step::Empty, leaf()],
        vec![Step::SplitDisjuncts, leaf(), quadratic],
    ];
    for (k, steps) in proofs.into_iter().enumerate() {
        write("certificate", &k.to_string(), &Certificate::new(query(), steps).to_bytes())?;
    }
    Ok(())
}
