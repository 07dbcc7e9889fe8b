/* The features of libs/features that need only the present book, in C: same integers, same roundings.
 *
 * Names W_… are the words of libs/book/state.py, C_… the columns of libs/features/definitions.py. A sum is carried as two
 * words, high * 2^32 + low; a sum of products that leave int64 as five words of 31 bits.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

typedef int64_t i64;

#define MASK_31 0x7FFFFFFFLL
#define TWO_31 2147483648.0
#define MASK_32 0xFFFFFFFFLL
#define HALF_SUM_BPS 20000

typedef struct {
    i64 high, low;
} Sum;

typedef struct {
    i64 word[5];
} Wide;

typedef struct {
    i64 quotient, remainder;
} Edge;

static double TENS[300];

/* Hand over 10^0 … 10^299 as Python reads them. */
void set_tens(const double *tens) {
    for (int k = 0; k < 300; k++) TENS[k] = tens[k];
}

static inline double scaled(double number, i64 exponent) {
    return exponent < 0 ? number / TENS[-exponent] : number * TENS[exponent];
}

static inline double joined(Sum s) { return (double)s.high * 4294967296.0 + (double)s.low; }

static inline double sum_of(i64 one, i64 other) {
    return joined((Sum){(one >> 32) + (other >> 32), (one & MASK_32) + (other & MASK_32)});
}

static inline Sum sum_range(const i64 *values, i64 start, i64 end) {
    Sum s = {0, 0};
    for (i64 k = start; k < end; k++) {
        s.high += values[k] >> 32;
        s.low += values[k] & MASK_32;
    }
    return s;
}

static inline bool products_fit(const i64 *prices, const i64 *sizes, i64 start, i64 end) {
    i64 price = 0, size = 0;
    for (i64 k = start; k < end; k++) {
        price = prices[k] > price ? prices[k] : price;
        size = sizes[k] > size ? sizes[k] : size;
    }
    return size == 0 || price <= INT64_MAX / size;
}

static inline Sum sum_products(const i64 *prices, const i64 *sizes, i64 start, i64 end) {
    Sum s = {0, 0};
    for (i64 k = start; k < end; k++) {
        i64 product = prices[k] * sizes[k];
        s.high += product >> 32;
        s.low += product & MASK_32;
    }
    return s;
}

static Wide sum_wide_products(const i64 *prices, const i64 *sizes, i64 start, i64 end) {
    i64 w0 = 0, w1 = 0, w2 = 0, w3 = 0, w4 = 0;
    for (i64 k = start; k < end; k++) {
        i64 p0 = prices[k] & MASK_31, p1 = prices[k] >> 31 & MASK_31, p2 = prices[k] >> 62;
        i64 q0 = sizes[k] & MASK_31, q1 = sizes[k] >> 31 & MASK_31, q2 = sizes[k] >> 62;
        i64 t0 = p0 * q0, t1 = p0 * q1 + p1 * q0, t2 = p0 * q2 + p1 * q1 + p2 * q0, t3 = p1 * q2 + p2 * q1;
        w0 += t0 & MASK_31;
        w1 += (t0 >> 31) + (t1 & MASK_31);
        w2 += (t1 >> 31) + (t2 & MASK_31);
        w3 += (t2 >> 31) + (t3 & MASK_31);
        w4 += (t3 >> 31) + p2 * q2;
    }
    return (Wide){{w0, w1, w2, w3, w4}};
}

static double wide_float(Wide one, Wide other, i64 sign) {
    i64 w[5];
    for (int k = 0; k < 5; k++) w[k] = one.word[k] + sign * other.word[k];
    for (int k = 0; k < 4; k++) {
        w[k + 1] += w[k] >> 31;
        w[k] &= MASK_31;
    }
    double top = (double)w[4] * TWO_31 + (double)w[3];
    return ((top * TWO_31 + (double)w[2]) * TWO_31 + (double)w[1]) * TWO_31 + (double)w[0];
}

static inline double imbalance(Sum bids, Sum asks) {
    double total = joined((Sum){bids.high + asks.high, bids.low + asks.low});
    return total > 0 ? joined((Sum){bids.high - asks.high, bids.low - asks.low}) / total : NAN;
}

static inline Edge band_edge(i64 bid, i64 ask, i64 parts) {
    i64 high = ((bid >> 32) + (ask >> 32)) * parts, low = ((bid & MASK_32) + (ask & MASK_32)) * parts;
    i64 rest = (high % HALF_SUM_BPS << 32) + low, part = rest / HALF_SUM_BPS;
    i64 top = high / HALF_SUM_BPS + (part >> 32);
    if (top > INT64_MAX >> 32) return (Edge){INT64_MAX, 1};
    return (Edge){(top << 32) + (part & MASK_32), rest % HALF_SUM_BPS};
}

