"""How good a trained translator is: its test split, scores beside baselines, a report."""
