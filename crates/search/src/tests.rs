//! Verdicts against dense sampling and against each other, on random networks of all operators.

#[path = "../tests/oracle/mod.rs"]
#[expect(dead_code, reason = "shared with tests/enumeration.rs")]
mod oracle;
mod semidefinite;
#[path = "../tests/tiny/mod.rs"]
#[expect(dead_code, reason = "shared with tests/enumeration.rs")]
mod tiny;

use crate::attack::centre;
use crate::{AttackOptions, DecidedBy, Engine, Options, attack, decide, firm_up, is_firm};
use std::sync::Arc;
use unmoved_check::{Arithmetic, check, replay, replay_point};
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Builder, DType, Dense, Exact, Network, Op, Rational, Tensor};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query, Reason, RegionKind, Verdict};

fn query(rng: &mut Rng, network: &Arc<Network>, eps: &str) -> Query {
    let centre = (0..network.input().shape.len()).map(|_| f64::from(rng.unit() as f32)).collect::<Vec<_>>();
    let norm = [Norm::Linf, Norm::L1, Norm::L2][rng.below(3)];
    let label = network.forward(&centre).map(|y| (0..y.len()).fold(0, |b, k| if y[k] > y[b] { k } else { b })).unwrap();
    let range = Some((Rational::ZERO, Rational::ONE));
    let region = InputRegion::ball(centre, norm, eps.parse().unwrap(), range).unwrap();
    Query::robustness(network.clone(), region, label).unwrap()
}

#[test]
fn no_sample_contradicts_a_verdict() {
    let mut rng = Rng(1);
    let mut seen = [0; 3];
    for case in 0..120 {
        let recipe = Recipe { slack: (case % 4 == 0).then_some(1e-6), ..Recipe::default() };
        let network = Arc::new(random_network(&mut rng, &recipe));
        let query = query(&mut rng, &network, ["1/100", "1/8", "1"][case % 3]);
        let outcome = decide(&query, &Options { subproblems: 300, ..Options::default() }).unwrap();
        match &outcome.verdict {
            Verdict::Robust => {
                seen[0] += 1;
                let certificate = outcome.certificate.as_ref().expect("robust comes with its proof");
                check(&query, certificate, Arithmetic::Exact).expect("the exact checker agrees");
                for _ in 0..50 {
                    let x = query.region().sample(|| rng.unit());
                    let Some(x) = query.region().to_f32_inside(&x) else { continue };
                    let x: Vec<Exact> = x.iter().map(|&v| Exact::from_f64(f64::from(v))).collect();
                    let y = network.forward(&x).unwrap();
                    assert_eq!(query.violated_at(&x, &y), None, "case {case}");
                }
            }
            Verdict::Violated(found) => {
                seen[1] += 1;
                assert_eq!(replay_point(&query, &found.input).as_ref(), Ok(found), "case {case}");
            }
            Verdict::Unknown(_) => seen[2] += 1,
        }
    }
    assert!(seen[0] > 20 && seen[1] > 20, "{seen:?}: one of the verdicts is hardly tested");
}

#[test]
fn a_tie_at_the_centre_is_a_boundary_counterexample() {
    let mut rng = Rng(2);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    // y_0 <= y_0 holds with equality everywhere; written as two constraints that cancel.
    let region = InputRegion::ball(vec![0.5; 24], Norm::Linf, Rational::ZERO, None).unwrap();
    let tie = Constraint { outputs: vec![], inputs: vec![], constant: Rational::ZERO, strict: false };
    let query = Query::new(network.clone(), region.clone(), vec![Conjunction(vec![tie.clone()])]).unwrap();
    let outcome = decide(&query, &Options::default()).unwrap();
    assert!(matches!(&outcome.verdict, Verdict::Violated(c) if c.boundary), "{:?}", outcome.verdict);
    assert_eq!(outcome.decided_by, DecidedBy::Centre);
    // Strictly, nothing violates it, and no bound can be positive to prove it.
    let strict = Constraint { strict: true, ..tie };
    let query = Query::new(network, region, vec![Conjunction(vec![strict])]).unwrap();
    assert!(matches!(decide(&query, &Options::default()).unwrap().verdict, Verdict::Unknown(_)));
}

