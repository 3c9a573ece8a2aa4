//! Interval and linear bounds, sound under rounding.
