/* Single neurons with given input in 113-bit arithmetic: a dense scan, then bisection.
 * Reads one case a line from standard input, as written by mint_cases.py, and answers each
 * with one line. Build: gcc -O2 -ffp-contract=off -o single single.c -lquadmath -lm */
#include "linear.h"

enum { MAXE = 8, MAXS = 4000, ORDER = 30 };
static const double T_END = 60.0;

typedef struct {
    int qif;
    double tau_m, ex[2], in[2]; /* decay, rise; tau_m 0: no leak; decay 0: delta synapses */
    double c_m, e_l, v_th, v_reset, t_ref, i_e, v0, gap;
    double k, v_r, v_t; /* quadratic */
    int graze, n;
    double t[MAXE], w[MAXE];
} Case;

typedef struct {
    int n, tie;
    Q at[MAXS], closest;
} Train;

/* What is varied to see how far rounding of a caller's own can move a spike. */
typedef struct { Q threshold, weight, current; } Nudge;

typedef struct {
    Linear free, held;
    Q kick[2]; /* what a unit weight adds */
    int row[2];
    Q pre[MAXN][MAXN]; /* flow of `free` over one scan step */
} Neuron;

static void build(const Case *c, Nudge d, Neuron *u) {
    memset(u, 0, sizeof *u);
    Linear *m = &u->free;
    Q least = c->tau_m > 0 ? c->tau_m : 8;
    m->n = 1;
    for (int r = 0; r < 2; r++) {
        const double *tau = r ? c->in : c->ex;
        if (tau[0] == 0) { u->kick[r] = 1; u->row[r] = 0; continue; }
        u->kick[r] = receptor(m, m->n, tau[0], tau[1], c->c_m);
        u->row[r] = tau[1] > 0 ? m->n + 1 : m->n;
        m->n = u->row[r] + 1;
        if (tau[0] < least) least = tau[0];
        if (tau[1] > 0 && tau[1] < least) least = tau[1];
    }
    m->a[0][m->n] = (Q)c->i_e * (1 + d.current) / c->c_m;
    if (c->tau_m > 0) {
        m->a[0][0] = -1 / (Q)c->tau_m;
        m->a[0][m->n] += c->e_l / (Q)c->tau_m;
    }
    m->n++;
    m->h = least / 16;
    u->held = *m;
    for (int j = 0; j < m->n; j++) u->held.a[0][j] = 0;
    prepare(m);
    prepare(&u->held);
    for (int j = 0; j < m->n; j++) {
        Q unit[MAXN] = {0}, x[MAXN];
        unit[j] = 1;
        flow(m, unit, m->h, x);
        for (int i = 0; i < m->n; i++) u->pre[i][j] = x[i];
    }
}

static void step(const Neuron *u, const Q *x0, Q s, Q *x) {
    if (s < u->free.h) { flow(&u->free, x0, s, x); return; }
    for (int i = 0; i < u->free.n; i++) {
        x[i] = 0;
        for (int j = i; j < u->free.n; j++) x[i] += u->pre[i][j] * x0[j]; /* A is upper triangular */
    }
}

static void start(const Case *c, const Neuron *u, Q *x) {
    memset(x, 0, MAXN * sizeof *x);
    x[0] = c->v0;
    x[u->free.n - 1] = 1;
}

/* Adds the events due at the time of event k; returns the first event after them. */
static int deliver(const Case *c, const Neuron *u, Nudge d, int k, int refractory, Q *x) {
    double t = c->t[k];
    for (; k < c->n && c->t[k] == t; k++) {
        int r = c->w[k] < 0;
        if (u->row[r] > 0 || !refractory) x[u->row[r]] += c->w[k] * (1 + d.weight) * u->kick[r];
    }
    return k;
}

static void spike(const Case *c, Q t, Q *x, Q *until, Train *out) {
    if (out->n == MAXS) { fprintf(stderr, "too many spikes\n"); exit(1); }
    out->at[out->n++] = t;
    x[0] = c->v_reset;
    *until = t + c->t_ref;
}

static void near_in_time(Q a, Q b, Train *out) { if (fabsq(a - b) < 1e-9Q) out->tie = 1; }
static void near_level(Q v, Q level, Train *out) {
    if (fabsq(v - level) < out->closest) out->closest = fabsq(v - level);
}

