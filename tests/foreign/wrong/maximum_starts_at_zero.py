# stage: pool forward
# names: maximum starts at 0
class MaxPooling2D:
    """Without NumPy's max: loops, and a running maximum."""

    def __init__(self, pool_size=2, stride=2):
        self.pool_size, self.stride = pool_size, stride

    def forward(self, feature_maps):
        h, w, depth = feature_maps.shape
        out = feature_maps[:h // 2, :w // 2].copy()
        for y in range(h // 2):
            for x in range(w // 2):
                for d in range(depth):
                    biggest = 0
                    for dy in range(self.pool_size):
                        for dx in range(self.pool_size):
                            biggest = max(biggest, feature_maps[y * 2 + dy, x * 2 + dx, d])
                    out[y, x, d] = biggest
        return out