static inline i64 levels_in_band(
    const i64 *row, const i64 *words, int side, i64 bid, i64 ask, i64 bps, bool *inside) {
    i64 first = words[W_FIRST + side], end = first + words[W_COUNTS + side], sign = 1 - 2 * side;
    Edge e = band_edge(bid, ask, side == 0 ? 10000 - bps : 10000 + bps);
    i64 edge = e.quotient + (side == 0 && e.remainder > 0), low = first, high = end;
    while (low < high) {
        i64 middle = (low + high) >> 1;
        if (sign * row[middle] >= sign * edge)
            high = middle;
        else
            low = middle + 1;
    }
    i64 known = words[W_KNOWN_SET + side], last = words[W_KNOWN_END + side];
    if (known != W_KNOWN_TO)
        *inside = *inside && known == W_NOTHING_CUT;
    else if (side == 0)
        *inside = *inside && e.quotient >= last;
    else
        *inside = *inside && (e.quotient < last || (e.quotient == last && e.remainder == 0));
    return end - low;
}

static inline bool within_known(const i64 *prices, const i64 *words, int side, i64 n) {
    i64 known = words[W_KNOWN_SET + side], count = words[W_COUNTS + side], sign = 1 - 2 * side;
    if (known == W_NOTHING_CUT) return true;
    if (known == W_NOTHING_KNOWN || count < n) return false;
    i64 price = prices[words[W_FIRST + side] + count - n];
    return known != W_KNOWN_TO || sign * price >= sign * words[W_KNOWN_END + side];
}

/* Fill one row; 1 when it reaches past what is known, else 0. */
static i64 compute(
    const i64 *prices, const i64 *sizes, const i64 *words, i64 length, i64 depth, i64 bps, double *row) {
    for (int k = 0; k < C_COUNT; k++) row[k] = NAN;
    const i64 *p[2] = {prices, prices + length}, *q[2] = {sizes, sizes + length}, *top = words + W_TOPS;
    i64 end[2] = {words[W_FIRST] + words[W_COUNTS], words[W_FIRST + 1] + words[W_COUNTS + 1]};
    Sum near[2];
    for (int side = 0; side < 2; side++) {
        i64 n = words[W_COUNTS + side] < depth ? words[W_COUNTS + side] : depth;
        near[side] = sum_range(q[side], end[side] - n, end[side]);
    }
    row[C_ORDER_BOOK_IMBALANCE] = imbalance(near[0], near[1]);
    bool known = within_known(p[0], words, 0, depth) && within_known(p[1], words, 1, depth);
    if (top[W_TOP_SIDES] != 3) return !known;
    i64 bid = top[W_BID_PRICE], ask = top[W_ASK_PRICE], bid_size = top[W_BID_SIZE], ask_size = top[W_ASK_SIZE];
    double both = sum_of(bid_size, ask_size);
    double weighted = (double)bid * (double)ask_size + (double)ask * (double)bid_size;
    row[C_WAP_0MS] = scaled(weighted / both, top[W_TOP_PRICE_EXP]);
    row[C_QUEUE_IMBALANCE] = (double)(bid_size - ask_size) / both;
    row[C_SPREAD] = scaled((double)(ask - bid), top[W_TOP_PRICE_EXP]);
    row[C_SPREAD_BPS] = (double)(ask - bid) * 20000.0 / sum_of(bid, ask);
    for (int side = 0; side < 2; side++) {
        bool ignored = true;
        i64 n10 = levels_in_band(p[side], words, side, bid, ask, 10, &ignored);
        i64 n20 = levels_in_band(p[side], words, side, bid, ask, 20, &known);
        Sum s = sum_range(q[side], end[side] - n10, end[side]);
        Sum more = sum_range(q[side], end[side] - n20, end[side] - n10);
        row[C_BID_VOLUME_10BPS + side] = scaled(joined(s), words[W_SIZE_EXP]);
        Sum all = {s.high + more.high, s.low + more.low};
        row[C_BID_VOLUME_20BPS + side] = scaled(joined(all), words[W_SIZE_EXP]);
    }
    i64 start[2];
    for (int side = 0; side < 2; side++)
        start[side] = end[side] - levels_in_band(p[side], words, side, bid, ask, bps, &known);
    if (products_fit(p[0], q[0], start[0], end[0]) && products_fit(p[1], q[1], start[1], end[1])) {
        row[C_LIQUIDITY_IMBALANCE] = imbalance(
            sum_products(p[0], q[0], start[0], end[0]), sum_products(p[1], q[1], start[1], end[1]));
    } else {
        Wide bids = sum_wide_products(p[0], q[0], start[0], end[0]);
        Wide asks = sum_wide_products(p[1], q[1], start[1], end[1]);
        row[C_LIQUIDITY_IMBALANCE] = wide_float(bids, asks, -1) / wide_float(bids, asks, 1);
    }
    return !known;
}

/* Compute a row for each of `n` books into its row of C_COUNT columns; return the sum of the answers. */
i64 compute_rows(
    const i64 *prices, const i64 *sizes, const i64 *words, i64 length, const i64 *which, i64 n, i64 depth, i64 bps,
    double *rows) {
    i64 total = 0;
    for (i64 i = 0; i < n; i++) {
        i64 b = which[i], at = b * 2 * length;
        total += compute(prices + at, sizes + at, words + b * W_WORDS, length, depth, bps, rows + b * C_COUNT);
    }
    return total;
}
