/* A recurrent network in 113-bit arithmetic, event by event: every neuron is taken to every
 * event of the network, and scanned for a crossing on the way.
 * Reads the network from standard input as written by mint_networks.py, prints one spike a
 * line: time (ms), neuron. Build: gcc -O2 -ffp-contract=off -o network network.c -lquadmath -lm */
#include "linear.h"

typedef struct { Q x[MAXN], next[MAXN], until; Linear m; } Neuron;
typedef struct { int source, target; double weight, delay; } Connection;
typedef struct { Q at; int target; double weight; } Delivery;

static Neuron *neuron;
static Connection *connection;
static Delivery *due;
static int n_neurons, n_connections, n_due, capacity, row[2];
static Q kick[2];

static double number(void) {
    double x;
    if (scanf("%la", &x) != 1) { fprintf(stderr, "input ends early\n"); exit(1); }
    return x;
}

static void fire(int i, Q t, double v_reset, double t_ref) {
    char text[64];
    quadmath_snprintf(text, sizeof text, "%.30Qg", t);
    printf("%s %d\n", text, i);
    neuron[i].x[0] = v_reset;
    neuron[i].until = t + t_ref;
    for (int k = 0; k < n_connections; k++) {
        if (connection[k].source != i) continue;
        if (n_due == capacity) due = realloc(due, (capacity = 2 * capacity + 64) * sizeof *due);
        due[n_due++] = (Delivery){t + connection[k].delay, connection[k].target, connection[k].weight};
    }
}

/* State of neuron i after s ms in which it is refractory throughout or not at all. */
static void evolve(int i, Q t, Q s, Q *y) {
    Linear held = neuron[i].m;
    if (t < neuron[i].until) memset(held.rate[0], 0, sizeof held.rate[0]);
    flow(&held, neuron[i].x, s, y);
}

int main(void) {
    n_neurons = (int)number();
    n_connections = (int)number();
    double t_end = number(), tau_m = number(), tau[2], rise[2];
    for (int r = 0; r < 2; r++) tau[r] = number(), rise[r] = number();
    double c_m = number(), e_l = number(), v_th = number(), v_reset = number(), t_ref = number();
    double nudge = number();
    neuron = calloc(n_neurons, sizeof *neuron);
    connection = calloc(n_connections, sizeof *connection);
    for (int i = 0; i < n_neurons; i++) {
        Linear *m = &neuron[i].m;
        double i_e = number();
        neuron[i].x[0] = number() + (i == 0 ? (Q)nudge : 0);
        m->n = 1;
        for (int r = 0; r < 2; r++) {
            kick[r] = 1;
            if (tau[r] == 0) continue; /* a jump of v: row 0 */
            kick[r] = receptor(m, m->n, tau[r], rise[r], c_m);
            row[r] = rise[r] > 0 ? m->n + 1 : m->n;
            m->n = row[r] + 1;
        }
        m->a[0][0] = -1 / (Q)tau_m;
        m->a[0][m->n] = (Q)i_e / c_m + e_l / (Q)tau_m;
        neuron[i].x[m->n++] = 1;
        m->h = tau[0] == 0 ? tau_m : tau[0] < tau[1] ? tau[0] : tau[1];
        m->h /= 16;
        prepare(m);
    }
    for (int k = 0; k < n_connections; k++) {
        int source = (int)number(), target = (int)number();
        double weight = number();
        connection[k] = (Connection){source, target, weight, number()};
    }
    Q t = 0, closest = 1e9Q, meet = 1e9Q;
    while (t < t_end) {
        /* Up to the next delivery, end of a refractory time or scan step, whichever is first. */
        Q stop = t + neuron[0].m.h;
        for (int k = 0; k < n_due; k++) if (due[k].at < stop) stop = due[k].at;
        for (int i = 0; i < n_neurons; i++)
            if (t < neuron[i].until && neuron[i].until < stop) stop = neuron[i].until;
        /* The first crossing of any neuron until then. */
        int first = -1;
        Q crossed = stop;
        for (int i = 0; i < n_neurons; i++) {
            evolve(i, t, stop - t, neuron[i].next);
            if (t < neuron[i].until) continue;
            Q hit = crossing(&neuron[i].m, neuron[i].x, neuron[i].next, stop - t, v_th, &closest);
            if (hit >= 0 && (first < 0 || t + hit < crossed)) crossed = t + hit, first = i;
        }
        for (int i = 0; i < n_neurons; i++) {
            if (first >= 0) evolve(i, t, crossed - t, neuron[i].next);
            memcpy(neuron[i].x, neuron[i].next, sizeof neuron[i].x);
        }
        t = crossed;
        if (first >= 0) {
            for (int k = 0; k < n_due; k++)
                if (due[k].target == first && fabsq(due[k].at - t) < meet) meet = fabsq(due[k].at - t);
            fire(first, t, v_reset, t_ref);
        }
        for (int k = n_due - 1; k >= 0; k--) {
            if (due[k].at > t) continue;
            int r = due[k].weight < 0;
            int refractory = t < neuron[due[k].target].until;
            if (row[r] > 0 || !refractory) neuron[due[k].target].x[row[r]] += due[k].weight * kick[r];
            Q since = t - (neuron[due[k].target].until - t_ref);
            if (neuron[due[k].target].until > 0 && since < meet) meet = since;
            due[k] = due[--n_due];
        }
        for (int i = 0; i < n_neurons; i++) /* delta synapses: those lifted over the threshold */
            if (t >= neuron[i].until && neuron[i].x[0] >= v_th) fire(i, t, v_reset, t_ref);
    }
    char a[64], b[64];
    quadmath_snprintf(a, sizeof a, "%.3Qe", closest);
    quadmath_snprintf(b, sizeof b, "%.3Qe", meet);
    fprintf(stderr, "%s %s\n", a, b); /* closest peak (mV), closest event and spike of a neuron (ms) */
    return 0;
}
