use std::path::Path;
use std::time::Instant;
use unmoved::bounds::engine::{Compact, Form, Known};
use unmoved::bounds::semidefinite::{Ascent, Program, Rows};
use unmoved::check::{Examiner, Step};
use unmoved::evaluate::{DataSet, Perturbations, Question};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = unmoved::read_model(Path::new(&args[1]), &Default::default()).unwrap();
    let network = std::sync::Arc::new(model.network);
    let (lo, hi): (usize, usize) = (args[2].parse().unwrap(), args[3].parse().unwrap());
    let steps: usize = args[4].parse().unwrap();
    let only: Option<usize> = args.get(5).map(|s| s.parse().unwrap());
    let images = DataSet::Mnist.read_test(Path::new("/work/shared/data/mnist"), lo..hi).unwrap();
    for (index, image) in (lo..).zip(&images) {
        let p = Perturbations {
            norm: unmoved::property::Norm::Linf,
            eps: unmoved::ir::Rational::from_f64(0.1).unwrap(),
            range: Some((unmoved::ir::Rational::ZERO, unmoved::ir::Rational::from_f64(1.0).unwrap())),
        };
        let q = Question::new(&network, image, None, p, None).unwrap();
        if q.label != q.predicted {
            continue;
        }
        let query = &q.query;
        let mut ex = Examiner::new(query).unwrap();
        let nodes = ex.tabled();
        ex.extend(vec![Step::Recompute { nodes }]).unwrap();
        let compact = Compact::new(ex.lowered(), query.region(), |n| {
            ex.bounds()[n.0].as_ref().map(|b| Known { lower: &b.lower, upper: &b.upper })
        });
        let forms: Vec<(usize, Vec<f64>)> = (0..query.unsafe_set().len()).map(|i| (i, vec![1.0])).collect();
        let minima = ex.minima(&forms);
        let t = Instant::now();
        let Some(rows) = Rows::new(&compact) else {
            println!("too large");
            continue;
        };
        let trows = t.elapsed();
        for (i, conj) in query.unsafe_set().iter().enumerate() {
            if minima[i] > 0.0 || only.is_some_and(|t| t != q.targets[i]) {
                continue;
            }
            let c = &conj.0[0];
            let form = Form {
                node: compact.output(),
                terms: c.outputs.iter().map(|(k, a)| (*k as u32, a.to_f64() as f32)).collect(),
                inputs: vec![],
                constant: c.constant.to_f64() as f32,
            };
            let t = Instant::now();
            let program = Program::new(&rows, &form, &[]);
            let mut a = Ascent::new(&program);
            let t0 = t.elapsed();
            let v0 = a.value();
            let mut s = String::new();
            let mut n = 0;
            let len: f32 = std::env::var("LEN").map_or(1.0, |s| s.parse().unwrap());
            while n < steps {
                a.climb(150, if n == 0 { len } else { 0.5 * len }, || false);
                n += 150;
                let t1 = t.elapsed();
                let value = a.value();
                let (bound, _) = a.prove();
                s += &format!(" | {value:.4} {bound:.4} {:.0?} {:.0?}", t1, t.elapsed());
                if bound > 0.0 {
                    break;
                }
            }
            println!(
                "{} {} n {} rule {:.3} rows {:.0?} start {v0:.3} {:.0?}{s}",
                index,
                q.targets[i],
                program.lifted(),
                minima[i],
                trows,
                t0
            );
        }
    }
}
