"""Where images come from: a sample, MNIST, a folder of IDX files."""
