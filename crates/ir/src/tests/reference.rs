//! A slow evaluation by the definitions, in fractions, that shares nothing with the fast one.

use crate::{Conv2d, MaxPool, Network, Op, Rational, Tensor};

pub(crate) fn weight(t: &Tensor, i: usize) -> Rational {
    Rational::from_f64(t.get(i)).unwrap()
}

/// Element `[c, y, x]` of an image, or nothing outside.
fn pixel(v: &[Rational], [channels, height, width]: [usize; 3], c: usize, y: i64, x: i64) -> Option<Rational> {
    assert!(c < channels);
    let inside = y >= 0 && x >= 0 && (y as usize) < height && (x as usize) < width;
    inside.then(|| v[(c * height + y as usize) * width + x as usize].clone())
}

pub(crate) fn conv(conv: &Conv2d, v: &[Rational], dims: [usize; 3], out: [usize; 3]) -> Vec<Rational> {
    let &[outputs, per_group, kh, kw] = conv.weight.shape().dims() else { unreachable!() };
    let mut y = Vec::new();
    for o in 0..out[0] {
        for r in 0..out[1] {
            for s in 0..out[2] {
                let mut sum = weight(&conv.bias, o);
                for i in 0..per_group {
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let c = o / (outputs / conv.groups) * per_group + i;
                            let py = (r * conv.stride[0] + ky * conv.dilation[0]) as i64 - conv.padding[0] as i64;
                            let px = (s * conv.stride[1] + kx * conv.dilation[1]) as i64 - conv.padding[1] as i64;
                            if let Some(p) = pixel(v, dims, c, py, px) {
                                let w = weight(&conv.weight, ((o * per_group + i) * kh + ky) * kw + kx);
                                sum = &sum + &(&w * &p);
                            }
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

fn pool(pool: &MaxPool, v: &[Rational], dims: [usize; 3], out: [usize; 3]) -> Vec<Rational> {
    let mut y = Vec::new();
    for c in 0..out[0] {
        for r in 0..out[1] {
            for s in 0..out[2] {
                let mut window = Vec::new();
                for ky in 0..pool.kernel[0] {
                    for kx in 0..pool.kernel[1] {
                        let py = (r * pool.stride[0] + ky * pool.dilation[0]) as i64 - pool.padding[0] as i64;
                        let px = (s * pool.stride[1] + kx * pool.dilation[1]) as i64 - pool.padding[1] as i64;
                        window.extend(pixel(v, dims, c, py, px));
                    }
                }
                y.push(window.into_iter().max().unwrap());
            }
        }
    }
    y
}

pub(crate) fn trace(network: &Network, input: &[Rational]) -> Vec<Vec<Rational>> {
    let mut values: Vec<Vec<Rational>> = Vec::new();
    for node in network.nodes() {
        let read = |k: usize| &values[node.inputs[k].0];
        let image = |k: usize| network.node(node.inputs[k]).shape.image().unwrap();
        let value = match &node.op {
            Op::Input(_) => input.to_vec(),
            Op::Dense(d) => (0..d.outputs())
                .map(|k| {
                    (0..d.inputs()).fold(weight(&d.bias, k), |sum, i| {
                        &sum + &(&weight(&d.weight, k * d.inputs() + i) * &read(0)[i])
                    })
                })
                .collect(),
            Op::Conv2d(c) => conv(c, read(0), image(0), node.shape.image().unwrap()),
            Op::MaxPool(p) => pool(p, read(0), image(0), node.shape.image().unwrap()),
            Op::Relu => read(0).iter().map(|v| v.clone().max(Rational::ZERO)).collect(),
            Op::Flatten => read(0).clone(),
            Op::Add => read(0).iter().zip(read(1)).map(|(a, b)| a + b).collect(),
            Op::Gather(g) => {
                g.index.iter().map(|i| i.map_or(Rational::ZERO, |i| read(0)[i as usize].clone())).collect()
            }
        };
        assert_eq!(value.len(), node.shape.len());
        values.push(value);
    }
    values
}
