//! Random files: their numbers, and the text as many programs might write it.

use proptest::prelude::*;

/// The numbers of a file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) sizes: Vec<usize>,
    pub(crate) minimums: Vec<f64>,
    pub(crate) maximums: Vec<f64>,
    /// One more for the outputs.
    pub(crate) means: Vec<f64>,
    pub(crate) ranges: Vec<f64>,
    /// Row by row, then the biases.
    pub(crate) layers: Vec<(Vec<f64>, Vec<f64>)>,
}

/// Files whose numbers come from `number`; no range is zero.
pub(crate) fn files<S: Strategy<Value = f64> + Clone + 'static>(number: S) -> impl Strategy<Value = File> {
    let list = move |n: usize| prop::collection::vec(number.clone(), n);
    let plain = prop_oneof![1 => Just(true), 3 => Just(false)];
    (prop::collection::vec(1usize..5, 2..5), plain).prop_flat_map(move |(sizes, plain)| {
        let n = sizes[0];
        let layers: Vec<_> = sizes.windows(2).map(|s| (list(s[0] * s[1]), list(s[1]))).collect();
        (Just(sizes), list(n), list(n), list(n + 1), list(n + 1), layers).prop_map(
            move |(sizes, minimums, maximums, mut means, mut ranges, layers)| {
                ranges.iter_mut().for_each(|r| *r = if r.abs() < 1e-6 { 3.0 } else { *r });
                if plain {
                    means.fill(0.0);
                    ranges.fill(1.0);
                }
                File { sizes, minimums, maximums, means, ranges, layers }
            },
        )
    })
}

impl File {
    /// The text, each number as `write` likes it.
    pub(crate) fn text(&self, header: &str, write: fn(&f64) -> String) -> String {
        let line = |values: &[f64]| values.iter().map(write).collect::<Vec<_>>().join(",") + ",\n";
        let sizes: Vec<String> = self.sizes.iter().map(usize::to_string).collect();
        let (layers, widest) = (self.sizes.len() - 1, self.sizes.iter().max().expect("a layer"));
        let mut out = format!("{header}{layers},{},{},{widest},\n", sizes[0], sizes[layers]);
        out += &format!("{},\n0,\n", sizes.join(","));
        [&self.minimums, &self.maximums, &self.means, &self.ranges].iter().for_each(|v| out += &line(v));
        for ((weight, bias), sizes) in self.layers.iter().zip(self.sizes.windows(2)) {
            weight.chunks(sizes[0]).chain(bias.chunks(1)).for_each(|v| out += &line(v));
        }
        out
    }
}
