/* Answers the raw probes in a folder, python -m compare probes DIR --format raw:
 *
 *     cc -std=c99 -O2 -o answer answer.c cnn.c -lm && ./answer DIR
 *
 * Takes the cases of its own type and leaves the others out. Numbers are read as they lie, so the machine has to be
 * little-endian.
 */
#include "cnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *root;
static char folder[64];

/* All arrays of a case come from one block, and go together when the case is done. */
static real memory[1 << 22];
static size_t used;

static real *array(size_t count)
{
    if (count > sizeof memory / sizeof *memory - used) {
        fprintf(stderr, "%s: does not fit into memory\n", folder);
        exit(EXIT_FAILURE);
    }
    used += count;
    return memory + used - count;
}

static FILE *open_file(const char *place, const char *name, const char *mode)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s/%s/%s.bin", root, folder, place, name);
    FILE *file = length < (int)sizeof path ? fopen(path, mode) : NULL;
    if (!file) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return file;
}

static void give_up(const char *name)
{
    fprintf(stderr, "%s: %s is too short, or cannot be written\n", folder, name);
    exit(EXIT_FAILURE);
}

static void read_into(void *target, const char *name, size_t size, size_t count)
{
    FILE *file = open_file("given", name, "rb");
    if (fread(target, size, count, file) != count)
        give_up(name);
    fclose(file);
}

static real *given(const char *name, size_t count)
{
    real *numbers = array(count);
    read_into(numbers, name, sizeof *numbers, count);
    return numbers;
}

static void answer(const char *place, const char *name, const real *numbers, size_t count)
{
    FILE *file = open_file(place, name, "wb");
    if (fwrite(numbers, sizeof *numbers, count, file) != count || fclose(file) != 0)
        give_up(name);
}

static Weights given_weights(Sizes s)
{
    return (Weights){given("conv_weight", 9 * s.c * s.f), given("dense_weight", s.r * s.k), given("dense_bias", s.k)};
}

static Activations new_activations(Sizes s)
{
    return (Activations){
        .conv = array(s.n * s.y * s.x * s.f),
        .pool = array(s.n * s.r),
        .logits = array(s.n * s.k),
        .probabilities = array(s.n * s.k),
    };
}

static Gradients new_gradients(Sizes s)
{
    return (Gradients){
        .images = array(s.n * s.h * s.w * s.c),
        .conv = array(s.n * s.y * s.x * s.f),
        .pool = array(s.n * s.r),
        .logits = array(s.n * s.k),
        .weights = {array(9 * s.c * s.f), array(s.r * s.k), array(s.k)},
    };
}

static void answer_activations(Sizes s, const char *place, const Activations *a)
{
    answer(place, "conv", a->conv, s.n * s.y * s.x * s.f);
    answer(place, "pool", a->pool, s.n * s.r);
    answer(place, "logits", a->logits, s.n * s.k);
    answer(place, "probabilities", a->probabilities, s.n * s.k);
    answer(place, "loss", &a->loss, 1);
}

static void answer_gradients(Sizes s, const char *place, const Gradients *g)
{
    answer(place, "d_logits", g->logits, s.n * s.k);
    answer(place, "d_pool", g->pool, s.n * s.r);
    answer(place, "d_dense_weight", g->weights.dense_weight, s.r * s.k);
    answer(place, "d_dense_bias", g->weights.dense_bias, s.k);
    answer(place, "d_conv", g->conv, s.n * s.y * s.x * s.f);
    answer(place, "d_images", g->images, s.n * s.h * s.w * s.c);
    answer(place, "d_conv_weight", g->weights.conv_weight, 9 * s.c * s.f);
}

