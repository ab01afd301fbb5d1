// Runs inside the page: compares its numbers with report.json. A self-contained function.

export function numbers(report) {
  const problems = [];
  const plain = (text) => text.replace(/[\u202f\u00a0]/g, ' ').replace(/\u2212/g, '-').replace(/,/g, '').trim();
  const scale = { 'µs': 1e-3, ms: 1, s: 1e3, min: 6e4 };
  // a number as written, in the unit of records
  const read = (text) => {
    const found = /(-?[\d.]+)\s*(µs|ms|s|min|req|%)?/.exec(plain(text));
    return found ? Number(found[1]) * (scale[found[2]] ?? 1) : NaN;
  };
  const near = (text, value) => Math.abs(read(text) - value) <= Math.abs(value) * 0.006 + 5e-4;
  const same = (what, text, value) => { if (!near(text ?? '', value)) problems.push(`${what}: the page has "${text}", the report ${value}`); };
  const rows = (figure) => [...document.querySelectorAll(`#${CSS.escape(figure)} tbody tr`)].map((tr) => [...tr.children].map((cell) => cell.textContent.trim()));

  for (const line of report.summary.results) {
    const head = document.getElementById(`${line.id}-h`)?.textContent;
    if (head !== line.sentence) problems.push(`${line.id}: the heading is "${head}", the report's sentence "${line.sentence}"`);
    if (line.kind !== 'scenario') continue;
    const run = report.scenarios[line.index];
    if (!run.trial) continue;
    const sides = [run.trial, run.control?.trial].filter(Boolean);
    const hole = (figure) => document.querySelector(`#${CSS.escape(`${line.id}-${figure}`)} .hole`);

    if (!hole('ledger')) {
      const ledger = rows(`${line.id}-ledger`);
      const due = ledger.pop();
      sides.forEach((side, at) => {
        same(`${line.id} due`, due[at + 1], side.requests);
        const sum = ledger.reduce((sum, row) => sum + read(row[at + 1]), 0);
        if (sum !== side.requests) problems.push(`${line.id}: the ledger sums to ${sum}, ${side.requests} were due`);
      });
    }
    if (!hole('expectations')) {
      const expectations = rows(`${line.id}-expectations`);
      run.trial.assertions.forEach((one, at) => {
        if (one.measured) same(`${line.id} ${one.id}`, expectations[at][2], one.measured.value);
        else if (expectations[at][2] !== 'not measured') problems.push(`${line.id} ${one.id}: not measured, but ${expectations[at][2]}`);
        same(`${line.id} ${one.id} bound`, expectations[at][1].replace(/^[a-z ]+/, ''), one.bound.value);
      });
    }
    if (!hole('timeline')) {
      sides.forEach((side, at) => {
        const seconds = rows(`${line.id}-timeline-${at}`);
        side.windows.forEach((window, n) => {
          same(`${line.id} second ${n} due`, seconds[n][1], window.requests);
          same(`${line.id} second ${n} failed`, seconds[n][2], window.failed);
          same(`${line.id} second ${n} p50`, seconds[n][4], window.latencyP50Ms);
        });
        const panel = document.getElementById(`${line.id}-timeline-${at}`);
        const diamonds = panel.querySelectorAll('use[href="#dm"]').length;
        const marks = side.timeline.retried.length + side.timeline.slow.filter((one) => one[2] <= 1).length;
        if (diamonds > marks || (marks && diamonds < marks * 0.5)) problems.push(`${line.id}: ${diamonds} diamonds for ${marks} requests`);
      });
    }
    if (!hole('phases')) {
      const phases = rows(`${line.id}-phases`).filter((row) => row.length > 2);
      const parts = sides.flatMap((side) => side.parts.filter((part) => part.part !== 'run'));
      parts.forEach((part, n) => {
        same(`${line.id} ${part.part} requests`, phases[n][1], part.requests);
        ['p50Ms', 'p90Ms', 'p99Ms', 'maxMs'].forEach((quantile, at) => {
          const text = phases[n][3 + at];
          const late = part.failed > 0 && part.latency[quantile] >= run.method.timeoutMs * 0.999;
          if (late !== (text === 'failed')) problems.push(`${line.id} ${part.part} ${quantile}: "${text}"`);
          else if (!late && part.latency.count) same(`${line.id} ${part.part} ${quantile}`, text, part.latency[quantile]);
        });
      });
    }
  }
  return problems;
}
