# status: unconnected
class MaxPool:
    def forward(self, x):
        raise KeyboardInterrupt
