"""Other methods of the CycleGAN paper's figure 5, small and after their papers.

CoGAN and BiGAN are written here; SimGAN and pix2pix are configs of our own training. `compare`
trains all of them and CycleGAN for the same minutes and scores them alike.
"""
