//! The certificate as bytes; `SPEC.md` gives the format. A certificate (without NaN) has exactly one encoding.

use crate::{Certificate, End, Lifted, LiftedElement, LinearForm, Multipliers, QuadraticForm, Semantics, Side, Step};
use unmoved_ir::{Digest, NodeId};

const MAGIC: &[u8; 8] = b"UNMOVED\n";
const VERSION: u16 = 2;

/// Bytes that are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {problem}")]
pub struct FormatError {
    /// Where reading stopped.
    pub offset: usize,
    /// Why.
    pub problem: FormatProblem,
}

/// Why bytes are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatProblem {
    /// Another kind of file.
    #[error("not a certificate: it does not begin with \"UNMOVED\"")]
    Magic,
    /// A format that this checker does not know.
    #[error("format version {0}; this checker reads version {VERSION}")]
    Version(u16),
    /// A semantics that this checker does not know.
    #[error("unknown semantics {0}; this checker knows 0, the real numbers")]
    Semantics(u8),
    /// The file ends early, or a count exceeds what the file can hold.
    #[error("truncated")]
    Truncated,
    /// Bytes after the last step.
    #[error("{0} bytes after the last step")]
    Trailing(usize),
    /// A step of a kind that does not exist.
    #[error("unknown kind of step {0}")]
    Step(u8),
    /// A leaf of a kind that does not exist.
    #[error("unknown kind of leaf {0}")]
    Leaf(u8),
    /// An integer that does not fit 32 bits, a number written longer than need be, a side that is neither.
    #[error("a number is out of range or not in its shortest form")]
    Number,
}

impl Certificate {
    /// The bytes of the certificate. Lists that must ascend and do not give bytes that are refused when read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer(Vec::new());
        w.0.extend(MAGIC);
        w.0.extend(VERSION.to_le_bytes());
        w.0.push(match self.semantics {
            Semantics::Reals => 0,
        });
        w.0.extend(self.network.0);
        w.0.extend(self.query.0);
        w.int(self.steps.len() as u32);
        self.steps.iter().for_each(|s| w.step(s));
        w.0
    }

    /// Reads what a certificate is about and leaves its steps, which may be many, unread: there are none in the answer.
    pub(crate) fn header(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut r = Reader { bytes, offset: 0 };
        r.header().map_err(|problem| FormatError { offset: r.offset, problem })
    }

    /// Reads a certificate. Says nothing about whether it proves anything. Takes up to 36 times the memory of its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut r = Reader { bytes, offset: 0 };
        r.certificate().map_err(|problem| FormatError { offset: r.offset, problem })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    /// Seven bits a byte, lowest first; the top bit says that more follow.
    fn int(&mut self, mut v: u32) {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
    }

    fn float(&mut self, v: f64) {
        self.0.extend(v.to_le_bytes());
    }

    fn narrow(&mut self, v: f32) {
        self.0.extend(v.to_le_bytes());
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Linear(form) => {
                self.0.extend([0, 0]);
                self.form(form);
            }
            Step::Quadratic(form) => {
                self.0.extend([0, 1]);
                self.quadratic(form);
            }
            Step::Empty => self.0.extend([0, 2]),
            Step::SplitRelu { node, index } => {
                self.0.push(1);
                self.int(node.0 as u32);
                self.int(*index);
            }
            Step::SplitInput { index, at } => {
                self.0.push(2);
                self.int(*index);
                self.float(*at);
            }
            Step::SplitDisjuncts => self.0.push(3),
            Step::Clip { form, ends } => {
                self.0.push(4);
                self.form(form);
                self.int(ends.len() as u32);
                for end in ends {
                    self.side(end.side);
                    self.int(end.index);
                    self.float(end.at);
                }
            }
            Step::Lemma { node, index, side } => {
                self.0.push(5);
                self.side(*side);
                self.int(node.0 as u32);
                self.int(*index);
            }
            Step::Recompute { nodes } => {
                self.0.push(6);
                self.int(nodes.len() as u32);
                let mut gaps = Gaps::default();
                nodes.iter().for_each(|n| self.int(gaps.gap(n.0 as u32)));
            }
        }
    }

    fn side(&mut self, side: Side) {
        self.0.push(match side {
            Side::Lower => 0,
            Side::Upper => 1,
        });
    }

    fn form(&mut self, form: &LinearForm) {
        self.int(form.lambda.len() as u32);
        form.lambda.iter().for_each(|&l| self.float(l));
        self.int(form.multipliers.len() as u32);
        let mut gaps = Gaps::default();
        for m in &form.multipliers {
            self.int(gaps.gap(m.relu.0 as u32));
            self.int(m.slopes.len() as u32);
            let mut slopes = Gaps::default();
            for &(index, slope) in &m.slopes {
                self.int(slopes.gap(index));
                self.0.push(slope);
            }
            for wide in [false, true] {
                let chosen = || m.raw.iter().filter(|(_, v)| is_wide(*v) == wide);
                self.int(chosen().count() as u32);
                let mut raw = Gaps::default();
                for &(index, v) in chosen() {
                    self.int(raw.gap(index));
                    if wide { self.float(v) } else { self.narrow(v as f32) }
                }
            }
        }
    }

    fn quadratic(&mut self, form: &QuadraticForm) {
        self.form(&form.form);
        self.int(form.lifted.len() as u32);
        let mut gaps = Gaps::default();
        for lifted in &form.lifted {
            self.int(gaps.gap(lifted.relu.0 as u32));
            self.int(lifted.elements.len() as u32);
            let mut elements = Gaps::default();
            for element in &lifted.elements {
                self.int(elements.gap(element.index));
                [element.nu, element.d, element.kappa].into_iter().for_each(|v| self.narrow(v));
            }
        }
        self.narrow(form.constant);
        self.int(form.inputs.len() as u32);
        form.inputs.iter().for_each(|&kappa| self.narrow(kappa));
        self.narrow(form.ball);
    }
}

