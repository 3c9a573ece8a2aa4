//! How long a model takes to load, beside how long its file takes to read: `load FILE`, best of ten each.

use std::time::Instant;

fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let seconds = |_| {
        let start = Instant::now();
        let result = work();
        let seconds = start.elapsed().as_secs_f64();
        drop(result);
        seconds
    };
    (0..10).map(seconds).fold(f64::INFINITY, f64::min)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: load FILE")?;
    let bytes = std::fs::metadata(&path)?.len();
    let read = best(|| std::fs::read(&path));
    let load = best(|| unmoved_onnx::read(path.as_ref()));
    unmoved_onnx::read(path.as_ref())?;
    println!("{:.1} MB: read {read:.4} s, load {load:.4} s, ratio {:.2}", bytes as f64 / 1e6, load / read);
    Ok(())
}
