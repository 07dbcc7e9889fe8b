// Ten times the rate for ten seconds, then back: nothing may be lost for good, and afterwards all must be as before.
//   RATE=2000 DURATION=60 k6 run tests/load/spike.js
import { sleep } from 'k6';
import { Gauge } from 'k6/metrics';

import { asFound, base, consumerStatus, scenarios, setRate, signalQuantile, thresholds } from './lib/probe.js';
import { durationS, rate } from './lib/target.js';
import { summary } from './lib/verdict.js';

export { api, services, streams, teardown } from './lib/probe.js';

const BASE = rate || 1000;
const FACTOR = 10;
const SPIKE_S = 10;
const before = new Gauge('found_p99_before_ms');
const during = new Gauge('found_p99_during_ms');
const after = new Gauge('found_p99_after_ms');
const slower = new Gauge('after_over_before');
const invalid = new Gauge('books_invalid_at_the_end');
const once = { executor: 'per-vu-iterations', exec: 'spike', vus: 1, iterations: 1, maxDuration: `${durationS + 10}s` };

// The spike itself may be slow; what is judged is that nothing is lost and that it is over when it is over.
const judged = thresholds();
delete judged.udp_to_signal_p99;
delete judged.stream_age;
judged.after_over_before = ['value<2'];
judged.books_invalid_at_the_end = ['value==0'];

export const options = Object.assign({}, base, { scenarios: scenarios({ spike: once }), thresholds: judged });

export function setup() {
  return asFound();
}

export function spike() {
  const rest = Math.max(12, (durationS - SPIKE_S) / 2);
  setRate(BASE);
  sleep(rest);
  const calm = 1000 * signalQuantile('0.99');
  before.add(calm);
  setRate(FACTOR * BASE);
  sleep(SPIKE_S);
  during.add(1000 * signalQuantile('0.99'));
  setRate(BASE);
  sleep(rest);
  const again = 1000 * signalQuantile('0.99');
  after.add(again);
  // Below a few milliseconds the machine's neighbours decide, not the spike.
  slower.add(again / Math.max(calm, 10));
  const books = consumerStatus().books;
  invalid.add(books.total - books.valid);
}

export const handleSummary = summary('spike');
