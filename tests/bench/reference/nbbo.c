/* The consolidated quote of libs/nbbo, in C: same exclusions, scale, sums and states.
 *
 * Names W_… are the words of libs/book/state.py, F_… the flags of libs/book/flags.py, S_… libs/nbbo/states.py. The arrays of
 * the quotes come in the order of libs.nbbo.state.Nbbo.
 */
#include <math.h>
#include <stdint.h>

typedef int64_t i64;

#define EXCHANGES 8
#define DIGITS 18
#define MASK_32 0xFFFFFFFFLL

typedef struct {
    i64 *state, *bid_exchanges, *ask_exchanges, *bid_exchange, *ask_exchange, *price_exp, *bid_price, *ask_price;
    double *bid_size, *ask_size, *mid, *spread;
    i64 *feed_ts_us, *crossed_since_us, *updated, *state_us, *excluded;
} Nbbo;

typedef struct {
    i64 price, exchanges, route, feed;
    double size;
} Best;

static double TENS[300];
static i64 POW10[DIGITS + 1];

void set_powers(const double *tens, const i64 *pow10) {
    for (int k = 0; k < 300; k++) TENS[k] = tens[k];
    for (int k = 0; k <= DIGITS; k++) POW10[k] = pow10[k];
}

static inline double scaled(double number, i64 exponent) {
    return exponent < 0 ? number / TENS[-exponent] : number * TENS[exponent];
}

static inline double sum_of(i64 one, i64 other) {
    return (double)((one >> 32) + (other >> 32)) * 4294967296.0 + (double)((one & MASK_32) + (other & MASK_32));
}

static inline i64 exclusion(const i64 *book) {
    i64 flags = book[W_FLAGS];
    const i64 *top = book + W_TOPS;
    if (flags & F_INVALID) return S_NOT_VALID;
    if (flags & F_HALTED) return S_HALTED;
    if (flags & F_MUTE) return S_MUTE;
    if (flags & F_STALE) return S_STALE;
    if (top[W_TOP_SIDES] == 0) return S_EMPTY;
    return top[W_TOP_SIDES] == 3 && top[W_BID_PRICE] >= top[W_ASK_PRICE] ? S_SELF_CROSSED : S_TAKEN_IN;
}

static inline i64 price_of(const i64 *book, int side, i64 exponent) {
    const i64 *top = book + W_TOPS;
    i64 digits = top[W_TOP_PRICE_EXP] - exponent, price = top[W_BID_PRICE + 2 * side];
    if (digits > DIGITS || price > INT64_MAX / POW10[digits]) return price == 0 ? 0 : -1;
    return price * POW10[digits];
}

static inline double base_size(const i64 *book, int side) {
    const i64 *top = book + W_TOPS;
    double size = scaled((double)top[W_BID_SIZE + 2 * side], top[W_TOP_SIZE_EXP]);
    if (book[W_MULTIPLIER] != 0) size *= scaled((double)book[W_MULTIPLIER], book[W_MULTIPLIER_EXP]);
    if (book[W_INVERSE]) size /= scaled((double)top[W_BID_PRICE + 2 * side], top[W_TOP_PRICE_EXP]);
    return size;
}

static inline i64 put(i64 *place, i64 value) {
    if (*place == value) return 0;
    *place = value;
    return 1;
}

static inline Best best(const i64 *words, const i64 *members, const i64 *reasons, int side, i64 exponent) {
    i64 sign = 1 - 2 * side;
    double largest = 0;
    Best b = {0, 0, S_NO_EXCHANGE, 0, 0};
    for (int e = 0; e < EXCHANGES; e++) {
        if (reasons[e] != S_TAKEN_IN) continue;
        const i64 *book = words + members[e] * W_WORDS;
        if (!(book[W_TOPS + W_TOP_SIDES] >> side & 1)) continue;
        i64 mine = price_of(book, side, exponent);
        if (b.exchanges != 0 && sign * mine < sign * b.price) continue;
        double size = base_size(book, side);
        if (b.exchanges == 0 || mine != b.price) {
            b = (Best){mine, 0, e, 0, 0};
            largest = size;
        } else if (size > largest) {
            largest = size;
            b.route = e;
        }
        b.exchanges |= 1 << e;
        b.size += size;
        i64 feed = book[W_TOPS + W_TOP_FEED_TS_US];
        b.feed = feed > b.feed ? feed : b.feed;
    }
    return b;
}

