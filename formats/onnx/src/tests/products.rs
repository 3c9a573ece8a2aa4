//! Products with constants, whatever the axes.

use super::*;

const X: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

#[test]
fn rows_share_their_weights() {
    let model = Model::new(&[1, 2, 3]).node("MatMul", &["x", "w"], "h", vec![]).node("Add", &["h", "b"], "a", vec![]);
    let model = model.node("Relu", &["a"], "r", vec![]).node("MatMul", &["r", "v"], "y", vec![]);
    let model = model.floats("w", &[3, 2], &[1.0, 0.0, 0.0, 1.0, -1.0, 1.0]).floats("b", &[2], &[3.0, -10.0]);
    let (y, operators) = model.floats("v", &[2, 1], &[1.0, 10.0]).run(&X);
    // Rows: [1 - 3 + 3, 2 + 3 - 10], [4 - 6 + 3, 5 + 6 - 10].
    assert_eq!(y, [1.0, 11.0]);
    // The positions lie behind the channels from the first product on.
    assert_eq!(operators, "Gather Conv2d Relu Conv2d");
}

#[test]
fn gemm_of_several_rows() {
    let run = |attributes, dims: &[i64]| {
        let model = Model::new(dims).node("Gemm", &["x", "w", "c"], "y", attributes);
        model.floats("w", &[3, 1], &[1.0, 2.0, 3.0]).floats("c", &[2, 1], &[100.0, 200.0]).run(&X).0
    };
    assert_eq!(run(vec![], &[2, 3]), [114.0, 232.0]);
    let attributes = vec![int("transA", 1), float("alpha", 2.0), float("beta", 0.5)];
    assert_eq!(run(attributes, &[3, 2]), [94.0, 156.0]);
}

#[test]
fn constants_on_the_left_and_in_batches() {
    let left =
        Model::new(&[1, 3, 2]).node("MatMul", &["w", "x"], "y", vec![]).floats("w", &[1, 3], &[1.0, 10.0, 100.0]);
    assert_eq!(left.run(&X).0, [531.0, 642.0]);
    let batch = Model::new(&[1, 2, 1, 3]).node("MatMul", &["x", "w"], "y", vec![]);
    let batch = batch.floats("w", &[2, 3, 1], &[1.0, 1.0, 1.0, 1.0, 10.0, 100.0]);
    assert_eq!(batch.run(&X), (vec![6.0, 654.0], "Gather Conv2d".into()));
    let repeated = Model::new(&[1, 1, 3]).node("MatMul", &["x", "w"], "y", vec![]);
    let repeated = repeated.floats("w", &[2, 3, 1], &[1.0, 1.0, 1.0, 1.0, 10.0, 100.0]);
    assert_eq!(repeated.run(&X[..3]).0, [6.0, 321.0]);
}

#[test]
fn products_with_nothing() {
    for dims in [[3, 0], [0, 3]] {
        let model = Model::new(&[1, 3]).node("MatMul", &["x", "w"], "y", vec![]).floats("w", &dims, &[]);
        assert!(model.read().is_err());
    }
}

#[test]
fn einsum() {
    let run = |equation: &str, dims: &[i64], w: &[i64]| {
        let model = Model::new(dims).node("Einsum", &["x", "w"], "y", vec![text("equation", equation)]);
        let n = w.iter().product::<i64>() as usize;
        let numbers: Vec<f32> = (1..=n).map(|v| v as f32).collect();
        let network = model.floats("w", w, &numbers).read().map_err(|e| e.to_string())?;
        Ok::<_, String>(network.forward(&X[..dims.iter().product::<i64>() as usize]).unwrap())
    };
    assert_eq!(run("bij,jk->bik", &[1, 2, 3], &[3, 1]).unwrap(), [14.0, 32.0]);
    assert_eq!(run("bij,kj -> bki", &[1, 2, 3], &[2, 3]).unwrap(), [14.0, 32.0, 32.0, 77.0]);
    // The axis i is of all three: a group each.
    assert_eq!(run("bij,ij->bi", &[1, 2, 3], &[2, 3]).unwrap(), [14.0, 77.0]);
    // Summed over, though the constant does not have it.
    assert_eq!(run("bij,i->b", &[1, 2, 3], &[2]).unwrap(), [36.0]);
    assert_eq!(run("bij,k->bkij", &[1, 1, 2], &[2]).unwrap(), [1.0, 2.0, 2.0, 4.0]);
    for (equation, why) in [
        ("bij,jk", "has no `->`"),
        ("bii,ik->bk", "one twice"),
        ("...j,jk->...k", "other terms than letters"),
        ("bij,jk,kl->bil", "has not two operands"),
        ("bj,jk->bk", "does not fit the dimensions"),
        ("bij,jj->bi", "one twice"),
        ("bij,ik->bjk", "two extents"),
        ("bij,jk->bi", "of one operand alone"),
        ("bij,jk->bikz", "of one operand alone"),
    ] {
        let error = run(equation, &[1, 2, 3], &[3, 2]).unwrap_err();
        assert!(error.contains(why), "{equation}: {error}");
    }
}

#[test]
fn pipelines_of_scikit_learn() {
    let ml = |operator: &str, attributes| {
        Model::new(&[1, 2]).node(operator, &["x"], "y", attributes).change(|m| {
            m.graph.as_mut().unwrap().node[0].domain = Some("ai.onnx.ml".into());
            let set = || OperatorSetIdProto { domain: Some("ai.onnx.ml".into()), version: Some(1) };
            m.opset_import.push(set());
            // As some exporters do.
            m.opset_import.push(OperatorSetIdProto { domain: None, version: Some(13) });
        })
    };
    let floats =
        |name, values: &[f32]| AttributeProto { floats: values.to_vec(), ..attribute(name, AttributeType::Floats) };
    let scaler = ml("Scaler", vec![floats("offset", &[1.0, 2.0]), floats("scale", &[0.5])]);
    assert_eq!(scaler.run(&[3.0, 8.0]).0, [1.0, 3.0]);
    let attributes =
        vec![floats("coefficients", &[1.0, 2.0, 3.0, 4.0]), floats("intercepts", &[10.0, 20.0]), int("targets", 2)];
    assert_eq!(ml("LinearRegressor", attributes).run(&[1.0, 1.0]), (vec![13.0, 27.0], "Dense".into()));
    assert!(ml("LinearRegressor", vec![floats("coefficients", &[1.0])]).read().is_err());
    assert!(ml("Scaler", vec![floats("offset", &[f32::NAN])]).read().is_err());
    assert!(ml("Relu", vec![]).read().is_err());
}

#[test]
fn gather_nd() {
    let run = |dims: &[i64], indices: &[i64]| {
        let model =
            Model::new(&[1, 2, 3]).node("GatherND", &["x", "i"], "y", vec![]).tensor(int64s("i", dims, indices));
        model.read().map(|n| n.forward(&X).unwrap())
    };
    assert_eq!(run(&[2, 3], &[0, 1, 2, 0, 0, -1]).unwrap(), [6.0, 3.0]);
    assert_eq!(run(&[1, 2], &[-1, 1]).unwrap(), [4.0, 5.0, 6.0]);
    assert!(run(&[1, 2], &[0, 2]).is_err() && run(&[1, 4], &[0; 4]).is_err());
}
