/* The level update of libs/book, in C: the same memory, the same steps, the same flags and codes.
 *
 * Takes whole events of deltas (one message each) for books that have their snapshot; what else libs/book can do
 * answers UNSUPPORTED, and the bench stops. Names W_… are the words of libs/book/state.py, F_… the flags of
 * libs/book/flags.py, handed over by the compiler's -D, so that the two cannot drift apart.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SCAN 8
#define UNSUPPORTED (-1)
#define DIGITS 18
#define M_LAST 2

typedef int64_t i64;

typedef struct {
    i64 factor, divisor, limit;
} Scale;

typedef struct {
    i64 book, flags, price_exp, size_exp, cut, at, bids, asks;
} Event;

static const i64 POW10[DIGITS + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
    1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
    1000000000000000000};

static inline Scale scale_of(i64 exponent, i64 unit) {
    i64 up = exponent - unit;
    if (up == 0) return (Scale){1, 1, INT64_MAX};
    if (up > DIGITS) return (Scale){1, 1, 0};
    if (up > 0) return (Scale){POW10[up], 1, INT64_MAX / POW10[up]};
    return (Scale){1, POW10[-up < DIGITS ? -up : DIGITS], INT64_MAX};
}

static bool needs_finer(const i64 *data, i64 n, i64 exponent, i64 unit) {
    for (i64 i = 0; i < 2 * n; i += 2) {
        i64 mantissa = data[i], decimals = exponent;
        while (decimals < unit && mantissa != 0 && mantissa % 10 == 0) {
            mantissa /= 10;
            decimals += 1;
        }
        if (mantissa != 0 && decimals < unit) return true;
    }
    return false;
}

static inline void pull_in(i64 *words, int side, i64 sign, i64 price) {
    i64 known = words[W_KNOWN_SET + side];
    if (known == W_NOTHING_CUT || (known == W_KNOWN_TO && sign * price > sign * words[W_KNOWN_END + side])) {
        words[W_KNOWN_SET + side] = W_KNOWN_TO;
        words[W_KNOWN_END + side] = price;
    }
}

static inline i64 find(const i64 *prices, i64 first, i64 end, i64 sign, i64 price) {
    i64 place = end - 1, stop = end - SCAN > first ? end - SCAN : first, key = sign * price;
    while (place >= stop && sign * prices[place] > key) place -= 1;
    if (place >= stop || stop == first) return place;
    i64 low = first;
    while (low < stop) {
        i64 middle = (low + stop) >> 1;
        if (sign * prices[middle] > key)
            stop = middle;
        else
            low = middle + 1;
    }
    return low - 1;
}

static i64 centre(i64 *restrict prices, i64 *restrict sizes, i64 first, i64 count, i64 length) {
    i64 to = (length - count) >> 1;
    if (to < first) {
        for (i64 k = 0; k < count; k++) {
            prices[to + k] = prices[first + k];
            sizes[to + k] = sizes[first + k];
        }
    } else {
        for (i64 k = count - 1; k >= 0; k--) {
            prices[to + k] = prices[first + k];
            sizes[to + k] = sizes[first + k];
        }
    }
    return to;
}

static inline i64 take_out(i64 *restrict prices, i64 *restrict sizes, i64 first, i64 end, i64 place) {
    if (end - 1 - place <= place - first) {
        for (i64 k = place; k < end - 1; k++) {
            prices[k] = prices[k + 1];
            sizes[k] = sizes[k + 1];
        }
        return first;
    }
    for (i64 k = place; k > first; k--) {
        prices[k] = prices[k - 1];
        sizes[k] = sizes[k - 1];
    }
    return first + 1;
}

static inline i64 put_in(
    i64 *restrict prices, i64 *restrict sizes, i64 length, i64 first, i64 count, i64 place, i64 price, i64 size) {
    i64 above = first + count - 1 - place, below = place - first + 1;
    if (above <= below ? first + count == length : first == 0) {
        i64 moved = centre(prices, sizes, first, count, length);
        place += moved - first;
        first = moved;
    }
    if (above <= below) {
        for (i64 k = first + count - 1; k > place; k--) {
            prices[k + 1] = prices[k];
            sizes[k + 1] = sizes[k];
        }
        prices[place + 1] = price;
        sizes[place + 1] = size;
        return first;
    }
    for (i64 k = first; k <= place; k++) {
        prices[k - 1] = prices[k];
        sizes[k - 1] = sizes[k];
    }
    prices[place] = price;
    sizes[place] = size;
    return first - 1;
}

static inline bool apply_side(
    i64 *restrict prices, i64 *restrict sizes, i64 length, i64 *restrict words, int side, i64 sign,
    const i64 *restrict data, i64 n, Scale ps, Scale ss) {
    i64 count = words[W_COUNTS + side], first = words[W_FIRST + side], depth = length - W_SLACK;
    bool same_unit = ps.factor == 1 && ps.divisor == 1 && ss.factor == 1 && ss.divisor == 1, fine = true;
    for (i64 i = 0; i < 2 * n; i += 2) {
        i64 price = data[i], size = data[i + 1];
        if (price < 0 || size < 0 || price > ps.limit || size > ss.limit) {
            fine = false;
            break;
        }
        if (!same_unit) {
            price = price * ps.factor / ps.divisor;
            size = size * ss.factor / ss.divisor;
        }
        i64 end = first + count, place = find(prices, first, end, sign, price);
        if (place >= first && prices[place] == price) {
            if (size > 0) {
                sizes[place] = size;
            } else {
                first = take_out(prices, sizes, first, end, place);
                count -= 1;
            }
        } else if (size > 0) {
            if (words[W_TICK_UNITS] > 0 && price % words[W_TICK_UNITS] != 0) words[W_COUNTERS + W_OFF_TICK] += 1;
            if (words[W_LOT_UNITS] > 0 && size % words[W_LOT_UNITS] != 0) words[W_COUNTERS + W_OFF_LOT] += 1;
            if (count == depth) {
                words[W_COUNTERS + W_DROPPED_LEVELS] += 1;
                if (place >= first) first = put_in(prices, sizes, length, first + 1, count - 1, place, price, size);
                pull_in(words, side, sign, prices[first]);
            } else {
                first = put_in(prices, sizes, length, first, count, place, price, size);
                count += 1;
            }
        }
    }
    words[W_COUNTS + side] = count;
    words[W_FIRST + side] = first;
    return fine;
}

static inline void change_version(i64 *words) {
    _Atomic i64 *version = (_Atomic i64 *)(words + W_VERSION);
    atomic_store_explicit(version, words[W_VERSION] + 1, memory_order_release);
}

static inline i64 end_event(
    const i64 *prices, const i64 *sizes, i64 length, i64 *words, i64 sequence, i64 exchange_us, i64 feed_us) {
    words[W_FLAGS] |= words[W_TAINT];
    words[W_SEQUENCE] = sequence;
    words[W_EXCHANGE_TS_US] = exchange_us;
    words[W_FEED_TS_US] = feed_us;
    words[W_SETTLED] = words[W_PARTS] + 1;
    words[W_LEVELS] = words[W_OPEN_LEVELS];
    words[W_OPEN_LEVELS] = 0;
    words[W_PARTS] = 0;
    words[W_TAINT] = 0;
    words[W_MODE] = W_IDLE;
    i64 *top = words + W_TOPS, sides = 0;
    for (int side = 0; side < 2; side++) {
        i64 count = words[W_COUNTS + side], price = 0, size = 0;
        if (count > 0) {
            i64 place = side * length + words[W_FIRST + side] + count - 1;
            price = prices[place];
            size = sizes[place];
            sides |= 1 << side;
        }
        top[W_BID_PRICE + 2 * side] = price;
        top[W_BID_SIZE + 2 * side] = size;
    }
    top[W_TOP_PRICE_EXP] = words[W_PRICE_EXP];
    top[W_TOP_SIZE_EXP] = words[W_SIZE_EXP];
    top[W_TOP_FEED_TS_US] = feed_us;
    top[W_TOP_SIDES] = sides;
    i64 flags = words[W_FLAGS] & ~(i64)(F_CROSSED | F_ONE_SIDED | F_TRUNCATED);
    if (sides != 3)
        flags |= F_ONE_SIDED;
    else if (top[W_BID_PRICE] >= top[W_ASK_PRICE])
        flags |= F_CROSSED;
    if (words[W_KNOWN_SET] != W_NOTHING_CUT || words[W_KNOWN_SET + 1] != W_NOTHING_CUT) flags |= F_TRUNCATED;
    words[W_FLAGS] = flags;
    change_version(words);
    words[W_COUNTERS + W_EVENTS] += 1;
    if (flags & F_CROSSED) words[W_COUNTERS + W_CROSSED_EVENTS] += 1;
    return W_EVENT_DONE;
}

static i64 apply_event(
    i64 *prices, i64 *sizes, i64 *words, i64 length, const Event *e, const i64 *data, i64 sequence) {
    words[W_BROKEN] = 0;
    words[W_SETTLED] = 0;
    words[W_LEVELS] = 0;
    if (words[W_MODE] != W_IDLE || e->flags != M_LAST || words[W_BORN] == 0) return UNSUPPORTED;
    if (words[W_FLAGS] & (F_NO_SNAPSHOT | F_GAP | F_BAD | F_DIVERGED)) return UNSUPPORTED;
    change_version(words);
    words[W_MODE] = W_DELTA;
    data += e->at;
    if (e->price_exp < words[W_PRICE_EXP] || e->size_exp < words[W_SIZE_EXP]) {
        i64 n = e->bids + e->asks;
        if (needs_finer(data, n, e->price_exp, words[W_PRICE_EXP])) return UNSUPPORTED;
        if (needs_finer(data + 1, n, e->size_exp, words[W_SIZE_EXP])) return UNSUPPORTED;
    }
    Scale ps = scale_of(e->price_exp, words[W_PRICE_EXP]), ss = scale_of(e->size_exp, words[W_SIZE_EXP]);
    if (!apply_side(prices, sizes, length, words, 0, 1, data, e->bids, ps, ss)) return UNSUPPORTED;
    data += 2 * e->bids;
    if (!apply_side(prices + length, sizes + length, length, words, 1, -1, data, e->asks, ps, ss)) return UNSUPPORTED;
    words[W_OPEN_LEVELS] += e->bids + e->asks;
    return end_event(prices, sizes, length, words, sequence, sequence, sequence);
}

/* Apply events one after the other; return the sum of the codes, or UNSUPPORTED. Rows are `length` levels a side. */
i64 apply_events(
    i64 *prices, i64 *sizes, i64 *words, i64 length, const Event *events, i64 n, const i64 *data) {
    i64 total = 0;
    for (i64 i = 0; i < n; i++) {
        i64 row = events[i].book * 2 * length;
        i64 code =
            apply_event(prices + row, sizes + row, words + events[i].book * W_WORDS, length, events + i, data, i);
        if (code == UNSUPPORTED) return UNSUPPORTED;
        total += code;
    }
    return total;
}
