"""How good a trained generator is: scores of its test split beside baselines, and a report."""
