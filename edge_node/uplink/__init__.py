"""Between a node and the plant's other end: what ships its spool, listens, and knows the link."""
