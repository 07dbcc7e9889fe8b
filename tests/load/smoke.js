// A minute at whatever rate the replay plays: does everything answer, and does nothing get lost?
//   k6 run tests/load/smoke.js
import { base, reachable, scenarios, thresholds } from './lib/probe.js';
import { rate } from './lib/target.js';
import { setRate } from './lib/probe.js';
import { summary } from './lib/verdict.js';

export { api, services, streams } from './lib/probe.js';

export const options = Object.assign({}, base, { scenarios: scenarios(), thresholds: thresholds() });

export function setup() {
  reachable();
  if (rate) {
    setRate(rate);
  }
}

export const handleSummary = summary('smoke');
