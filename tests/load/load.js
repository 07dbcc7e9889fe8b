// Rate steps through the replay's control API: a quarter, a half, three quarters and all of RATE, each for as long.
//   RATE=20000 DURATION=120 k6 run tests/load/load.js
import { sleep } from 'k6';

import { asFound, base, scenarios, setRate, thresholds } from './lib/probe.js';
import { durationS, rate } from './lib/target.js';
import { summary } from './lib/verdict.js';

export { api, services, streams, teardown } from './lib/probe.js';

const FULL = rate || 10000;
const STEPS = [0.25, 0.5, 0.75, 1.0];
const once = { executor: 'per-vu-iterations', exec: 'steps', vus: 1, iterations: 1, maxDuration: `${durationS + 10}s` };

export const options = Object.assign({}, base, { scenarios: scenarios({ steps: once }), thresholds: thresholds() });

export function setup() {
  return asFound();
}

export function steps() {
  for (const share of STEPS) {
    setRate(Math.round(FULL * share));
    sleep(durationS / STEPS.length);
  }
}

export const handleSummary = summary('load');
