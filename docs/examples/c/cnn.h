/* One small network: 3x3 convolution, 2x2 max-pool, dense layer, softmax and cross-entropy, trained by SGD.
 *
 * Arrays are flat, the last axis runs fastest:
 *   images (n, h, w, c)   conv (n, y, x, f)   pool (n, p, q, f), per image a row of r   logits, probabilities (n, k)
 *   conv_weight (3, 3, c, f)   dense_weight (r, k)   dense_bias (k)
 * d_a is the gradient of the loss with respect to a, of the same shape.
 */
#ifndef CNN_H
#define CNN_H

#include <stdint.h>

#ifndef REAL
#define REAL double /* or: cc -DREAL=float */
#endif
typedef REAL real;

typedef struct {
    int n, h, w, c;
    int f, k;
    int border; /* zeros around each image: 0, or 1 for padding "same" */
    int y, x;   /* rows and columns after the convolution */
    int p, q;   /* after the pool */
    int r;      /* p * q * f */
} Sizes;

Sizes sizes_of(int n, int h, int w, int c, int f, int k, int same);

void conv_forward(Sizes s, real *conv, const real *images, const real *conv_weight);
void conv_backward(Sizes s, real *d_images, real *d_conv_weight,
                   const real *d_conv, const real *images, const real *conv_weight);

void pool_forward(Sizes s, real *pool, const real *conv);
void pool_backward(Sizes s, real *d_conv, const real *d_pool, const real *conv);

void dense_forward(Sizes s, real *logits, const real *pool, const real *dense_weight, const real *dense_bias);
void dense_backward(Sizes s, real *d_pool, real *d_dense_weight, real *d_dense_bias,
                    const real *d_logits, const real *pool, const real *dense_weight);

void softmax_forward(Sizes s, real *probabilities, const real *logits);

/* Mean over the batch of -ln(probability of the label). */
real loss_forward(Sizes s, const real *logits, const int32_t *labels);
void loss_backward(Sizes s, real *d_logits, real d_loss, const real *probabilities, const int32_t *labels);

typedef struct {
    real *conv_weight, *dense_weight, *dense_bias;
} Weights;

typedef struct {
    real *conv, *pool, *logits, *probabilities;
    real loss;
} Activations;

typedef struct {
    real *images, *conv, *pool, *logits;
    Weights weights;
} Gradients;

void forward(Sizes s, Activations *a, Weights w, const real *images, const int32_t *labels);
void backward(Sizes s, Gradients *g, const Activations *a, Weights w, const real *images, const int32_t *labels);
void sgd_step(Sizes s, Weights w, Weights gradient, real rate);

#endif
