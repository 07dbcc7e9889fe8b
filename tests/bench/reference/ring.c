/* The ring of libs/ring in C11: same control words, same claims and releases, two threads.
 *
 * Names W_… are the words of libs/ring/state.py.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define SKIP 255

typedef int64_t i64;

typedef struct {
    i64 *slots, *control;
    i64 capacity, total, batch, checksum;
} Shared;

static inline i64 acquire(i64 *control, int word) {
    return atomic_load_explicit((_Atomic i64 *)(control + word), memory_order_acquire);
}

static inline void release(i64 *control, int word, i64 value) {
    atomic_store_explicit((_Atomic i64 *)(control + word), value, memory_order_release);
}

static inline i64 claim(i64 *slots, i64 *control, i64 size, i64 n) {
    i64 head = control[W_CLAIMED], at = head & (size - 1), pad = at + n > size ? size - at : 0;
    if (head + pad + n - control[W_TAIL_SEEN] > size) {
        control[W_TAIL_SEEN] = acquire(control, W_TAIL);
        if (head + pad + n - control[W_TAIL_SEEN] > size) {
            control[W_DROPPED] += 1;
            return -1;
        }
    }
    if (pad > 0) {
        slots[at * W_SLOT_WORDS] = SKIP | pad << 16;
        head += pad;
        at = 0;
    }
    control[W_CLAIMED] = head + n;
    i64 used = head + n - control[W_TAIL_SEEN];
    if (used > control[W_HIGH_WATER]) {
        control[W_TAIL_SEEN] = acquire(control, W_TAIL);
        used = head + n - control[W_TAIL_SEEN];
        if (used > control[W_HIGH_WATER]) control[W_HIGH_WATER] = used;
    }
    return at * W_SLOT_WORDS;
}

/* Write words 0, 1, 2 … in claims of `batch` slots, a publish each; yield the core while there is no room. */
void produce(i64 *slots, i64 *control, i64 size, i64 total, i64 batch) {
    for (i64 sent = 0; sent < total; sent += batch) {
        i64 at = claim(slots, control, size, batch);
        while (at < 0) {
            sched_yield();
            at = claim(slots, control, size, batch);
        }
        for (i64 k = 0; k < batch; k++)
            for (i64 w = 0; w < W_SLOT_WORDS; w++)
                slots[at + k * W_SLOT_WORDS + w] = ((sent + k) * W_SLOT_WORDS + w) << 8;
        release(control, W_HEAD, control[W_CLAIMED]);
    }
}

/* Take whatever is published, at most `batch` slots a release; return Σ word × (slot + 1), wrapping. */
i64 consume(i64 *slots, i64 *control, i64 size, i64 total, i64 batch) {
    uint64_t checksum = 0;
    i64 taken = 0;
    while (taken < total) {
        i64 ready = acquire(control, W_HEAD) - control[W_TAIL];
        if (ready == 0) {
            sched_yield();
            continue;
        }
        i64 n = ready < batch ? ready : batch, at = (control[W_TAIL] & (size - 1)) * W_SLOT_WORDS;
        if ((slots[at] & 255) == SKIP) {
            release(control, W_TAIL, control[W_TAIL] + (slots[at] >> 16 & 0xFFFF));
            continue;
        }
        for (i64 k = 0; k < n; k++)
            for (i64 w = 0; w < W_SLOT_WORDS; w++)
                checksum += (uint64_t)slots[at + k * W_SLOT_WORDS + w] * (uint64_t)(taken + k + 1);
        release(control, W_TAIL, control[W_TAIL] + n);
        taken += n;
    }
    return (i64)checksum;
}

/* Produce and consume on one thread, half a ring at a time; return the sum of the checksums. */
i64 alternate(i64 *slots, i64 *control, i64 size, i64 total, i64 batch) {
    uint64_t checksum = 0;
    i64 part = size / 2 / batch * batch;
    for (i64 k = 0; k < total / part; k++) {
        produce(slots, control, size, part, batch);
        checksum += (uint64_t)consume(slots, control, size, part, batch);
    }
    return (i64)checksum;
}

static void *producer(void *argument) {
    Shared *s = argument;
    produce(s->slots, s->control, s->capacity, s->total, s->batch);
    return 0;
}

static void *consumer(void *argument) {
    Shared *s = argument;
    s->checksum = consume(s->slots, s->control, s->capacity, s->total, s->batch);
    return 0;
}

static i64 now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* Run both threads to the end; return the wall ns that they took together, and the checksum at *checksum. */
i64 run(i64 *slots, i64 *control, i64 capacity, i64 total, i64 batch, i64 *checksum) {
    Shared shared = {slots, control, capacity, total, batch, 0};
    pthread_t one, other;
    i64 began = now_ns();
    if (pthread_create(&one, 0, consumer, &shared) || pthread_create(&other, 0, producer, &shared)) return -1;
    pthread_join(other, 0);
    pthread_join(one, 0);
    *checksum = shared.checksum;
    return now_ns() - began;
}
