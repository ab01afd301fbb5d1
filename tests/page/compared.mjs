// Runs inside the page: compares the numbers of comparisons with report.json. A self-contained function.

export function compared(report) {
  const problems = [];
  const plain = (text) => (text ?? '').replace(/[\u202f\u00a0]/g, ' ').replace(/\u2212/g, '-').replace(/,/g, '').trim();
  const read = (text) => (/-?\d[\d.]*/.exec(plain(text)) ?? [])[0];
  // as written, to half of its last digit
  const same = (what, text, value) => {
    const written = read(text);
    if (value === null || value === undefined) { if (written !== undefined) problems.push(`${what}: "${text}" where nothing is known`); return; }
    const digits = (written ?? '').split('.')[1]?.length ?? 0;
    if (written === undefined || Math.abs(Number(written) - value) > 0.5000001 * 10 ** -digits) problems.push(`${what}: the page has "${text}", the report ${value}`);
  };
  const ends = (text) => plain(text).split(/ to /).map((end) => (end === 'open' ? null : end));
  const interval = (what, text, estimate) => {
    const [low, high] = ends(text);
    same(`${what} low`, low ?? '', estimate.low);
    same(`${what} high`, high ?? '', estimate.high);
  };

  for (const line of report.summary.results.filter((one) => one.kind === 'comparison')) {
    const of = report.comparisons[line.index];
    const figure = (name) => document.getElementById(`${line.id}-${name}`);
    const hole = (name) => figure(name).querySelector('.hole');
    const rows = (name, table = 'table') => [...figure(name).querySelector(table).tBodies[0].rows].map((row) => [...row.cells]);
    const cells = (row) => row.map((cell) => cell.textContent.trim());
    const valid = of.windows.filter((window) => !window.void.length);
    const key = { 'latency.p50': 'p50Ms', 'latency.p90': 'p90Ms', 'latency.p99': 'p99Ms', 'latency.p99.9': 'p999Ms', 'latency.mean': 'meanMs' };
    const metric = key[of.declaration.content.metric];

    // key numbers that are differences have as many decimals as each other
    const keys = [...document.getElementById(`${line.id}-h`).closest('header').querySelectorAll('.keys dd.n')].map((key) => plain(key.textContent));
    const decimals = new Set(keys.filter((key) => key.endsWith('ms')).map((key) => /\.?(\d*) ms$/.exec(key)[1].length * key.includes('.')));
    if (decimals.size > 1) problems.push(`${line.id}: key numbers ${keys.join(', ')}`);

    if (hole('interval') !== null !== (of.metrics[0]?.estimate == null)) problems.push(`${line.id}: the interval plot is there or not, against the report`);
    if (!hole('interval')) {
      const drawn = rows('interval', 'table.forest');
      // from the median to the tail, wherever the primary stands
      const metrics = Object.keys(key).map((name) => of.metrics.find((one) => one.metric === name)).filter(Boolean);
      metrics.forEach((one, n) => {
        const what = `${line.id} ${one.metric}`;
        const [name, a, b, plot, numbers, verdict] = drawn[n];
        if (name.firstChild.textContent.trim() !== one.metric.replace('latency.', '')) problems.push(`${what}: the row is ${name.textContent}`);
        if (one.notJudged) {
          if (a.textContent || b.textContent || plot.querySelector('circle')) problems.push(`${what}: not judged, and shown`);
          if (!numbers.textContent.startsWith('too few') || verdict.textContent !== 'Not judged') problems.push(`${what}: not judged, and the page says "${numbers.textContent}" "${verdict.textContent}"`);
          return;
        }
        same(`${what} first arm`, a.textContent.split('→')[0], one.aMs);
        same(`${what} second arm`, b.textContent, one.bMs);
        same(`${what} estimate`, numbers.querySelector('b').textContent, one.estimate.value);
        interval(what, numbers.querySelector('.sub').textContent, one.estimate);
        const told = one.verdict ?? 'Not judged';
        if (verdict.textContent.toLowerCase() !== told.toLowerCase()) problems.push(`${what}: "${verdict.textContent}", and the report ${told}`);
      });
      rows('interval', 'details table').map(cells).forEach((row, n) => {
        if (metrics[n].estimate) { same(`${line.id} table ${n}`, row[1], metrics[n].estimate.value); interval(`${line.id} table ${n}`, row[3], metrics[n].equivalence); }
      });
    }
    if (!hole('distribution')) {
      const { edgesMs: edges } = of.distribution;
      rows('distribution').map(cells).slice(0, 3).forEach((row, n) => [of.distribution.a, of.distribution.b].forEach((arm, at) => {
        const share = 1 - [0.5, 0.9, 0.99][n];
        const requests = arm.counts.reduce((sum, count) => sum + count, arm.failed);
        if (arm.failed > requests * share) { if (row[1 + at] !== 'failed') problems.push(`${line.id} ${row[0]}: "${row[1 + at]}" falls on failed requests`); return; }
        const bin = arm.slower.findIndex((slower) => slower <= share * 1.000001);
        const value = Number(read(row[1 + at]));
        if (!(value >= edges[Math.max(0, bin - 1)] * 0.99 && value <= edges[Math.min(bin, edges.length - 1)] * 1.01)) problems.push(`${line.id} ${row[0]}: ${value} is not between ${edges[bin - 1]} and ${edges[bin]}`);
      }));
    }
    if (!hole('shift')) {
      rows('shift').map(cells).forEach((row, n) => {
        same(`${line.id} shift ${row[0]}`, row[2], of.shift[n].estimate.value);
        interval(`${line.id} shift ${row[0]}`, row[3], of.shift[n].estimate);
      });
      if (figure('shift').querySelectorAll('.shd').length !== of.shift.length) problems.push(`${line.id}: not every quantile of the shift is drawn`);
    }
    if (!hole('windows')) {
      const known = valid.filter((window) => window.a[metric] !== null && window.b[metric] !== null);
      if (figure('windows').querySelectorAll('.dd').length !== known.length) problems.push(`${line.id}: ${known.length} windows, and other dots`);
      if (figure('windows').querySelectorAll('svg.fl .hat').length !== 3 * (of.windows.length - valid.length)) problems.push(`${line.id}: void windows are not hatched in every panel`);
      rows('windows').map(cells).forEach((row, n) => {
        const window = of.windows[n];
        const used = window.void.length === 0 && window.a[metric] !== null && window.b[metric] !== null;
        same(`${line.id} window ${n + 1} first`, row[1], used ? window.a[metric] : null);
        same(`${line.id} window ${n + 1} difference`, row[3], used ? window.b[metric] - window.a[metric] : null);
        if (row[5].startsWith('void') !== window.void.length > 0) problems.push(`${line.id} window ${n + 1}: "${row[5]}"`);
      });
    }
    if (rows('checks').length !== of.checks.length) problems.push(`${line.id}: not every check is there`);
    rows('checks').map(cells).forEach((row, n) => {
      const word = { true: 'held', false: 'not held', null: 'not known' }[of.checks[n].holds];
      if (row[4] !== word) problems.push(`${line.id} ${of.checks[n].id}: "${row[4]}" where the report has ${of.checks[n].holds}`);
    });
    if (!document.body.textContent.includes(of.declaration.sha256)) problems.push(`${line.id}: the seal is not on the page`);
    if (of.verdict === 'INVALID' && line.key) problems.push(`${line.id}: does not count, and has a number in the summary`);
  }
  return problems;
}
