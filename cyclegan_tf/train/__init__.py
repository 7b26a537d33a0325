"""Trains CycleGAN: the plan, the session, the loop."""