#[test]
fn nothing_unsafe_is_robust_and_everything_unsafe_is_violated() {
    let mut rng = Rng(3);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    let region = InputRegion::ball(vec![0.5; 24], Norm::Linf, Rational::ONE, None).unwrap();
    let nothing = Query::new(network.clone(), region.clone(), vec![]).unwrap();
    assert_eq!(decide(&nothing, &Options::default()).unwrap().verdict, Verdict::Robust);
    let everything = Query::new(network, region, vec![Conjunction::default()]).unwrap();
    assert!(matches!(decide(&everything, &Options::default()).unwrap().verdict, Verdict::Violated(_)));
}

/// No program over reals says anything about a round ball: whoever asks for a solver's word is told so at once.
#[test]
fn no_solver_is_asked_about_a_round_ball() {
    let mut rng = Rng(5);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    let ball = loop {
        let query = query(&mut rng, &network, "1/8");
        if matches!(query.region().kind(), RegionKind::Ball { norm: Norm::L2, .. }) {
            break query;
        }
    };
    for (trust_solver, engine) in [(true, Engine::Auto), (false, Engine::Milp)] {
        let error = decide(&ball, &Options { trust_solver, engine, ..Options::default() }).unwrap_err();
        assert!(error.to_string().contains("l2"), "{error}");
    }
}

#[test]
fn the_attack_starts_inside() {
    let mut rng = Rng(5);
    let network = Arc::new(random_network(&mut rng, &Recipe::default()));
    let query = query(&mut rng, &network, "1/8");
    assert!(query.region().to_f32_inside(&centre(&query)).is_some());
}

#[test]
fn an_attack_alone_finds_points_of_every_ball_and_proves_nothing() {
    let mut rng = Rng(8);
    let mut found = [0; 3];
    for case in 0..150 {
        let network = Arc::new(random_network(&mut rng, &Recipe::default()));
        let query = query(&mut rng, &network, ["1/100", "1/8", "1"][case % 3]);
        let options = AttackOptions { steps: 20, restarts: 5, seed: 3 };
        let outcome = attack(&query, &options).unwrap();
        match &outcome.verdict {
            Verdict::Violated(c) => {
                assert_eq!(replay_point(&query, &c.input).as_ref(), Ok(c), "case {case}");
                let RegionKind::Ball { norm, .. } = query.region().kind() else { unreachable!("a ball") };
                found[[Norm::Linf, Norm::L1, Norm::L2].iter().position(|n| n == norm).unwrap()] += 1;
            }
            Verdict::Unknown(Reason::NotFound { starts, steps: 20 }) => {
                assert_eq!(*starts, 5 * query.unsafe_set().len());
            }
            Verdict::Unknown(Reason::F32Only(_)) => {}
            verdict => panic!("case {case}: {verdict:?}"),
        }
        assert_eq!(attack(&query, &options).unwrap().verdict, outcome.verdict);
    }
    assert!(found.iter().all(|&n| n > 2), "{found:?}");
}

/// Networks and queries at the edge of what there is.
mod odd {
    use super::*;
    use crate::bab::{Effort, Goal, search};
    use std::sync::mpsc;
    use std::time::Duration;
    use unmoved_bounds::engine::Form;
    use unmoved_check::Examiner;
    use unmoved_ir::{Builder, Conv2d, DType, Dense, Gather, Op, Tensor};

    fn dense(rng: &mut Rng, inputs: usize, outputs: usize, zero: bool) -> Op {
        let mut list = |n: usize| (0..n).map(|_| if zero { 0.0 } else { rng.signed() as f32 }).collect::<Vec<f32>>();
        let weight = Tensor::f32(&[outputs, inputs], list(inputs * outputs)).unwrap();
        Op::Dense(Dense::new(weight, Tensor::f32(&[outputs], vec![0.25; outputs]).unwrap()).unwrap())
    }

