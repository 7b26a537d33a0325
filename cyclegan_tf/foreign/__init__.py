"""Files of others, looked at before anything opens or runs them."""