static i64 classify(const Nbbo *q, i64 s, i64 bid, i64 ask, i64 apart, i64 now, i64 stale, i64 uncertain) {
    if (bid <= ask) {
        q->crossed_since_us[s] = -1;
        return bid == ask ? S_LOCKED : S_NORMAL;
    }
    if (q->updated[s] == 0 || q->crossed_since_us[s] < 0) q->crossed_since_us[s] = now;
    if (apart > stale) return S_CROSSED_STALE;
    return now - q->crossed_since_us[s] < uncertain ? S_CROSSED_UNCERTAIN : S_CROSSED_REAL;
}

static i64 update(
    const Nbbo *q, const i64 *words, const i64 *members, i64 s, i64 now_feed, i64 stale, i64 uncertain) {
    i64 *reasons = q->excluded + s * EXCHANGES, kind = -1, exponent = 0, changed = 0;
    i64 now = now_feed > q->feed_ts_us[s] ? now_feed : q->feed_ts_us[s];
    if (q->updated[s]) q->state_us[s * S_COUNT + q->state[s]] += now - q->feed_ts_us[s];
    for (int e = 0; e < EXCHANGES; e++) {
        const i64 *book = words + members[e] * W_WORDS;
        if (members[e] < 0 || exclusion(book) != S_TAKEN_IN) continue;
        i64 its = book[W_TOPS + W_TOP_PRICE_EXP];
        if (kind < 0) {
            kind = book[W_INVERSE];
            exponent = its;
        } else if (book[W_INVERSE] == kind) {
            exponent = its < exponent ? its : exponent;
        }
    }
    for (int e = 0; e < EXCHANGES; e++) {
        const i64 *book = words + members[e] * W_WORDS;
        i64 reason = members[e] >= 0 ? exclusion(book) : S_NOT_LISTED;
        if (reason == S_TAKEN_IN) {
            if (book[W_INVERSE] != kind)
                reason = S_OTHER_KIND;
            else if (price_of(book, 0, exponent) < 0 || price_of(book, 1, exponent) < 0)
                reason = S_OUT_OF_SCALE;
        }
        changed |= put(reasons + e, reason);
    }
    Best bid = best(words, members, reasons, 0, exponent), ask = best(words, members, reasons, 1, exponent);
    i64 state = S_NONE;
    double mid = NAN, spread = NAN;
    if (bid.exchanges && ask.exchanges) {
        i64 apart = bid.feed > ask.feed ? bid.feed - ask.feed : ask.feed - bid.feed;
        state = classify(q, s, bid.price, ask.price, apart, now, stale, uncertain);
        mid = scaled(sum_of(bid.price, ask.price) / 2, exponent);
        spread = scaled((double)(ask.price - bid.price), exponent);
    } else {
        q->crossed_since_us[s] = -1;
    }
    changed |= put(q->state + s, state) | put(q->price_exp + s, exponent);
    changed |= put(q->bid_price + s, bid.price) | put(q->ask_price + s, ask.price);
    changed |= put(q->bid_exchanges + s, bid.exchanges) | put(q->ask_exchanges + s, ask.exchanges);
    changed |= put(q->bid_exchange + s, bid.route) | put(q->ask_exchange + s, ask.route);
    if (q->bid_size[s] != bid.size || q->ask_size[s] != ask.size || q->updated[s] == 0) {
        q->bid_size[s] = bid.size;
        q->ask_size[s] = ask.size;
        changed = 1;
    }
    q->mid[s] = mid;
    q->spread[s] = spread;
    q->feed_ts_us[s] = now;
    q->updated[s] = 1;
    return changed;
}

/* Consolidate a symbol after another; return how many changed. */
i64 update_all(
    const Nbbo *q, const i64 *words, const i64 *symbol_books, const i64 *which, i64 n, i64 from, i64 stale,
    i64 uncertain) {
    i64 total = 0;
    for (i64 i = 0; i < n; i++)
        total += update(q, words, symbol_books + which[i] * EXCHANGES, which[i], from + i, stale, uncertain);
    return total;
}