    /// All with inputs `[3]`.
    fn networks(rng: &mut Rng) -> Vec<Arc<Network>> {
        let mut all = Vec::new();
        let mut add = |make: &mut dyn FnMut(&mut Builder, unmoved_ir::NodeId) -> unmoved_ir::NodeId| {
            let mut b = Builder::new();
            let x = b.input("x", &[3], DType::F32).unwrap();
            let y = make(&mut b, x);
            all.push(Arc::new(b.finish(y).unwrap()));
        };
        // The input itself; a Relu of it; a Relu of a Relu of it; linear; constant.
        add(&mut |_, x| x);
        add(&mut |b, x| b.push("a", Op::Relu, &[x]).unwrap());
        add(&mut |b, x| {
            let a = b.push("a", Op::Relu, &[x]).unwrap();
            b.push("c", Op::Relu, &[a]).unwrap()
        });
        add(&mut |b, x| b.push("y", dense(rng, 3, 2, false), &[x]).unwrap());
        add(&mut |b, x| b.push("y", dense(rng, 3, 2, true), &[x]).unwrap());
        // A dead end: zeros above Relus, and nothing gathered.
        add(&mut |b, x| {
            let h = b.push("h", dense(rng, 3, 4, false), &[x]).unwrap();
            let a = b.push("a", Op::Relu, &[h]).unwrap();
            b.push("y", dense(rng, 4, 2, true), &[a]).unwrap()
        });
        add(&mut |b, x| {
            let h = b.push("h", dense(rng, 3, 4, false), &[x]).unwrap();
            let a = b.push("a", Op::Relu, &[h]).unwrap();
            b.push("g", Op::Gather(Gather::new(vec![None, Some(1), None], &[3]).unwrap()), &[a]).unwrap()
        });
        // Two Relus on one value, and on the input; their sum is the output; a Relu as the output.
        add(&mut |b, x| {
            let h = b.push("h", dense(rng, 3, 3, false), &[x]).unwrap();
            let (a, c) = (b.push("a", Op::Relu, &[h]).unwrap(), b.push("c", Op::Relu, &[h]).unwrap());
            let d = b.push("d", Op::Relu, &[x]).unwrap();
            let s = b.push("s", Op::Add, &[a, c]).unwrap();
            b.push("t", Op::Add, &[s, d]).unwrap()
        });
        add(&mut |b, x| {
            let h = b.push("h", dense(rng, 3, 5, false), &[x]).unwrap();
            let a = b.push("a", Op::Relu, &[h]).unwrap();
            let k = b.push("k", dense(rng, 5, 5, false), &[a]).unwrap();
            let s = b.push("s", Op::Add, &[k, h]).unwrap();
            let c = b.push("c", Op::Relu, &[s]).unwrap();
            let t = b.push("t", Op::Add, &[c, c]).unwrap();
            let z = b.push("z", dense(rng, 5, 2, false), &[t]).unwrap();
            b.push("y", Op::Relu, &[z]).unwrap()
        });
        // A convolution that reads mostly padding.
        add(&mut |b, x| {
            let image = b.reshape("i", x, &[1, 1, 3]).unwrap();
            let weight = Tensor::f32(&[2, 1, 2, 2], (0..8).map(|_| rng.signed() as f32).collect()).unwrap();
            let mut conv = Conv2d::new(weight, Tensor::f32(&[2], vec![0.0, -0.1]).unwrap()).unwrap();
            (conv.padding, conv.dilation) = ([2, 2, 2, 1], [1, 2]);
            let c = b.push("c", Op::Conv2d(conv), &[image]).unwrap();
            let a = b.push("a", Op::Relu, &[c]).unwrap();
            let len = b.shape(a).len();
            let flat = b.reshape("f", a, &[len]).unwrap();
            let h = b.push("h", dense(rng, len, 3, false), &[flat]).unwrap();
            let e = b.push("e", Op::Relu, &[h]).unwrap();
            b.push("y", dense(rng, 3, 2, false), &[e]).unwrap()
        });
        all
    }

