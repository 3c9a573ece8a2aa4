//! Decides a query: attack, bounds, certificate.
