"""Where numbers, images and warnings go beside metrics.jsonl: TensorBoard and online trackers."""
