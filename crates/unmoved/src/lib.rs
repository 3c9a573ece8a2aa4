//! Proves that a neural network's answer stays unmoved, or shows what moves it.
