#include "cnn.h"

#include <string.h>
#include <tgmath.h>

Sizes sizes_of(int n, int h, int w, int c, int f, int k, int same)
{
    Sizes s = {.n = n, .h = h, .w = w, .c = c, .f = f, .k = k, .border = same ? 1 : 0};
    s.y = h + 2 * s.border - 2;
    s.x = w + 2 * s.border - 2;
    s.p = s.y / 2; /* an odd last row or column is dropped */
    s.q = s.x / 2;
    s.r = s.p * s.q * f;
    return s;
}

/* The pixel that tap (i, j) of the filters sees from (y, x), as an offset into the images; -1 in the border. */
static long pixel_at(Sizes s, int n, int y, int x, int i, int j)
{
    int row = y + i - s.border, column = x + j - s.border;
    if (row < 0 || row >= s.h || column < 0 || column >= s.w)
        return -1;
    return (((long)n * s.h + row) * s.w + column) * s.c;
}

void conv_forward(Sizes s, real *conv, const real *images, const real *conv_weight)
{
    memset(conv, 0, sizeof *conv * s.n * s.y * s.x * s.f);
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.y; y++)
            for (int x = 0; x < s.x; x++, conv += s.f)
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < 3; j++) {
                        long at = pixel_at(s, n, y, x, i, j);
                        if (at < 0)
                            continue;
                        const real *w = conv_weight + (i * 3 + j) * s.c * s.f;
                        for (int c = 0; c < s.c; c++, w += s.f)
                            for (int f = 0; f < s.f; f++)
                                conv[f] += images[at + c] * w[f];
                    }
}

void conv_backward(Sizes s, real *d_images, real *d_conv_weight,
                   const real *d_conv, const real *images, const real *conv_weight)
{
    memset(d_images, 0, sizeof *d_images * s.n * s.h * s.w * s.c);
    memset(d_conv_weight, 0, sizeof *d_conv_weight * 9 * s.c * s.f);
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.y; y++)
            for (int x = 0; x < s.x; x++, d_conv += s.f)
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < 3; j++) {
                        long at = pixel_at(s, n, y, x, i, j);
                        if (at < 0)
                            continue;
                        const real *w = conv_weight + (i * 3 + j) * s.c * s.f;
                        real *dw = d_conv_weight + (i * 3 + j) * s.c * s.f;
                        for (int c = 0; c < s.c; c++, w += s.f, dw += s.f)
                            for (int f = 0; f < s.f; f++) {
                                d_images[at + c] += d_conv[f] * w[f];
                                dw[f] += d_conv[f] * images[at + c];
                            }
                    }
}

/* Offset of the first maximum of window (p, q) of channel f, in row order. */
static long winner_of(Sizes s, const real *conv, int n, int p, int q, int f)
{
    long best = (((long)n * s.y + 2 * p) * s.x + 2 * q) * s.f + f;
    long right = s.f, below = (long)s.x * s.f, first = best;
    long corners[] = {first + right, first + below, first + below + right};
    for (int i = 0; i < 3; i++)
        if (conv[corners[i]] > conv[best])
            best = corners[i];
    return best;
}

void pool_forward(Sizes s, real *pool, const real *conv)
{
    for (int n = 0; n < s.n; n++)
        for (int p = 0; p < s.p; p++)
            for (int q = 0; q < s.q; q++)
                for (int f = 0; f < s.f; f++)
                    *pool++ = conv[winner_of(s, conv, n, p, q, f)];
}

void pool_backward(Sizes s, real *d_conv, const real *d_pool, const real *conv)
{
    memset(d_conv, 0, sizeof *d_conv * s.n * s.y * s.x * s.f);
    for (int n = 0; n < s.n; n++)
        for (int p = 0; p < s.p; p++)
            for (int q = 0; q < s.q; q++)
                for (int f = 0; f < s.f; f++)
                    d_conv[winner_of(s, conv, n, p, q, f)] = *d_pool++;
}

