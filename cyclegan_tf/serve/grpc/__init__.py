"""gRPC: TF Serving's services in its own messages, and health checks."""
