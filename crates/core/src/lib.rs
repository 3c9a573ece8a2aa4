//! Lowers a query to a mixed integer program, writes it, solves it.