/* The whole run: spikes of a linear neuron up to T_END. */
static void run_linear(const Case *c, Nudge d, Train *out) {
    Neuron u;
    Q x[MAXN], y[MAXN], t = 0, until = 0, level = c->v_th + d.threshold;
    build(c, d, &u);
    start(c, &u, x);
    out->n = out->tie = 0;
    out->closest = 1e9Q;
    for (int k = 0; k <= c->n;) {
        Q stop = k < c->n ? (Q)c->t[k] : (Q)T_END;
        while (t < stop) {
            const Linear *m = t < until ? &u.held : &u.free;
            Q end = t < until && until < stop ? until : stop;
            Q s = end - t < m->h ? end - t : m->h, hit = -1;
            if (t < until) flow(m, x, s, y); else step(&u, x, s, y);
            if (t >= until) hit = crossing(m, x, y, s, level, &out->closest);
            if (hit >= 0) {
                flow(m, x, hit, y);
                t += hit;
                memcpy(x, y, sizeof x);
                spike(c, t, x, &until, out);
                near_in_time(t, stop, out);
            } else {
                t = s == end - t ? end : t + s;
                memcpy(x, y, sizeof x);
            }
        }
        if (k == c->n) { if (t >= until) near_level(x[0], level, out); break; }
        int refractory = t < until;
        if (!refractory) near_level(x[0], level, out);
        near_in_time(t, until, out);
        k = deliver(c, &u, d, k, refractory, x);
        if (!refractory) near_level(x[0], level, out);
        if (!refractory && x[0] >= level) spike(c, t, x, &until, out);
    }
}

/* Whether v exceeds *best in (0, s]; then *best is the largest v, at *when after x0. */
static int higher(const Linear *m, const Q *x0, const Q *x1, Q s, Q *best, Q *when) {
    if (!near(m, x0, x1, s, *best)) return 0;
    Poly v;
    Q point[3];
    membrane(m, x0, &v);
    int n = stationary(&v, s, point), better = 0;
    point[n] = s;
    for (int k = 0; k <= n; k++) {
        Q top = at(&v, point[k]);
        if (top > *best) *best = top, *when = point[k], better = 1;
    }
    return better;
}

/* Largest v of the neuron without a threshold, weights times `scale`, and its time. With
 * `probe` >= 0: v at that time instead. */
static Q free_peak(const Case *c, const Neuron *u, Q scale, Q probe, Q *when) {
    Q x[MAXN], y[MAXN], t = 0, best = -1e9Q, after;
    Nudge d = {0, scale - 1, 0};
    start(c, u, x);
    for (int k = 0;;) {
        Q stop = k < c->n ? (Q)c->t[k] : (Q)T_END;
        while (t < stop) {
            Q s = stop - t < u->free.h ? stop - t : u->free.h;
            if (probe >= t && probe < t + s) { flow(&u->free, x, probe - t, y); return y[0]; }
            step(u, x, s, y);
            if (probe < 0 && higher(&u->free, x, y, s, &best, &after)) *when = t + after;
            t = s == stop - t ? stop : t + s;
            memcpy(x, y, sizeof x);
        }
        if (k == c->n) return probe < 0 ? best : x[0];
        k = deliver(c, u, d, k, 0, x);
        if (x[0] > best) best = x[0], *when = t;
    }
}

/* A factor for all weights that puts the peak at `target`: Newton's method from above on the
 * largest v, a convex function of the factor. 0 where there is none, or only v still rising
 * at the end of the run. */
static double graze_linear(const Case *c, Q target) {
    Neuron u;
    Nudge none = {0};
    Q when, s = 1;
    build(c, none, &u);
    if (free_peak(c, &u, 0, -1, &when) >= target) return 0;
    while (free_peak(c, &u, s, -1, &when) <= target)
        if ((s *= 2) > 4096) return 0;
    for (int k = 0; k < 60; k++) {
        Q peak_at = 0, v = free_peak(c, &u, s, -1, &peak_at);
        Q base = free_peak(c, &u, 0, peak_at, &when);
        Q next = s - (v - target) / ((v - base) / s);
        if (fabsq(next - s) < 1e-24Q * s) return peak_at < T_END - 1 ? (double)next : 0;
        s = next;
    }
    return 0;
}

/* Quadratic neuron: Taylor coefficients of v(t + s). */
static void series(const Case *c, Nudge d, Q v, Q *a) {
    Q drive = (Q)c->i_e * (1 + d.current) / c->c_m;
    a[0] = v;
    for (int n = 0; n < ORDER; n++) {
        Q square = 0;
        for (int j = 0; 2 * j < n; j++) square += 2 * a[j] * a[n - j];
        if (n % 2 == 0) square += a[n / 2] * a[n / 2];
        Q rate = (Q)c->k * (square - ((Q)c->v_r + c->v_t) * a[n]);
        if (n == 0) rate += (Q)c->k * c->v_r * c->v_t + drive;
        a[n + 1] = rate / (n + 1);
    }
}

static Q evaluate(const Q *a, Q s) {
    Q v = a[ORDER];
    for (int n = ORDER - 1; n >= 0; n--) v = v * s + a[n];
    return v;
}

/* A step after which the rest of the series is below 1e-32: a twelfth of its radius, at most
 * half a millisecond. */
static Q reach(const Q *a) {
    Q s = 0.5Q;
    for (int n = ORDER - 3; n <= ORDER; n++)
        if (a[n] != 0) {
            Q r = expq(-logq(fabsq(a[n]) / 100) / n) / 12;
            if (r < s) s = r;
        }
    return s;
}

