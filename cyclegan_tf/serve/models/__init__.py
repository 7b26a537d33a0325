"""What requests meet whatever their protocol: limits, the queue, models and their versions."""
