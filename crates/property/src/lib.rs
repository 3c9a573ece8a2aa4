//! What is asked of a network: input region, output constraints, query, verdict.