/* Between events v of a quadratic neuron is monotone: only the ends of a step matter. With
 * `stop_before` >= 0 the run ends before that event and the result is v. */
static Q run_quadratic(const Case *c, Nudge d, int stop_before, Train *out) {
    Q v = c->v0, t = 0, until = 0, level = c->v_th + d.threshold, a[ORDER + 1];
    out->n = out->tie = 0;
    out->closest = 1e9Q;
    for (int k = 0; k <= c->n;) {
        Q stop = k < c->n ? (Q)c->t[k] : (Q)T_END;
        while (t < stop) {
            if (t < until) { t = until < stop ? until : stop; continue; }
            series(c, d, v, a);
            Q s = reach(a);
            if (s > stop - t) s = stop - t;
            Q w = evaluate(a, s);
            if (w < level) { t = s == stop - t ? stop : t + s; v = w; continue; }
            Q lo = 0, hi = s;
            for (int b = 0; b < BISECTIONS; b++) {
                Q mid = (lo + hi) / 2;
                if (evaluate(a, mid) >= level) hi = mid; else lo = mid;
            }
            t += hi;
            spike(c, t, &v, &until, out);
            near_in_time(t, stop, out);
        }
        if (k == c->n || k == stop_before) break;
        int refractory = t < until;
        near_in_time(t, until, out);
        for (double now = c->t[k]; k < c->n && c->t[k] == now; k++)
            if (!refractory) v += c->w[k] * (1 + d.weight);
        if (!refractory) near_level(v, level, out);
        if (!refractory && v >= level) spike(c, t, &v, &until, out);
    }
    return v;
}

/* A factor for all weights that lets the first event end `part` of the distance between the
 * fixed points above (below) the unstable one. 0 where there is none. */
static double graze_quadratic(const Case *c, Q part) {
    Nudge none = {0};
    static Train tmp;
    Q half = ((Q)c->v_t - c->v_r) / 2, drive = (Q)c->i_e / c->c_m / c->k;
    if (half * half <= drive || c->w[0] <= 0 || (c->n > 1 && c->t[1] == c->t[0])) return 0;
    Q root = sqrtq(half * half - drive), unstable = c->v_r + half + root;
    Q v = run_quadratic(c, none, 0, &tmp);
    if (tmp.n > 0 || v >= unstable) return 0;
    return (double)((unstable + part * 2 * root - v) / c->w[0]);
}

static void run(const Case *c, Nudge d, Train *out) {
    if (c->qif) run_quadratic(c, d, -1, out); else run_linear(c, d, out);
}

static int read_case(Case *c) {
    memset(c, 0, sizeof *c);
    double *f[] = {&c->tau_m, &c->ex[0], &c->ex[1], &c->in[0], &c->in[1], &c->c_m, &c->e_l,
                   &c->v_th, &c->v_reset, &c->t_ref, &c->i_e, &c->v0, &c->gap, &c->k, &c->v_r, &c->v_t};
    if (scanf("%d", &c->qif) != 1) return 0;
    for (unsigned i = 0; i < sizeof f / sizeof *f; i++)
        if (scanf("%la", f[i]) != 1) return 0;
    if (scanf("%d %d", &c->graze, &c->n) != 2) return 0;
    for (int i = 0; i < c->n; i++)
        if (scanf("%la %la", &c->t[i], &c->w[i]) != 2) return 0;
    return 1;
}

int main(void) {
    static Case c;
    static Train out, moved;
    const Nudge none = {0}, nudges[3] = {{1e-14Q, 0, 0}, {0, 1e-15Q, 0}, {0, 0, 1e-15Q}};
    char text[64];
    while (read_case(&c)) {
        double scale = 0;
        if (c.graze) {
            Q part = powq(10, -abs(c.graze)) * (c.graze > 0 ? 1 : -1);
            scale = c.qif ? graze_quadratic(&c, part) : graze_linear(&c, c.v_th + part * c.gap);
            for (int i = 0; i < c.n && scale != 0; i++) c.w[i] *= scale;
        }
        run(&c, none, &out);
        Q shift[MAXS] = {0};
        int lost = 0;
        for (int p = 0; p < 3; p++) {
            run(&c, nudges[p], &moved);
            if (moved.n != out.n) { lost = 1; continue; }
            for (int i = 0; i < out.n; i++)
                if (fabsq(moved.at[i] - out.at[i]) > shift[i]) shift[i] = fabsq(moved.at[i] - out.at[i]);
        }
        /* factor, least distance of a peak from threshold, spike near an event, spikes lost when nudged */
        quadmath_snprintf(text, sizeof text, "%.6Qe", out.closest);
        printf("%a %s %d %d %d", scale, text, out.tie, lost, out.n);
        for (int i = 0; i < out.n; i++) {
            quadmath_snprintf(text, sizeof text, "%.30Qg", out.at[i]);
            printf(" %s", text);
            quadmath_snprintf(text, sizeof text, "%.2Qe", shift[i]);
            printf(" %s", text);
        }
        putchar('\n');
    }
    return 0;
}
