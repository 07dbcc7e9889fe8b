// An hour by default at a steady rate: k6 probes and judges; crossbook soak injects faults and judges what takes memory.
//   DURATION=3600 RATE=5000 k6 run tests/load/soak.js
import { asFound, base, scenarios, setRate, thresholds } from './lib/probe.js';
import { rate } from './lib/target.js';
import { summary } from './lib/verdict.js';

export { api, services, streams, teardown } from './lib/probe.js';

export const options = Object.assign({}, base, { scenarios: scenarios(), thresholds: thresholds() });

export function setup() {
  const before = asFound();
  if (rate) {
    setRate(rate);
  }
  return before;
}

export const handleSummary = summary('soak');
