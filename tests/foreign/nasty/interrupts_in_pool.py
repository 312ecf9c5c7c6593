# stage: pool forward
# status: stopped
class MaxPool:
    def forward(self, x):
        raise KeyboardInterrupt