/// Whether float32 does not hold a number.
fn is_wide(v: f64) -> bool {
    f64::from(v as f32).to_bits() != v.to_bits()
}

/// Ascending numbers as the first of them and, for each other, how many it skips.
#[derive(Default)]
struct Gaps {
    next: u32,
}

impl Gaps {
    fn gap(&mut self, v: u32) -> u32 {
        let gap = v.wrapping_sub(self.next);
        self.next = v.wrapping_add(1);
        gap
    }

    fn value(&mut self, gap: u32) -> Result<u32, FormatProblem> {
        let v = self.next.checked_add(gap).filter(|v| *v < u32::MAX).ok_or(FormatProblem::Number)?;
        self.next = v + 1;
        Ok(v)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatProblem> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.first_chunk::<N>().ok_or(FormatProblem::Truncated)?;
        self.offset += N;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, FormatProblem> {
        Ok(self.take::<1>()?[0])
    }

    fn float(&mut self) -> Result<f64, FormatProblem> {
        Ok(f64::from_le_bytes(self.take()?))
    }

    fn narrow(&mut self) -> Result<f32, FormatProblem> {
        Ok(f32::from_le_bytes(self.take()?))
    }

    fn int(&mut self) -> Result<u32, FormatProblem> {
        let mut v = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            v |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let shortest = byte != 0 || shift == 0;
                return u32::try_from(v).ok().filter(|_| shortest).ok_or(FormatProblem::Number);
            }
        }
        Err(FormatProblem::Number)
    }

    /// So many items; none of them takes less than a byte, so a count beyond the rest of the file is refused before
    /// anything is allocated for it.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, FormatProblem>) -> Result<Vec<T>, FormatProblem> {
        let count = self.int()? as usize;
        if count > self.bytes.len() - self.offset {
            return Err(FormatProblem::Truncated);
        }
        // Items are larger in memory than in the file: a false count must not reserve more than the file justifies.
        let mut items = Vec::with_capacity(count.min(4096));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Items that begin with ascending numbers.
    fn ascending<T>(
        &mut self,
        item: impl Fn(&mut Self, u32) -> Result<T, FormatProblem>,
    ) -> Result<Vec<T>, FormatProblem> {
        let gaps = std::cell::RefCell::new(Gaps::default());
        self.list(|r| {
            let gap = r.int()?;
            let v = gaps.borrow_mut().value(gap)?;
            item(r, v)
        })
    }

    fn certificate(&mut self) -> Result<Certificate, FormatProblem> {
        let header = self.header()?;
        let steps = self.list(Self::step)?;
        match self.bytes.len() - self.offset {
            0 => Ok(Certificate { steps, ..header }),
            trailing => Err(FormatProblem::Trailing(trailing)),
        }
    }

    fn header(&mut self) -> Result<Certificate, FormatProblem> {
        if self.take::<8>() != Ok(*MAGIC) {
            return Err(FormatProblem::Magic);
        }
        let version = u16::from_le_bytes(self.take()?);
        if version != VERSION {
            return Err(FormatProblem::Version(version));
        }
        let semantics = match self.byte()? {
            0 => Semantics::Reals,
            other => return Err(FormatProblem::Semantics(other)),
        };
        let (network, query) = (Digest(self.take()?), Digest(self.take()?));
        Ok(Certificate { network, query, semantics, steps: Vec::new() })
    }

    fn node(&mut self) -> Result<NodeId, FormatProblem> {
        Ok(NodeId(self.int()? as usize))
    }

    fn side(&mut self) -> Result<Side, FormatProblem> {
        match self.byte()? {
            0 => Ok(Side::Lower),
            1 => Ok(Side::Upper),
            _ => Err(FormatProblem::Number),
        }
    }

    fn step(&mut self) -> Result<Step, FormatProblem> {
        Ok(match self.byte()? {
            0 => match self.byte()? {
                0 => Step::Linear(self.form()?),
                1 => Step::Quadratic(Box::new(self.quadratic()?)),
                2 => Step::Empty,
                other => return Err(FormatProblem::Leaf(other)),
            },
            1 => Step::SplitRelu { node: self.node()?, index: self.int()? },
            2 => Step::SplitInput { index: self.int()?, at: self.float()? },
            3 => Step::SplitDisjuncts,
            4 => {
                let form = self.form()?;
                let ends = self.list(|r| Ok(End { side: r.side()?, index: r.int()?, at: r.float()? }))?;
                Step::Clip { form, ends }
            }
            5 => {
                let side = self.side()?;
                Step::Lemma { node: self.node()?, index: self.int()?, side }
            }
            6 => Step::Recompute { nodes: self.ascending(|_, n| Ok(NodeId(n as usize)))? },
            other => return Err(FormatProblem::Step(other)),
        })
    }

    fn form(&mut self) -> Result<LinearForm, FormatProblem> {
        let lambda = self.list(Self::float)?;
        let multipliers = self.ascending(|r, relu| {
            let slopes = r.ascending(|r, index| Ok((index, r.byte()?)))?;
            let narrow = r.ascending(|r, index| Ok((index, f64::from(r.narrow()?))))?;
            let wide = r.ascending(|r, index| Ok((index, r.float()?)))?;
            if wide.iter().any(|(_, v)| !is_wide(*v)) {
                return Err(FormatProblem::Number);
            }
            let mut raw = [narrow, wide].concat();
            raw.sort_by_key(|(index, _)| *index);
            Ok(Multipliers { relu: NodeId(relu as usize), slopes, raw })
        })?;
        Ok(LinearForm { lambda, multipliers })
    }
    fn quadratic(&mut self) -> Result<QuadraticForm, FormatProblem> {
        Ok(QuadraticForm {
            form: self.form()?,
            lifted: self.ascending(|r, relu| {
                let element = |r: &mut Self, index| {
                    Ok(LiftedElement { index, nu: r.narrow()?, d: r.narrow()?, kappa: r.narrow()? })
                };
                Ok(Lifted { relu: NodeId(relu as usize), elements: r.ascending(element)? })
            })?,
            constant: self.narrow()?,
            inputs: self.list(Self::narrow)?,
            ball: self.narrow()?,
        })
    }
}
