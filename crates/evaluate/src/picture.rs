//! Pictures for people: a counterexample beside its original, and what was changed.
//!
//! What is exact is the `.npy`; a picture rounds every value to a byte.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use png::{Compression, Filter};

/// The extents of an input that is an image: grey or colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageShape {
    /// 1 or 3.
    channels: usize,
    height: usize,
    width: usize,
}

impl ImageShape {
    /// Of the shape of an input; `None` if that is no image: `[height, width]` or `[channels, height, width]` with one or three channels, and at
    /// most 1,024 pixels wide and high.
    pub fn of(shape: &[usize]) -> Option<Self> {
        let (channels, height, width) = match *shape {
            [height, width] => (1, height, width),
            [channels @ (1 | 3), height, width] => (channels, height, width),
            _ => return None,
        };
        let fits = |extent| (1..=1024).contains(&extent);
        // A list in disguise is no image.
        let is_flat = height == 1 && width > 1 || width == 1 && height > 1;
        (fits(height) && fits(width) && !is_flat).then_some(Self { channels, height, width })
    }

    fn pixels(self) -> usize {
        self.height * self.width
    }

    fn len(self) -> usize {
        self.channels * self.pixels()
    }
}

/// Values that are no picture of this shape.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Their number.
    #[error("{found} values are no image of {expected}")]
    Values {
        /// How many there are.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// The encoder.
    #[error(transparent)]
    Png(#[from] png::EncodingError),
}

/// What a counterexample shows.
#[derive(Debug, Clone)]
pub struct Triptych<'a> {
    /// The extents of both inputs.
    pub shape: ImageShape,
    /// The values of the original, row-major with the channels apart.
    pub original: &'a [f32],
    /// Those of the counterexample.
    pub perturbed: &'a [f32],
    /// What is written below each: the class, the other class, the distance. Characters beyond ASCII become `?`.
    pub captions: [String; 3],
}

type Rgb = [u8; 3];

const WHITE: Rgb = [255; 3];
const INK: Rgb = [38, 38, 44];
/// What an enlarged image is about as wide and as high as.
const PANEL: usize = 280;
/// For pictures within a page.
const SMALL: (Compression, Filter) = (Compression::High, Filter::Adaptive);
/// For enlarged ones, whose rows repeat the one above. A run draws hundreds and must not wait for them.
const ENLARGED: (Compression, Filter) = (Compression::Balanced, Filter::Up);
/// Around and between the panels.
const GAP: usize = 20;
/// Below a panel.
const CAPTION: usize = 36;
/// Of the bar that shows the colours of the differences.
const BAR: usize = 14;
const HEIGHT: RasterHeight = RasterHeight::Size16;

