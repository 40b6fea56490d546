"""Where samples come from; every source is behind the small port in `edge_node.sources.port`."""
