"""What Keras leaves to its backend, on TensorFlow: threads and gradients."""

import tensorflow as tf

LACKS: dict[str, str] = {}  # why it does not compute in a dtype, by its name


def configure(threads):
    """Set the threads within and between operations, before anything runs. Raises RuntimeError once it is too late."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def gradients(function, given, upstream):
    """Of sum(upstream * function(given)), with respect to each tensor of the dict `given`."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        output = function(given)
    return tape.gradient(output, given, upstream)
