// Where the stack is and how hard it is probed: all from the environment, with the default ports of docker compose.

export const target = {
  replay: __ENV.REPLAY_URL || 'http://127.0.0.1:9290',
  consumer: __ENV.CONSUMER_URL || 'http://127.0.0.1:9291',
  signals: __ENV.SIGNALS_URL || 'http://127.0.0.1:9292',
  oms: __ENV.OMS_URL || 'http://127.0.0.1:9293',
  redis: __ENV.REDIS_URL || 'redis://127.0.0.1:6379',
  prefix: __ENV.STREAM_PREFIX || '',
  symbol: __ENV.SYMBOL || 'BTC-USDT',
};

// Messages a second that are asked of the replay; 0: its rate is left alone.
export const rate = Number(__ENV.RATE || 0);
export const durationS = Number(__ENV.DURATION || 60);
export const report = __ENV.REPORT || '.';
export const probesPerS = Math.min(100, Number(__ENV.PROBES || 20));
// 1: faults are injected meanwhile, so a percentile over the whole run is not judged here (crossbook soak judges the rest).
export const faulted = (__ENV.FAULTED || '0') === '1';

export const limits = {
  p99Ms: Number(__ENV.P99_MS || 50),
  streamAgeMs: Number(__ENV.STREAM_AGE_MS || 1000),
  // While Redis or the sender is stopped on purpose, an answer may wait for it.
  apiP99Ms: Number(__ENV.API_P99_MS || (__ENV.FAULTED === '1' ? 1000 : 250)),
};

// Every non-GET needs the token unless both ends are loopback.
export function headers() {
  const found = { 'Content-Type': 'application/json' };
  if (__ENV.CROSSBOOK_TOKEN) {
    found.Authorization = `Bearer ${__ENV.CROSSBOOK_TOKEN}`;
  }
  return { headers: found, timeout: '5s' };
}
