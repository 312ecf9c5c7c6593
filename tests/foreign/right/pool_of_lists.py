# says: maxpooling is the pooling, one image at a time
# never: RAISED
def maxpooling(matrix, size, stride):
    """Rows of numbers in, a list of such rows out."""
    rows, columns = (len(matrix) - size) // stride + 1, (len(matrix[0]) - size) // stride + 1
    out = [[0 for _ in range(columns)] for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            window = [matrix[i * stride + a][j * stride : j * stride + size] for a in range(size)]
            out[i][j] = max(max(row) for row in window)
    return out
