//! Plans as graphs: refused at construction when a dependency is unknown or circular.