    fn regions(rng: &mut Rng) -> Vec<InputRegion> {
        let centre: Vec<f64> = (0..3).map(|_| f64::from(rng.signed() as f32)).collect();
        let exactly = |v: f64| Rational::from_f64(v).unwrap();
        let ends = |by: [f64; 3]| centre.iter().zip(by).map(|(c, by)| exactly(c + by)).collect::<Vec<_>>();
        let mut all = vec![
            InputRegion::boxed(ends([0.0; 3]), ends([0.0; 3])).unwrap(),
            InputRegion::boxed(ends([0.0, -0.5, 0.0]), ends([0.0, 0.5, 1.0])).unwrap(),
            InputRegion::boxed(vec![Rational::ZERO; 3], vec![Rational::ZERO; 3]).unwrap(),
            InputRegion::boxed(vec!["1/3".parse().unwrap(); 3], vec!["1/3".parse().unwrap(); 3]).unwrap(),
            InputRegion::boxed(ends([-1e30; 3]), ends([1e30; 3])).unwrap(),
        ];
        for norm in [Norm::Linf, Norm::L1, Norm::L2] {
            for eps in ["0", "1/3", "2"] {
                all.push(InputRegion::ball(centre.clone(), norm, eps.parse().unwrap(), None).unwrap());
            }
        }
        all
    }

    fn unsafe_sets(rng: &mut Rng, outputs: usize) -> Vec<Vec<Conjunction>> {
        let exactly = |v: f64| Rational::from_f64(v).unwrap();
        let mut one = |size: f64| Constraint {
            outputs: (0..outputs).map(|k| (k, exactly(if rng.below(3) > 0 { rng.signed() } else { 0.0 }))).collect(),
            inputs: if rng.below(3) == 0 { vec![(rng.below(3), exactly(rng.signed()))] } else { vec![] },
            constant: exactly(size * rng.signed()),
            strict: rng.below(2) == 0,
        };
        let constant =
            |v: i64, strict| Constraint { outputs: vec![], inputs: vec![], constant: Rational::from(v), strict };
        vec![
            vec![],
            vec![Conjunction(vec![])],
            vec![Conjunction(vec![constant(1, false)])],
            vec![Conjunction(vec![constant(0, true)]), Conjunction(vec![constant(1, true)])],
            vec![Conjunction(vec![one(0.1)]), Conjunction(vec![])],
            vec![Conjunction(vec![one(0.5), one(0.5)]), Conjunction(vec![one(2.0)])],
            vec![Conjunction(vec![one(5.0), one(0.0), constant(-1, false)])],
            (0..40).map(|_| Conjunction(vec![one(3.0)])).collect(),
        ]
    }

    #[test]
    fn odd_queries_are_decided() {
        decided(|output| matches!(output, Op::Dense(_) | Op::Input(_)));
    }

    #[test]
    fn odd_queries_about_outputs_that_may_be_dead_are_decided() {
        decided(|output| !matches!(output, Op::Dense(_) | Op::Input(_)));
    }

    fn decided(select: fn(&Op) -> bool) {
        let mut rng = Rng(77);
        let mut seen = [0; 3];
        let limit = Duration::from_millis(400);
        for _ in 0..2 {
            for network in networks(&mut rng).into_iter().filter(|n| select(&n.node(n.output()).op)) {
                for region in regions(&mut rng) {
                    for unsafe_set in unsafe_sets(&mut rng, network.output_len()) {
                        let query = Query::new(network.clone(), region.clone(), unsafe_set).unwrap();
                        let options = Options {
                            threads: 1 + rng.below(3),
                            subproblems: [0, 40, 400][rng.below(3)],
                            time_limit: (rng.below(2) == 0).then_some(limit),
                            ..Options::default()
                        };
                        let outcome = decide(&query, &options).unwrap();
                        match &outcome.verdict {
                            Verdict::Robust => {
                                seen[0] += 1;
                                let certificate = outcome.certificate.as_ref().expect("robust comes with its proof");
                                check(&query, certificate, Arithmetic::Float).expect("the checker agrees");
                                check(&query, certificate, Arithmetic::Exact).expect("the exact checker agrees");
                                for _ in 0..5 {
                                    let x = query.region().sample(|| rng.unit());
                                    let Some(x) = query.region().to_f32_inside(&x) else { continue };
                                    assert!(replay(&query, &x).is_err());
                                }
                            }
                            Verdict::Violated(found) => {
                                seen[1] += 1;
                                assert_eq!(replay_point(&query, &found.input).as_ref(), Ok(found));
                            }
                            Verdict::Unknown(_) => seen[2] += 1,
                        }
                    }
                }
            }
        }
        assert!(seen[0] > 200 && seen[1] > 200, "{seen:?}: one of the verdicts is hardly tested");
    }

