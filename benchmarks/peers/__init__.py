"""The contenders, a module each.

They offer `training_step`, `translation`, `translated_folder` and `loader` as far as they can. Each
of these takes a `jobs.Job`, sets everything up, and returns a function that does the work once.
"""
