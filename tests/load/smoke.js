// A minute at whatever rate the replay plays: does everything answer, and does nothing get lost?
//   k6 run tests/load/smoke.js
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

export const handleSummary = summary('smoke');
