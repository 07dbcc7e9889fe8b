// Probes: the HTTP APIs, the age of Redis Streams, and what the services say of loss, ledger and latency.

import exec from 'k6/execution';
import http from 'k6/http';
import redis from 'k6/experimental/redis';
import { check, fail } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

import { durationS, faulted, headers, limits, probesPerS, target } from './target.js';

const streamAge = new Trend('stream_age', true);
const signalP99 = new Trend('udp_to_signal_p99', true);
const ownLateness = new Trend('iteration_start_lag', true);
const lost = new Gauge('lost_messages');
const unbalanced = new Gauge('ledger_checks_failed');
const ringDropped = new Gauge('ring_dropped');
const ledgerBalanced = new Rate('ledger_balanced');

// A metric without a sample passes its threshold: so the probes themselves are counted.
const servicesRead = new Counter('services_read');
const streamsRead = new Counter('streams_read');

const client = new redis.Client(target.redis);
const STREAMS = ['features', 'book', 'nbbo'];

// Thresholds that hold for every scenario; a fault on purpose may break ages and percentiles, never the ledger.
export function thresholds() {
  const found = {
    checks: ['rate>0.999'],
    'http_req_failed{scenario:api}': ['rate<0.001'],
    'http_req_duration{scenario:api}': [`p(99)<${limits.apiP99Ms}`],
    dropped_iterations: ['count==0'],
    iteration_start_lag: ['p(99)<100'],
    ledger_balanced: ['rate==1'],
    ledger_checks_failed: ['value==0'],
    services_read: ['count>0'],
    streams_read: ['count>0'],
  };
  if (!faulted) {
    found.stream_age = [`p(99)<${limits.streamAgeMs}`];
    found.udp_to_signal_p99 = [`p(90)<${limits.p99Ms}`];
    found.lost_messages = ['value==0'];
    found.ring_dropped = ['value==0'];
  }
  return found;
}

// Open arrival rates with enough users: a stall of the stack shows as latency, not as fewer questions.
export function scenarios(extra) {
  const open = (name, perS) => ({
    executor: 'constant-arrival-rate',
    exec: name,
    rate: perS,
    timeUnit: '1s',
    duration: `${durationS}s`,
    // As many as a Redis that stands still for three seconds keeps waiting: making one takes too long.
    preAllocatedVUs: Math.max(30, 2 * perS),
    maxVUs: Math.max(50, 6 * perS),
    gracefulStop: '5s',
  });
  return Object.assign({ api: open('api', probesPerS), streams: open('streams', 5), services: open('services', 1) }, extra || {});
}

export const base = {
  summaryTrendStats: ['min', 'med', 'p(90)', 'p(99)', 'p(99.9)', 'max', 'count'],
};

// k6's own lateness: actual minus scheduled start.
function noteLateness(perS) {
  const due = exec.scenario.startTime + (1000 * exec.scenario.iterationInTest) / perS;
  ownLateness.add(Math.max(0, Date.now() - due));
}

function reachable() {
  for (const name of ['replay', 'consumer', 'signals', 'oms']) {
    const answer = http.get(`${target[name]}/livez`, { timeout: '3s' });
    if (answer.status !== 200) {
      fail(`nothing runs here: ${name} at ${target[name]} does not answer (${answer.error || answer.status}); start it: crossbook up, or docker compose up`);
    }
  }
}

// What setup() of a scenario returns: the rate as it was found, so that teardown() can leave it so.
export function asFound() {
  reachable();
  return { offered: http.get(`${target.replay}/status`, { timeout: '5s' }).json().offered_messages_per_s || 0 };
}

// k6 runs it after an abort too. A recording that plays by its own time has no rate.
export function teardown(before) {
  if (before && before.offered > 0) {
    setRate(before.offered);
  }
}

const ASKED = [
  () => `${target.consumer}/books/binance/${target.symbol}?depth=20`,
  () => `${target.consumer}/nbbo/${target.symbol}`,
  () => `${target.consumer}/readyz`,
  () => `${target.signals}/readyz`,
  () => `${target.oms}/positions`,
  () => `${target.oms}/risk`,
];

export function api() {
  noteLateness(probesPerS);
  const url = ASKED[exec.scenario.iterationInTest % ASKED.length]();
  // While a fault is on, 503 is the right answer of /readyz: it says why.
  const expected = faulted ? http.expectedStatuses(200, 503) : http.expectedStatuses(200);
  const answer = http.get(url, { responseCallback: expected, timeout: '5s', tags: { name: url.split('/').slice(3, 4).join('') } });
  check(answer, { 'answers JSON': (r) => r.status === 503 || /^[{[]/.test(r.body || '') });
}

export async function streams() {
  const stream = STREAMS[exec.scenario.iterationInTest % STREAMS.length];
  let newest = null;
  try {
    newest = await client.sendCommand('XREVRANGE', `${target.prefix}${stream}`, '+', '-', 'COUNT', '1');
  } catch (error) {
    if (!faulted) {
      throw error;
    }
    return;
  }
  if (newest && newest.length) {
    streamsRead.add(1);
    streamAge.add(Date.now() - Number(String(newest[0][0]).split('-')[0]), { stream });
  } else {
    check(newest, { [`${stream} has entries`]: () => false });
  }
}

// The ledger of every channel, loss, drops, and the p99 of the last ten seconds.
export function services() {
  const answer = http.get(`${target.consumer}/status`, { timeout: '5s' });
  if (answer.status !== 200) {
    return;
  }
  const status = answer.json();
  const channels = Object.values(status.channels);
  servicesRead.add(1);
  lost.add(channels.reduce((sum, one) => sum + one.lost, 0));
  unbalanced.add(channels.reduce((sum, one) => sum + one.ledger_checks.failed, 0));
  ledgerBalanced.add(channels.every((one) => one.ledger_checks.unaccounted === 0));
  ringDropped.add(status.ring.dropped);
  const p99 = signalQuantile('0.99');
  if (!Number.isNaN(p99)) {
    signalP99.add(1000 * p99);
  }
}

// UDP to signal over the last ten seconds, in seconds, as the signal service exports it.
export function signalQuantile(quantile) {
  const text = http.get(`${target.signals}/metrics`, { timeout: '5s' }).body || '';
  const found = new RegExp(`md_latency_window_seconds\\{path="signal",quantile="${quantile}"\\} (\\S+)`).exec(text);
  return found ? Number(found[1]) : NaN;
}

export function setRate(messagesPerS) {
  const answer = http.post(`${target.replay}/rate`, JSON.stringify({ messages_per_s: messagesPerS }), headers());
  check(answer, { 'the replay takes its rate': (r) => r.status === 200 });
}

export function consumerStatus() {
  return http.get(`${target.consumer}/status`, { timeout: '5s' }).json();
}