/* Each stage on what is given, whatever the stage before it makes. */
static void answer_alone(Sizes s, const real *images, const int32_t *labels, Weights w)
{
    Activations a = new_activations(s);
    Gradients g = new_gradients(s);
    const real *conv = given("conv", s.n * s.y * s.x * s.f);
    const real *pool = given("pool", s.n * s.r);
    const real *logits = given("logits", s.n * s.k);

    conv_forward(s, a.conv, images, w.conv_weight);
    pool_forward(s, a.pool, conv);
    dense_forward(s, a.logits, pool, w.dense_weight, w.dense_bias);
    softmax_forward(s, a.probabilities, logits);
    a.loss = loss_forward(s, logits, labels);
    answer_activations(s, "alone", &a);

    loss_backward(s, g.logits, *given("up_loss", 1), a.probabilities, labels);
    dense_backward(s, g.pool, g.weights.dense_weight, g.weights.dense_bias, given("up_logits", s.n * s.k), pool,
                   w.dense_weight);
    pool_backward(s, g.conv, given("up_pool", s.n * s.r), conv);
    conv_backward(s, g.images, g.weights.conv_weight, given("up_conv", s.n * s.y * s.x * s.f), images, w.conv_weight);
    answer_gradients(s, "alone", &g);
}

static void answer_run(Sizes s, const real *images, const int32_t *labels, Weights w, real rate)
{
    Activations a = new_activations(s);
    Gradients g = new_gradients(s);
    forward(s, &a, w, images, labels);
    backward(s, &g, &a, w, images, labels);
    answer_activations(s, "run", &a);
    answer_gradients(s, "run", &g);
    answer("run", "predict", a.probabilities, s.n * s.k);

    sgd_step(s, w, g.weights, rate);
    answer("run", "step_loss", &a.loss, 1);
    answer("run", "step_conv_weight", w.conv_weight, 9 * s.c * s.f);
    answer("run", "step_dense_weight", w.dense_weight, s.r * s.k);
    answer("run", "step_dense_bias", w.dense_bias, s.k);
}

static void answer_path(Sizes s, int steps, const real *images, const int32_t *labels, Weights w, real rate)
{
    Activations a = new_activations(s);
    Gradients g = new_gradients(s);
    FILE *loss = open_file("path", "loss", "wb");
    FILE *files[] = {open_file("path", "conv_weight", "wb"), open_file("path", "dense_weight", "wb"),
                     open_file("path", "dense_bias", "wb")};
    const real *weights[] = {w.conv_weight, w.dense_weight, w.dense_bias};
    const size_t counts[] = {9 * s.c * s.f, s.r * s.k, s.k};

    for (int step = 0; step <= steps; step++) {
        for (int i = 0; i < 3; i++)
            if (fwrite(weights[i], sizeof(real), counts[i], files[i]) != counts[i])
                give_up("path");
        if (step == steps)
            break;
        forward(s, &a, w, images, labels);
        backward(s, &g, &a, w, images, labels);
        sgd_step(s, w, g.weights, rate);
        if (fwrite(&a.loss, sizeof a.loss, 1, loss) != 1)
            give_up("path");
        images += s.n * s.h * s.w * s.c;
        labels += s.n;
    }
    fclose(loss);
    for (int i = 0; i < 3; i++)
        fclose(files[i]);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return EXIT_FAILURE;
    }
    root = argv[1];
    char path[4096], dtype[16], padding[16];
    snprintf(path, sizeof path, "%s/cases.txt", root);
    FILE *cases = fopen(path, "r");
    if (!cases) {
        perror(path);
        return EXIT_FAILURE;
    }
    const char *mine = sizeof(real) == sizeof(float) ? "float32" : "float64";
    const real rate = (real)0.1;
    int steps, n, h, w, c, f, k, answered = 0;
    while (fscanf(cases, "%63s %15s %15s %d %d %d %d %d %d %d", folder, dtype, padding, &steps, &n, &h, &w, &c, &f, &k)
           == 10) {
        if (strcmp(dtype, mine) != 0)
            continue;
        used = 0;
        Sizes s = sizes_of(n, h, w, c, f, k, strcmp(padding, "same") == 0);
        size_t batches = steps ? steps : 1;
        real *images = given("images", batches * n * h * w * c);
        int32_t *labels = malloc(batches * n * sizeof *labels);
        if (!labels)
            give_up("labels");
        read_into(labels, "labels", sizeof *labels, batches * n);
        Weights weights = given_weights(s);
        if (steps)
            answer_path(s, steps, images, labels, weights, rate);
        else {
            answer_alone(s, images, labels, weights);
            answer_run(s, images, labels, weights, rate);
        }
        free(labels);
        answered++;
    }
    fclose(cases);
    printf("%d cases in %s answered\n", answered, mine);
    return EXIT_SUCCESS;
}
