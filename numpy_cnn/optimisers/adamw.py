"""Adam with decoupled weight decay."""

from dataclasses import dataclass

from numpy_cnn.optimisers.adam import Adam


@dataclass(frozen=True)
class AdamW(Adam):
    """`Adam`, and every parameter shrinks by rate * weight_decay of itself, past the moments.

    Algorithm 2 of Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019. There the decay is
    eta * lambda, where eta is the schedule alone and the rate eta * alpha. Here, as in PyTorch, Keras and optax, it is
    rate * weight_decay, so that weight_decay is the paper's lambda / alpha. 0.01 is PyTorch's default.
    """

    weight_decay: float = 0.01

    def update(self, parameter, gradient, state, rate):
        """(new parameter, new state)."""
        moved, state = super().update(parameter, gradient, state, rate)
        return moved - rate * self.weight_decay * parameter, state
