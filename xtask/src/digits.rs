//! `cargo xtask digits`: draws the ten digits of `test-models/digits`, in the manner of MNIST but not taken from it, and lists
//! them in `labels.csv`.

use std::f64::consts::TAU;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Arguments of `cargo xtask digits`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder for 0.png to 9.png and labels.csv; test-models/digits if left out.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Width and height of an image.
const SIZE: usize = 28;
/// Full white up to this distance from the line, in pixels.
const CORE: f64 = 0.8;
/// Black from this distance on.
const EDGE: f64 = 1.9;

type Point = (f64, f64);
type Stroke = Vec<Point>;

/// Draws all digits.
pub(crate) fn run(args: &Args) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| crate::root().join("test-models/digits"));
    fs::create_dir_all(&out).with_context(|| format!("cannot create the folder {}", out.display()))?;
    for digit in 0..10 {
        let path = out.join(format!("{digit}.png"));
        write_png(&path, &render(&strokes(digit))).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let list: String = (0..10).map(|digit| format!("{digit}.png,{digit}\n")).collect();
    let path = out.join("labels.csv");
    fs::write(&path, format!("file,label\n{list}")).with_context(|| format!("cannot write {}", path.display()))?;
    println!("drew 0.png to 9.png in {}, labelled in labels.csv", out.display());
    Ok(())
}

/// The pen's way for each digit, in a square of 20 by 20 with y downwards.
fn strokes(digit: u8) -> Vec<Stroke> {
    match digit {
        0 => vec![arc((10.0, 10.0), (5.5, 8.5), 0.0, 1.0)],
        1 => vec![vec![(11.5, 1.0), (8.5, 19.0)]],
        2 => vec![join(&[
            arc((9.5, 6.0), (5.0, 4.8), 0.55, 1.05),
            arc((3.0, 2.0), (12.0, 14.0), 0.11, 0.18),
            vec![(4.0, 18.5), (16.0, 18.0)],
        ])],
        3 => vec![join(&[arc((9.0, 5.5), (5.0, 4.5), 0.55, 1.22), arc((9.0, 14.3), (5.8, 4.7), 0.78, 1.42)])],
        4 => vec![vec![(5.5, 1.5), (4.0, 11.0), (15.5, 10.5)], vec![(13.5, 3.0), (12.0, 19.0)]],
        5 => vec![
            join(&[vec![(6.5, 1.8), (5.5, 8.8)], arc((8.8, 13.3), (5.6, 5.2), 0.66, 1.40)]),
            vec![(6.5, 1.8), (15.5, 1.3)],
        ],
        6 => vec![join(&[vec![(12.5, 1.0), (8.0, 6.0), (5.5, 11.0)], arc((9.8, 14.2), (4.6, 4.6), 0.52, 1.52)])],
        7 => vec![vec![(3.5, 3.0), (15.5, 2.5), (12.5, 8.0), (9.5, 13.5), (8.0, 19.0)]],
        8 => vec![arc((10.0, 5.3), (3.9, 4.3), 0.0, 1.0), arc((10.0, 14.4), (4.7, 4.7), 0.0, 1.0)],
        _ => vec![arc((9.5, 6.0), (4.6, 4.8), 0.0, 1.0), vec![(14.1, 6.0), (13.0, 12.0), (11.5, 19.0)]],
    }
}

/// Part of an ellipse, from one share of the whole turn to another; zero is right, and it runs clockwise on the screen.
fn arc((x, y): Point, (width, height): (f64, f64), from: f64, to: f64) -> Stroke {
    let steps = 48;
    let turn = |step: usize| (from + (to - from) * step as f64 / steps as f64) * TAU;
    (0..=steps).map(|step| (x + width * turn(step).cos(), y + height * turn(step).sin())).collect()
}

/// One stroke through several, in a row.
fn join(parts: &[Stroke]) -> Stroke {
    parts.concat()
}

/// Paints strokes with a soft brush. As in MNIST, the centre of mass comes to the centre of the image.
fn render(strokes: &[Stroke]) -> Vec<u8> {
    let offset = (SIZE as f64 - 20.0) / 2.0;
    let first = paint(strokes, (offset, offset));
    let total: f64 = first.iter().sum();
    let mean = |coordinate: fn(usize) -> usize| {
        first.iter().enumerate().map(|(index, ink)| ink * (coordinate(index) as f64 + 0.5)).sum::<f64>() / total
    };
    let centre = SIZE as f64 / 2.0;
    let shift = (offset + centre - mean(|index| index % SIZE), offset + centre - mean(|index| index / SIZE));
    paint(strokes, shift).iter().map(|ink| (ink * 255.0).round() as u8).collect()
}

/// Ink in 0..=1 for every pixel: it depends on the distance of the pixel's centre from the nearest line.
fn paint(strokes: &[Stroke], (dx, dy): Point) -> Vec<f64> {
    let pixel = |index: usize| ((index % SIZE) as f64 + 0.5 - dx, (index / SIZE) as f64 + 0.5 - dy);
    let lines = || strokes.iter().flat_map(|stroke| stroke.windows(2));
    (0..SIZE * SIZE)
        .map(|index| {
            let nearest = lines().map(|ends| distance(pixel(index), ends[0], ends[1])).fold(f64::INFINITY, f64::min);
            ((EDGE - nearest) / (EDGE - CORE)).clamp(0.0, 1.0)
        })
        .collect()
}

/// Distance of a point from the line between two others.
fn distance((x, y): Point, (ax, ay): Point, (bx, by): Point) -> f64 {
    let (ux, uy) = (bx - ax, by - ay);
    let square = ux * ux + uy * uy;
    let share = if square == 0.0 { 0.0 } else { (((x - ax) * ux + (y - ay) * uy) / square).clamp(0.0, 1.0) };
    (x - ax - share * ux).hypot(y - ay - share * uy)
}

/// Writes an 8-bit grayscale PNG.
fn write_png(path: &Path, pixels: &[u8]) -> Result<()> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), SIZE as u32, SIZE as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_centred_and_bright_and_leave_the_border_black() {
        for digit in 0..10 {
            let pixels = render(&strokes(digit));
            assert_eq!(pixels.iter().max(), Some(&255), "digit {digit}");
            let total: f64 = pixels.iter().map(|&ink| ink as f64).sum();
            for coordinate in [|index: usize| index % SIZE, |index: usize| index / SIZE] {
                let sum: f64 =
                    pixels.iter().enumerate().map(|(index, &ink)| ink as f64 * (coordinate(index) as f64 + 0.5)).sum();
                assert!((sum / total - 14.0).abs() < 0.1, "digit {digit} is off the centre");
            }
            let border = |index: usize| [index % SIZE, index / SIZE].iter().any(|&at| at == 0 || at == SIZE - 1);
            assert!((0..SIZE * SIZE).filter(|&index| border(index)).all(|index| pixels[index] == 0), "digit {digit}");
        }
    }
}
