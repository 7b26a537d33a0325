"""What a training measures, writes down and warns of while it runs."""
