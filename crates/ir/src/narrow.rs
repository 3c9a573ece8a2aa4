//! The same network with every number in single precision.

use crate::network::Cached;
use crate::{Conv2d, DType, Dense, IrError, Network, NodeProblem, Op, Tensor};

impl Tensor {
    /// The nearest tensor in single precision, and whether it differs. Errors on numbers beyond its range.
    pub fn in_f32(&self) -> Result<(Self, bool), NodeProblem> {
        if self.dtype() == DType::F32 {
            return Ok((self.clone(), false));
        }
        let wide = self.to_f64();
        let narrow: Vec<f32> = wide.iter().map(|&v| v as f32).collect();
        let rounded = wide.iter().zip(&narrow).any(|(&w, &n)| f64::from(n) != w);
        Ok((Self::f32(self.shape().dims(), narrow)?, rounded))
    }
}

impl Network {
    /// The network with its weights and its input in single precision, and whether a weight had to be rounded: then it is
    /// another network, and says nothing of how far the first was from a file.
    pub fn in_f32(&self) -> Result<(Self, bool), IrError> {
        let mut network = Self { digest: Cached::default(), ..self.clone() };
        let mut rounded = false;
        for node in &mut network.nodes {
            let mut narrow = |tensor: &Tensor| {
                let (tensor, differs) = tensor.in_f32().map_err(IrError::at(&node.name))?;
                rounded |= differs;
                Ok::<_, IrError>(tensor)
            };
            match &mut node.op {
                Op::Input(dtype) => *dtype = DType::F32,
                Op::Dense(Dense { weight, bias, .. }) | Op::Conv2d(Conv2d { weight, bias, .. }) => {
                    (*weight, *bias) = (narrow(weight)?, narrow(bias)?);
                }
                Op::Relu | Op::MaxPool(_) | Op::Flatten | Op::Add | Op::Gather(_) => {}
            }
        }
        if rounded {
            for node in &mut network.nodes {
                if let Op::Dense(Dense { slack, .. }) | Op::Conv2d(Conv2d { slack, .. }) = &mut node.op {
                    *slack = None;
                }
            }
        }
        Ok((network, rounded))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Builder, DType, Dense, Op, Tensor};

    #[test]
    fn narrow_networks_say_whether_they_differ() {
        let network = |weight: f64| {
            let mut b = Builder::new();
            let x = b.input("x", &[1], DType::F64).unwrap();
            let (weight, bias) = (Tensor::f64(&[1, 1], vec![weight]).unwrap(), Tensor::f64(&[1], vec![0.5]).unwrap());
            let y = b.push("y", Op::Dense(Dense::new(weight, bias).unwrap()), &[x]).unwrap();
            b.finish(y).unwrap()
        };
        let (exact, rounded) = network(0.25).in_f32().unwrap();
        assert!(!rounded && exact.input_dtype() == DType::F32);
        assert_eq!(exact.forward(&[2.0f32]).unwrap(), [1.0]);
        let (near, rounded) = network(0.1).in_f32().unwrap();
        assert!(rounded);
        assert_eq!(near.forward(&[1.0f64]).unwrap(), [f64::from(0.1f32) + 0.5]);
        assert_ne!(near.digest(), network(0.1).digest());
        assert!(network(1e300).in_f32().is_err());
    }
}