void dense_forward(Sizes s, real *logits, const real *pool, const real *dense_weight, const real *dense_bias)
{
    for (int n = 0; n < s.n; n++, logits += s.k, pool += s.r) {
        memcpy(logits, dense_bias, sizeof *logits * s.k);
        for (int r = 0; r < s.r; r++)
            for (int k = 0; k < s.k; k++)
                logits[k] += pool[r] * dense_weight[r * s.k + k];
    }
}

void dense_backward(Sizes s, real *d_pool, real *d_dense_weight, real *d_dense_bias,
                    const real *d_logits, const real *pool, const real *dense_weight)
{
    memset(d_pool, 0, sizeof *d_pool * s.n * s.r);
    memset(d_dense_weight, 0, sizeof *d_dense_weight * s.r * s.k);
    memset(d_dense_bias, 0, sizeof *d_dense_bias * s.k);
    for (int n = 0; n < s.n; n++, d_logits += s.k, d_pool += s.r, pool += s.r)
        for (int k = 0; k < s.k; k++) {
            d_dense_bias[k] += d_logits[k];
            for (int r = 0; r < s.r; r++) {
                d_pool[r] += d_logits[k] * dense_weight[r * s.k + k];
                d_dense_weight[r * s.k + k] += d_logits[k] * pool[r];
            }
        }
}

static real largest(const real *row, int count)
{
    real most = row[0];
    for (int i = 1; i < count; i++)
        most = row[i] > most ? row[i] : most;
    return most;
}

void softmax_forward(Sizes s, real *probabilities, const real *logits)
{
    for (int n = 0; n < s.n; n++, probabilities += s.k, logits += s.k) {
        real most = largest(logits, s.k), sum = 0; /* exp(1e5) would be infinite */
        for (int k = 0; k < s.k; k++)
            sum += probabilities[k] = exp(logits[k] - most);
        for (int k = 0; k < s.k; k++)
            probabilities[k] /= sum;
    }
}

real loss_forward(Sizes s, const real *logits, const int32_t *labels)
{
    real total = 0;
    for (int n = 0; n < s.n; n++, logits += s.k) {
        real most = largest(logits, s.k), sum = 0;
        for (int k = 0; k < s.k; k++)
            sum += exp(logits[k] - most);
        total += log(sum) - (logits[labels[n]] - most);
    }
    return total / s.n;
}

void loss_backward(Sizes s, real *d_logits, real d_loss, const real *probabilities, const int32_t *labels)
{
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            *d_logits++ = d_loss * (*probabilities++ - (k == labels[n])) / s.n;
}

void forward(Sizes s, Activations *a, Weights w, const real *images, const int32_t *labels)
{
    conv_forward(s, a->conv, images, w.conv_weight);
    pool_forward(s, a->pool, a->conv);
    dense_forward(s, a->logits, a->pool, w.dense_weight, w.dense_bias);
    softmax_forward(s, a->probabilities, a->logits);
    a->loss = loss_forward(s, a->logits, labels);
}

void backward(Sizes s, Gradients *g, const Activations *a, Weights w, const real *images, const int32_t *labels)
{
    loss_backward(s, g->logits, 1, a->probabilities, labels);
    dense_backward(s, g->pool, g->weights.dense_weight, g->weights.dense_bias, g->logits, a->pool, w.dense_weight);
    pool_backward(s, g->conv, g->pool, a->conv);
    conv_backward(s, g->images, g->weights.conv_weight, g->conv, images, w.conv_weight);
}

static void descend(real *weight, const real *gradient, real rate, int count)
{
    for (int i = 0; i < count; i++)
        weight[i] -= rate * gradient[i];
}

void sgd_step(Sizes s, Weights w, Weights gradient, real rate)
{
    descend(w.conv_weight, gradient.conv_weight, rate, 9 * s.c * s.f);
    descend(w.dense_weight, gradient.dense_weight, rate, s.r * s.k);
    descend(w.dense_bias, gradient.dense_bias, rate, s.k);
}