impl Triptych<'_> {
    /// Draws original, counterexample and signed difference side by side, each enlarged by the same whole number with sharp pixels, and the
    /// difference's scale. Of three channels the difference that is largest in a pixel is shown.
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let shape = self.shape;
        for values in [self.original, self.perturbed] {
            if values.len() != shape.len() {
                return Err(PictureError::Values { found: values.len(), expected: shape.len() });
            }
        }
        let factor = (PANEL / shape.height.max(shape.width)).max(1);
        let (width, height) = (shape.width * factor, shape.height * factor);
        let differences = self.differences();
        let most = differences.iter().fold(0.0f64, |most, d| most.max(d.abs()));
        let labels = [format!("{most:+.4}"), " 0".into(), format!("{:+.4}", -most)];
        let scale = BAR + 10 + get_raster_width(FontWeight::Regular, HEIGHT) * labels[0].len().max(7);
        let mut canvas =
            Canvas::new(GAP + 3 * (width + GAP) + scale + GAP.saturating_sub(8), GAP + height + CAPTION + 6);
        let range = self.range();
        let colours = [
            colours(shape, self.original, range),
            colours(shape, self.perturbed, range),
            differences.iter().map(|d| diverging(if most > 0.0 { d / most } else { 0.0 })).collect(),
        ];
        for (k, (colours, caption)) in colours.iter().zip(&self.captions).enumerate() {
            let left = GAP + k * (width + GAP);
            canvas.frame([left, GAP], [width, height]);
            for (pixel, colour) in colours.iter().enumerate() {
                let at = [left + pixel % shape.width * factor, GAP + pixel / shape.width * factor];
                canvas.fill(at, [factor, factor], *colour);
            }
            canvas.text(left, GAP + height + 12, caption, width + GAP);
        }
        let left = GAP + 3 * (width + GAP) - 8;
        canvas.frame([left, GAP], [BAR, height]);
        for row in 0..height {
            let value = 1.0 - 2.0 * (row as f64 + 0.5) / height as f64;
            canvas.fill([left, GAP + row], [BAR, 1], diverging(value));
        }
        for (label, place) in labels.iter().zip([0, height / 2, height]) {
            canvas.fill([left + BAR, (GAP + place).min(GAP + height - 1)], [4, 1], INK);
            // Their middle is at the mark, but for the ends, which stay beside the bar.
            let top = (GAP + place).saturating_sub(8).clamp(GAP, GAP + height.saturating_sub(14));
            canvas.text(left + BAR + 8, top, label, usize::MAX);
        }
        canvas.png()
    }

    /// The valid range of pixels, and beyond it what these images take up.
    fn range(&self) -> [f32; 2] {
        let all = self.original.iter().chain(self.perturbed).filter(|v| v.is_finite());
        all.fold([0.0, 1.0], |[low, high], &v| [v.min(low), v.max(high)])
    }

    /// For each pixel the signed difference that is the largest of its channels'.
    fn differences(&self) -> Vec<f64> {
        let size = self.shape.pixels();
        let of = |k: usize| f64::from(self.perturbed[k]) - f64::from(self.original[k]);
        let largest = |p: usize| {
            let channels = (0..self.shape.channels).map(|c| of(c * size + p));
            channels.fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a })
        };
        (0..size).map(largest).collect()
    }
}

/// An image alone, a pixel for each of its pixels; values beyond 0 to 1 are shown as these.
pub fn thumbnail(shape: ImageShape, values: &[f32]) -> Result<Vec<u8>, PictureError> {
    if values.len() != shape.len() {
        return Err(PictureError::Values { found: values.len(), expected: shape.len() });
    }
    let colours = colours(shape, values, [0.0, 1.0]);
    let size = [shape.width, shape.height];
    if shape.channels == 1 {
        let grey: Vec<u8> = colours.iter().map(|colour| colour[0]).collect();
        return encode(size, png::ColorType::Grayscale, SMALL, &grey);
    }
    encode(size, png::ColorType::Rgb, SMALL, colours.as_flattened())
}

fn colours(shape: ImageShape, values: &[f32], [low, high]: [f32; 2]) -> Vec<Rgb> {
    let byte = |v: f32| ((v - low) / (high - low) * 255.0).round() as u8;
    let channel = |c: usize, p: usize| byte(values[(c % shape.channels) * shape.pixels() + p]);
    (0..shape.pixels()).map(|p| [0, 1, 2].map(|c| channel(c, p))).collect()
}

/// Blue for -1, white for 0, red for 1: a map that is told apart by those who do not see red and green alike.
fn diverging(value: f64) -> Rgb {
    let colour = colorous::RED_BLUE.eval_continuous(0.5 - value.clamp(-1.0, 1.0) / 2.0);
    // In the middle the map is a light grey; nothing changed is white.
    if value == 0.0 { WHITE } else { [colour.r, colour.g, colour.b] }
}

