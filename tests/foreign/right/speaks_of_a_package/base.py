class Layer:
    def __init__(self):
        self.given = None
