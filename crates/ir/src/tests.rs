mod evaluate;
mod geometry;
mod numbers;
mod reference;
mod rewrites;
mod structure;