    #[test]
    fn a_panic_in_one_worker_ends_the_search() {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let searched = std::panic::catch_unwind(|| {
                let mut rng = Rng(4);
                let mut b = Builder::new();
                let x = b.input("x", &[3], DType::F32).unwrap();
                let h = b.push("h", dense(&mut rng, 3, 12, false), &[x]).unwrap();
                let a = b.push("a", Op::Relu, &[h]).unwrap();
                let network =
                    Arc::new(b.push("y", dense(&mut rng, 12, 1, false), &[a]).and_then(|y| b.finish(y)).unwrap());
                let region = InputRegion::ball(vec![0.0; 3], Norm::Linf, Rational::ONE, None).unwrap();
                let query = Query::new(network, region, vec![]).unwrap();
                let examiner = Examiner::new(&query).unwrap();
                let compact = crate::attack::compact(&examiner, &query);
                // Never positive, so that only panics end it early.
                let form = Form { node: compact.output(), terms: vec![(0, 1.0)], constant: -0.3, ..Form::default() };
                let goal = Goal { form, lambda: vec![1.0], group: 0 };
                let effort = Effort {
                    root_steps: 1,
                    steps: 1,
                    enough: 0.0,
                    threads: 2,
                    most: 1 << 20,
                    extensions: 0,
                    most_open: 1 << 16,
                    all: false,
                };
                let calls = std::sync::atomic::AtomicUsize::new(0);
                let candidate = |_: &unmoved_bounds::engine::Descent<'_>, _: &[usize]| {
                    let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    // After the roots: the others have nothing to do but wait for what becomes of the first split.
                    if call == 1 {
                        std::thread::sleep(Duration::from_millis(300));
                        panic!("a bug in whatever a worker does");
                    }
                    false
                };
                search(&compact, &[goal], &effort, false, || false, candidate, &|_| {});
            });
            sender.send(searched.is_err()).unwrap();
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(true));
    }
}

/// `y = (x0, x1)`, unsafe where `y0 <= y1`, with `x1` between the ends.
fn order(lower: [&str; 2], upper: [&str; 2]) -> Query {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let identity = Tensor::f32(&[2, 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    let dense = Dense::new(identity, Tensor::f32(&[2], vec![0.0; 2]).unwrap()).unwrap();
    let y = b.push("y", Op::Dense(dense), &[x]).unwrap();
    let network = Arc::new(b.finish(y).unwrap());
    let numbers = |ends: [&str; 2]| ends.map(|v| v.parse::<Rational>().unwrap()).to_vec();
    let region = InputRegion::boxed(numbers(lower), numbers(upper)).unwrap();
    Query::new(network, region, vec![Conjunction(vec![Constraint::at_most(0, 1)])]).unwrap()
}

#[test]
fn a_region_without_float32_points_is_violated_at_an_exact_one() {
    let query = order(["0", "0.3"], ["1", "0.3"]);
    let Verdict::Violated(found) = decide(&query, &Options::default()).unwrap().verdict else {
        panic!("x0 = 0 is unsafe")
    };
    assert_eq!(found.input.exact, [(1, "3/10".parse().unwrap())]);
    assert!(found.real_only);
    assert_eq!(replay_point(&query, &found.input).as_ref(), Ok(&found));
}

#[test]
fn what_is_found_at_a_tie_is_moved_off_it() {
    // The centre is a tie, and the first that is looked at.
    let query = order(["0", "0"], ["1", "1"]);
    let Verdict::Violated(tie) = decide(&query, &Options::default()).unwrap().verdict else {
        panic!("a tie is unsafe")
    };
    assert!(tie.boundary && !is_firm(&query, &tie.input.nearest));
    let firm = firm_up(&query, tie, || false);
    assert!(!firm.boundary && is_firm(&query, &firm.input.nearest));
    // Where all that is unsafe are ties there is nothing better.
    let query = order(["1/2", "0"], ["1", "1/2"]);
    let tie = replay_point(&query, &vec![0.5, 0.5].into()).unwrap();
    assert_eq!(firm_up(&query, tie.clone(), || false), tie);
}
