// tiny-dnn peer (Debian 1.0.0a3): fit() over the mini-batches; serial and AVX paths, own thread pool.
#include <tiny_dnn/tiny_dnn.h>
extern "C" {
#include "../fann/common.h"
}
using namespace tiny_dnn;
#define PEER "tinydnn"
struct Spec { const char *item; std::vector<size_t> z; bool sig; int loss; bool adam; float lr; size_t batch, rows; };
static std::vector<Spec> SPECS = {
    {"T1", {2, 3, 1}, true, 0, false, .5f, 3, 3},       {"T2", {13, 64, 64, 1}, false, 1, true, 1e-3f, 32, 4096},
    {"T3", {64, 64, 64, 10}, false, 2, true, 1e-3f, 32, 4096}, {"T4", {784, 128, 10}, false, 2, false, .01f, 32, 4096},
    {"T5", {784, 512, 512, 10}, false, 2, true, 1e-3f, 128, 8192},
    {"T6", {1024, 1024, 1024, 1024, 10}, false, 2, true, 1e-3f, 256, 4096}};
static network<sequential> make(const Spec &s) {
    network<sequential> n;
    for (size_t i = 0; i + 1 < s.z.size(); i++) {
        size_t in = s.z[i], out = s.z[i + 1];
        bool last = i + 2 == s.z.size();
        if (s.sig) n << fully_connected_layer<activation::sigmoid>(in, out);
        else if (!last) n << fully_connected_layer<activation::relu>(in, out);
        else if (s.loss == 2) n << fully_connected_layer<activation::softmax>(in, out);
        else n << fully_connected_layer<activation::identity>(in, out);
    }
    return n;
}
struct Ctx { network<sequential> net; const Spec *s; std::vector<vec_t> x, y; std::vector<label_t> l; adam ad; gradient_descent gd; int th; size_t i = 0; };
template <class O> static void fit(Ctx *c, O &o) {
    auto nop = [] {};
    if (c->s->loss == 2) c->net.train<cross_entropy_multiclass>(o, c->x, c->l, c->s->batch, 1, nop, nop, false, c->th);
    else c->net.fit<mse>(o, c->x, c->y, c->s->batch, 1, nop, nop, false, c->th);
}
static void train(void *p, long n) { Ctx *c = (Ctx *)p; while (n--) { if (c->s->adam) fit(c, c->ad); else fit(c, c->gd); } }
static void infer(void *p, long n) { Ctx *c = (Ctx *)p; while (n--) { volatile float o = c->net.predict(c->x[c->i++ % 64])[0]; (void)o; } }
static void fill(Ctx &c, size_t rows) {
    uint64_t k = 1; size_t d = c.s->z[0];
    if (!strcmp(c.s->item, "T1")) { c.x = {{.3f, .5f}, {.5f, .1f}, {1.f, .2f}}; c.y = {{.75f}, {.82f}, {.93f}}; return; }
    for (size_t i = 0; i < rows; i++) {
        vec_t r(d); for (auto &v : r) v = splitmix_at(42, k++);
        if (c.s->loss == 2) { size_t m = 0; for (size_t q = 1; q < 10; q++) if (r[q] > r[m]) m = q; c.l.push_back(m); }
        else c.y.push_back({r[0] - r[1] + .5f * r[2]});
        c.x.push_back(std::move(r));
    }
}
int main(int argc, char **argv) {
    const char *items = opt(argc, argv, "--items", "T1,T2,T3,T4,T5,T6,I1a,I1b");
    double sec = atof(opt(argc, argv, "--seconds", "0.8")), w = atof(opt(argc, argv, "--warm", "0.3"));
    int th = atoi(opt(argc, argv, "--threads", "1"));
    for (auto &s : SPECS) {
        if (!has(items, s.item)) continue;
        size_t rows = std::min(s.rows, s.z[0] >= 784 ? 8 * s.batch : s.rows);   // it is slow: a shorter epoch for the big nets
        Ctx c; c.s = &s; c.net = make(s); c.th = th; fill(c, rows);
        c.ad.alpha = s.lr; c.gd.alpha = s.lr;
        double t = measure(sec, w, train, &c) / (rows / s.batch);
        emit(PEER, s.item, th, t, s.batch, 0.0 / 0.0);
    }
    for (int q = 0; q < 2; q++) {
        const char *it = q ? "I1b" : "I1a";
        if (!has(items, it)) continue;
        Ctx c; c.s = &SPECS[q ? 1 : 3]; c.net = make(*c.s); fill(c, 64); c.net.init_weight();
        emit(PEER, it, th, measure(sec, w, infer, &c), 1, 0);
    }
}