fn encode(
    [width, height]: [usize; 2],
    kind: png::ColorType,
    (compression, filter): (Compression, Filter),
    bytes: &[u8],
) -> Result<Vec<u8>, PictureError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(kind);
    encoder.set_compression(compression);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(out)
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![WHITE; width * height] }
    }

    /// What lies beyond the edge is left out.
    fn pixel(&mut self, x: usize, y: usize) -> Option<&mut Rgb> {
        (x < self.width).then(|| self.pixels.get_mut(y * self.width + x))?
    }

    fn fill(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2], colour: Rgb) {
        for y in top..top + height {
            for x in left..left + width {
                self.pixel(x, y).into_iter().for_each(|pixel| *pixel = colour);
            }
        }
    }

    /// A thin line around a rectangle.
    fn frame(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2]) {
        self.fill([left - 1, top - 1], [width + 2, height + 2], [200, 200, 206]);
    }

    /// Writes a line of at most so many pixels.
    fn text(&mut self, left: usize, top: usize, text: &str, width: usize) {
        let step = get_raster_width(FontWeight::Regular, HEIGHT);
        for (k, letter) in text.chars().take(width / step).enumerate() {
            let raster = get_raster(letter, FontWeight::Regular, HEIGHT);
            let Some(raster) = raster.or_else(|| get_raster('?', FontWeight::Regular, HEIGHT)) else { continue };
            for (y, row) in raster.rows().enumerate() {
                for (x, &ink) in row.iter().enumerate().filter(|(_, ink)| **ink > 0) {
                    if let Some(pixel) = self.pixel(left + k * step + x, top + y) {
                        let mix = |c: usize| {
                            let (paper, ink) =
                                (u32::from(pixel[c]) * (255 - u32::from(ink)), u32::from(INK[c]) * u32::from(ink));
                            ((paper + ink) / 255) as u8
                        };
                        *pixel = [0, 1, 2].map(mix);
                    }
                }
            }
        }
    }

    fn png(&self) -> Result<Vec<u8>, PictureError> {
        encode([self.width, self.height], png::ColorType::Rgb, ENLARGED, self.pixels.as_flattened())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colour at a place.
    fn decode(png: &[u8]) -> (usize, impl Fn(usize, usize) -> Rgb + use<>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let width = info.width as usize;
        (width, move |x, y| bytes[3 * (y * width + x)..][..3].try_into().unwrap())
    }

    fn triptych<'a>(shape: &[usize], original: &'a [f32], perturbed: &'a [f32]) -> Triptych<'a> {
        let captions = ["7".into(), "3".into(), "linf 0.5000".into()];
        Triptych { shape: ImageShape::of(shape).unwrap(), original, perturbed, captions }
    }

    #[test]
    fn pixels_are_enlarged_and_differences_have_their_sign() {
        let png = triptych(&[1, 2, 2], &[0.0, 1.0, 0.2, 0.5], &[0.5, 0.5, 0.2, 0.5]).png().unwrap();
        let (_, at) = decode(&png);
        // Each pixel is 140 wide and high.
        let panel = |k: usize, x: usize, y: usize| at(GAP + k * (280 + GAP) + x, GAP + y);
        assert_eq!([panel(0, 0, 0), panel(0, 139, 139), panel(0, 140, 0)], [[0; 3], [0; 3], WHITE]);
        assert_eq!([panel(1, 0, 0), panel(0, 0, 279)], [[128; 3], [51; 3]]);
        let (more, less, same) = (panel(2, 0, 0), panel(2, 279, 0), panel(2, 0, 279));
        assert!(more[0] > more[2] && less[2] > less[0] && same == WHITE, "{more:?} {less:?} {same:?}");
    }

    #[test]
    fn of_three_channels_the_largest_difference_is_shown() {
        let original = [0.5f32; 12];
        let mut perturbed = original;
        (perturbed[0], perturbed[4], perturbed[5]) = (0.6, 0.1, 0.9);
        let png = triptych(&[3, 2, 2], &original, &perturbed).png().unwrap();
        let (_, at) = decode(&png);
        let left = GAP + 2 * (280 + GAP);
        assert_eq!([at(left, GAP), at(left + 140, GAP)], [diverging(-1.0), diverging(1.0)]);
        assert_eq!(at(GAP, GAP), [128; 3]);
    }

    #[test]
    fn the_same_inputs_give_a_picture_without_a_difference_and_the_same_bytes() {
        let values = [0.1f32; 28 * 28];
        let png = triptych(&[1, 28, 28], &values, &values).png().unwrap();
        assert_eq!(png, triptych(&[28, 28], &values, &values).png().unwrap());
        assert!(matches!(triptych(&[2, 2], &values, &values).png(), Err(PictureError::Values { .. })));
    }

    #[test]
    fn lists_and_what_has_other_channels_are_no_images() {
        for shape in [&[784][..], &[1, 1, 784], &[2, 5, 5], &[1, 1, 28, 28], &[0, 3], &[1, 3, 5000], &[]] {
            assert_eq!(ImageShape::of(shape), None, "{shape:?}");
        }
        let shape = ImageShape::of(&[3, 1, 1]).unwrap();
        let (width, at) = decode(&thumbnail(shape, &[0.0, 2.0, -1.0]).unwrap());
        assert_eq!((width, at(0, 0)), (1, [0, 255, 0]));
    }
}
