"""The server: TF Serving's REST and gRPC protocols, and the page, over exported SavedModels."""
