"""Translates images of any size, folders of images and videos with a trained generator."""
