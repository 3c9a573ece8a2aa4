//! What is shown to be safe is cut off a box.

use super::part::{Known, positive};
use super::tree::{Before, Mix};
use unmoved_bounds::boxes::Table;
use unmoved_check::{End, Side};

/// No end is moved by less than this share of the way.
const WORTHWHILE: f64 = 0.1;
/// So many clips in a row are enough; each cuts off a tenth at least.
const MOST: usize = 32;

/// Clips as long as it is worthwhile, with everything that is at most zero where the box is unsafe. Returns what share of the volume is left, and
/// what is found never to hold in it. `once`: what was bounded in the box as it was does not hold for the checker in a smaller one, since it
/// draws ReLUs of inputs anew there.
pub(super) fn clip(
    known: &mut [Known],
    table: &mut Table,
    before: &mut Vec<Before>,
    enough: f64,
    once: bool,
) -> (f64, Option<Mix>) {
    let mut left = 1.0;
    for _ in 0..MOST {
        let Some((mix, ends, share)) = known.iter().find_map(|k| ends(k, table, enough)) else { break };
        for end in &ends {
            match end.side {
                Side::Upper => table.cut_above(end.index as usize, end.at),
                Side::Lower => table.cut_below(end.index as usize, end.at),
            }
        }
        before.push(Before::Clip { mix, ends });
        left *= share;
        if once {
            break;
        }
        let (lower, upper) = table.input();
        for Known { bounded: b, .. } in known.iter_mut() {
            let least = b.slopes.iter().zip(lower.iter().zip(upper)).map(|(a, (l, u))| (a * l).min(a * u));
            b.minimum = b.constant + least.sum::<f64>();
        }
        if let Some(mix) = positive(known, enough) {
            return (left, Some(mix));
        }
    }
    (left, None)
}

/// The ends that one bound moves, and the share that is left: beyond them its linear form is positive whatever the other inputs are.
fn ends(Known { bounded, mix }: &Known, table: &Table, enough: f64) -> Option<(Mix, Vec<End>, f64)> {
    let (lower, upper) = table.input();
    let (mut ends, mut share) = (Vec::new(), 1.0);
    for (index, (&slope, (&l, &u))) in bounded.slopes.iter().zip(lower.iter().zip(upper)).enumerate() {
        // Where the form is zero, moved outward by what rounding may be.
        let room = (enough * bounded.size - bounded.minimum) / slope.abs();
        let (side, at) = if slope > 0.0 { (Side::Upper, l + room) } else { (Side::Lower, u - room) };
        // What is left is measured by the new end, which in a box of a few floats may be the old.
        let rest = if slope > 0.0 { at - l } else { u - at };
        if slope != 0.0 && rest < (1.0 - WORTHWHILE) * (u - l) {
            share *= rest / (u - l);
            ends.push(End { index: index as u32, side, at });
        }
    }
    (!ends.is_empty()).then(|| (mix.clone(), ends, share))
}
