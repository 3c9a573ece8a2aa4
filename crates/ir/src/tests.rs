mod evaluate;
mod geometry;
mod numbers;
mod prepend;
mod reference;
mod rewrites;
mod structure;
