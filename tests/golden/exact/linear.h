/* Linear neurons in 113-bit arithmetic (__float128): x' = A x, where x[0] is the membrane
 * potential, the last entry is the constant 1 and the entries between are synaptic currents.
 * The flow is summed from its Taylor series in short steps; no closed form is used, so equal
 * and nearly equal time constants need no special case. */
#include <math.h>
#include <quadmath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef __float128 Q;
enum { MAXN = 6, TERMS = 20, BISECTIONS = 100 };

typedef struct {
    int n;                 /* length of x */
    Q a[MAXN][MAXN];       /* the rates; row 0 is the membrane */
    double rate[MAXN][MAXN]; /* the same, to see quickly which matter */
    Q h;                   /* scan step, a small part of the shortest time constant */
} Linear;

static void times(const Linear *m, const Q *x, Q *y) {
    for (int i = 0; i < m->n; i++) {
        y[i] = 0;
        for (int j = 0; j < m->n; j++)
            if (m->rate[i][j] != 0) y[i] += m->a[i][j] * x[j];
    }
}

static void prepare(Linear *m) {
    for (int i = 0; i < m->n; i++)
        for (int j = 0; j < m->n; j++) m->rate[i][j] = (double)m->a[i][j];
}

/* x(s) for 0 <= s <= h: at most 20 terms of the series, fewer where all are below 1e-40. */
static void flow(const Linear *m, const Q *x0, Q s, Q *x) {
    Q term[MAXN], next[MAXN];
    memcpy(term, x0, sizeof term);
    memcpy(x, x0, sizeof term);
    for (int k = 1; k <= TERMS; k++) {
        Q largest = 0;
        times(m, term, next);
        for (int i = 0; i < m->n; i++) {
            term[i] = next[i] * s / k;
            x[i] += term[i];
            if (fabsq(term[i]) > largest) largest = fabsq(term[i]);
        }
        if (largest < 1e-40Q) return;
    }
}

/* v(s) after x0 as a polynomial, or its first or second derivative. */
typedef struct { Q c[TERMS + 1]; } Poly;

static void membrane(const Linear *m, const Q *x0, Poly *v) {
    Q term[MAXN], next[MAXN];
    memcpy(term, x0, sizeof term);
    v->c[0] = x0[0];
    for (int k = 1; k <= TERMS; k++) {
        times(m, term, next);
        for (int i = 0; i < m->n; i++) term[i] = next[i] / k;
        v->c[k] = term[0];
    }
}

static void derivative(const Poly *p, Poly *d) {
    for (int k = 0; k < TERMS; k++) d->c[k] = (k + 1) * p->c[k + 1];
    d->c[TERMS] = 0;
}

static Q at(const Poly *p, Q s) {
    Q v = p->c[TERMS];
    for (int k = TERMS - 1; k >= 0; k--) v = v * s + p->c[k];
    return v;
}

/* Where p - level changes sign between lo and hi. */
static Q zero(const Poly *p, Q level, Q lo, Q hi) {
    int above = at(p, lo) >= level;
    for (int k = 0; k < BISECTIONS; k++) {
        Q mid = (lo + hi) / 2;
        if ((at(p, mid) >= level) == above) lo = mid; else hi = mid;
    }
    return hi;
}

/* Where v is stationary within (0, s), in order. v' is cut at the zero of v'', so that a pair
 * of zeros of v' inside one step (a maximum and a minimum) is not missed. */
static int stationary(const Poly *v, Q s, Q *found) {
    Poly slope, bend;
    derivative(v, &slope);
    derivative(&slope, &bend);
    Q cut[3] = {0, s, s};
    int cuts = 2, n = 0;
    if ((bend.c[0] > 0) != (at(&bend, s) > 0)) {
        cut[1] = zero(&bend, 0, 0, s);
        cuts = 3;
    }
    for (int k = 0; k + 1 < cuts; k++)
        if ((at(&slope, cut[k]) >= 0) != (at(&slope, cut[k + 1]) >= 0))
            found[n++] = zero(&slope, 0, cut[k], cut[k + 1]);
    return n;
}

/* |v'| + s |v''| at x, in doubles. */
static double pace(const Linear *m, const Q *x, double s) {
    double p[MAXN], d[MAXN] = {0}, bend = 0;
    for (int i = 0; i < m->n; i++) p[i] = (double)x[i];
    for (int i = 0; i < m->n; i++)
        for (int j = 0; j < m->n; j++) d[i] += m->rate[i][j] * p[j];
    for (int j = 0; j < m->n; j++) bend += m->rate[0][j] * d[j];
    return fabs(d[0]) + s * fabs(bend);
}

/* Whether v can come near `level` in a step: a bound with room to spare. */
static int near(const Linear *m, const Q *x0, const Q *x1, Q s, Q level) {
    double top = (double)(x0[0] > x1[0] ? x0[0] : x1[0]), length = (double)s;
    return top + length * (pace(m, x0, length) + pace(m, x1, length)) + 1e-6 >= (double)level;
}

/* First time in (0, s] at which v >= level, or -1; v starts below. `closest` takes the least
 * distance of a stationary point from the level. */
static Q crossing(const Linear *m, const Q *x0, const Q *x1, Q s, Q level, Q *closest) {
    if (!near(m, x0, x1, s, level - 1)) return -1;
    Poly v;
    Q point[4] = {0};
    membrane(m, x0, &v);
    int n = stationary(&v, s, point + 1);
    point[n + 1] = s;
    for (int k = 1; k <= n + 1; k++) {
        Q top = at(&v, point[k]);
        if (k <= n && fabsq(top - level) < *closest) *closest = fabsq(top - level);
        if (top >= level) return zero(&v, level, point[k - 1], point[k]);
    }
    return -1;
}

/* A synaptic current of decay and rise time constants (rise 0: a jump that decays) into row i;
 * returns what a unit weight adds, at row i + 1 if it has a rise, else at row i. */
static Q receptor(Linear *m, int i, Q decay, Q rise, Q c_m) {
    m->a[0][i] = 1 / c_m;
    m->a[i][i] = -1 / decay;
    if (rise == 0) return 1;
    m->a[i][i + 1] = 1;
    m->a[i + 1][i + 1] = -1 / rise;
    /* The peak of the current is 1: it lies at t, where j = i / decay. */
    Q ratio = decay == rise ? 1 : log1pq((decay - rise) / rise) / ((decay - rise) / rise);
    Q t_over_rise = ratio * decay / rise;
    return expq(t_over_rise) / decay;
}
