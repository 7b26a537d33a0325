"""A server of exported SavedModels: TF Serving's REST and gRPC protocols, and the page."""
