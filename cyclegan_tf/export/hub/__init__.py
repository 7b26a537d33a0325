"""A folder for the Hugging Face Hub: the files, the model card, the upload."""
