// Doubles the rate until something breaks, and says at which rate and what: loss, a full ring, or UDP to signal.
//   RATE=1000 STEP=15 k6 run tests/load/stress.js       RATE is where it begins
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Gauge } from 'k6/metrics';

import { asFound, base, consumerStatus, scenarios, setRate, signalQuantile, thresholds } from './lib/probe.js';
import { durationS, limits, rate } from './lib/target.js';
import { summary } from './lib/verdict.js';

export { api, services, streams, teardown } from './lib/probe.js';

const FIRST = rate || 1000;
const STEP_S = Number(__ENV.STEP || 12);
const LARGEST = 2000000;
const held = new Gauge('found_held_messages_per_s');
const broke = new Gauge('found_broke_at_messages_per_s');
const because = new Gauge('found_broke_by_p99_ms');
const lostThere = new Gauge('found_broke_by_lost');
const droppedThere = new Gauge('found_broke_by_ring_dropped');
const once = { executor: 'per-vu-iterations', exec: 'climb', vus: 1, iterations: 1, maxDuration: `${durationS}s` };

// A stress test is meant to break the stack: only the ledger must hold, and the first rate must.
const judged = { ledger_balanced: ['rate==1'], ledger_checks_failed: ['value==0'], services_read: ['count>0'], found_held_messages_per_s: [`value>=${FIRST}`] };

export const options = Object.assign({}, base, { scenarios: scenarios({ climb: once }), thresholds: judged });

export function setup() {
  return asFound();
}

export function climb() {
  const began = Date.now();
  const start = consumerStatus();
  const lostBefore = Object.values(start.channels).reduce((sum, one) => sum + one.lost, 0);
  const droppedBefore = start.ring.dropped;
  held.add(0);
  for (let now = FIRST; now <= LARGEST && (Date.now() - began) / 1000 + STEP_S < durationS; now *= 2) {
    setRate(now);
    sleep(STEP_S);
    const status = consumerStatus();
    const lost = Object.values(status.channels).reduce((sum, one) => sum + one.lost, 0) - lostBefore;
    const dropped = status.ring.dropped - droppedBefore;
    const p99 = 1000 * signalQuantile('0.99');
    if (lost > 0 || dropped > 0 || !(p99 < limits.p99Ms)) {
      broke.add(now);
      because.add(p99);
      lostThere.add(lost);
      droppedThere.add(dropped);
      break;
    }
    held.add(now);
  }
  exec.test.abort('the climb is over');
}

export const handleSummary = summary('stress');
