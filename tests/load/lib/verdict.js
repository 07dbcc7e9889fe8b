// The end of a run: a table on the terminal, and REPORT/k6.json for whoever judges further.

import { report } from './target.js';

function rows(data) {
  const found = [];
  for (const [name, metric] of Object.entries(data.metrics)) {
    for (const [limit, outcome] of Object.entries(metric.thresholds || {})) {
      const statistic = /^[a-z]+(\([\d.]+\))?/.exec(limit)[0];
      found.push({ what: name, limit, measured: metric.values[statistic], ok: outcome.ok });
    }
  }
  return found;
}

function table(found) {
  const lines = found.map((row) => {
    const measured = typeof row.measured === 'number' ? row.measured.toPrecision(4) : String(row.measured);
    return `${row.ok ? '  ok    ' : 'CROSSED '} ${row.what.padEnd(34)} ${row.limit.padEnd(16)} ${measured}`;
  });
  return `\n${lines.join('\n')}\n`;
}

// Extra: what a scenario found out beside its thresholds, such as the rate at which stress broke.
export function summary(scenario) {
  return (data) => {
    const found = rows(data);
    const extra = {};
    for (const [name, metric] of Object.entries(data.metrics)) {
      if (name.startsWith('found_')) {
        extra[name.slice('found_'.length)] = metric.values.value;
      }
    }
    const document = { scenario, thresholds: found, found: extra, ok: found.every((row) => row.ok) };
    const notes = Object.entries(extra).map(([name, value]) => `        ${name.padEnd(34)} ${value}`);
    return {
      stdout: `${table(found)}${notes.length ? `${notes.join('\n')}\n` : ''}`,
      [`${report}/k6.json`]: JSON.stringify(document, null, 2),
    };
  };
}
