"""The transport over Kafka: the same ports as the embedded log, on a real broker."""
