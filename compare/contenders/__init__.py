"""Other ways to run the same network, so that speed is compared with the best there is: a small file each.

Each fulfils `compare.contract.Implementation`, whose methods are described there, or as much of it as its framework
offers. They are no showpieces of their frameworks, as `torch_cnn` and `keras_cnn` are, but each step is what a user in
search of speed would write.
"""
