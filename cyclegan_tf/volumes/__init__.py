"""Volumes of medicine and science: NIfTI, DICOM series, MetaImage and NRRD, slice by slice.

Needs no TensorFlow, and the extra `medical` only where a file of its kinds is opened.
"""
