// Runs inside the page: each function is self-contained. Problems are returned as sentences.

/** Boxes: nothing scrolls sideways, overlaps, leaves the screen or overflows its cell. */
export function layout() {
  const problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth) {
    const out = [...document.querySelectorAll('main *')].find((e) => !e.closest('.scroll,svg,.cmd,nav') && e.getBoundingClientRect().right > window.innerWidth + 1);
    problems.push(`scrolls sideways to ${root.scrollWidth}${out ? `: ${out.outerHTML.slice(0, 120)}` : ''}`);
  }
  const shown = (e) => { const s = getComputedStyle(e); return s.display !== 'none' && s.visibility !== 'hidden' && e.getClientRects().length > 0; };
  for (const figure of document.querySelectorAll('figure,.blk')) {
    const boxes = [...figure.querySelectorAll('svg text')].filter((t) => shown(t) && t.textContent.trim()).map((t) => {
      const { left, right, top, bottom } = t.getBoundingClientRect();
      // letters fill about two thirds of a line's height
      const rim = (bottom - top) * 0.17;
      return { text: t.textContent, left: left + 0.5, right: right - 0.5, top: top + rim, bottom: bottom - rim };
    }).filter((b) => b.right > b.left);
    boxes.forEach((a, n) => {
      if (a.left < -0.5 || a.right > window.innerWidth + 0.5) problems.push(`${figure.id}: "${a.text}" is off screen`);
      for (const b of boxes.slice(n + 1)) {
        if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) problems.push(`${figure.id}: "${a.text}" lies on "${b.text}"`);
      }
    });
    for (const size of [...figure.querySelectorAll('svg text')].filter(shown).map((t) => parseFloat(getComputedStyle(t).fontSize))) {
      if (size < 12) { problems.push(`${figure.id}: text of ${size} px`); break; }
    }
  }
  for (const cell of document.querySelectorAll('td,th,dd,dt')) {
    if (cell.matches('.p') || !shown(cell) || cell.closest('.vh')) continue;
    if (getComputedStyle(cell).display !== 'inline' && cell.scrollWidth > cell.clientWidth + 1) {
      problems.push(`a cell overflows: "${cell.textContent.trim().slice(0, 60)}" ${cell.scrollWidth} > ${cell.clientWidth}`);
    }
  }
  return problems;
}

/** What a print would cut off, as nobody can scroll there, or leave folded. */
export function cut() {
  const problems = [];
  for (const box of document.querySelectorAll('.scroll,.cmd,pre')) {
    if (box.getClientRects().length && box.scrollWidth > box.clientWidth + 1) problems.push(`cut off: ${box.outerHTML.slice(0, 120)} ${box.scrollWidth} > ${box.clientWidth}`);
  }
  for (const more of document.querySelectorAll('details.more')) {
    if (more.lastElementChild.getBoundingClientRect().height < 10) problems.push(`folded in print: ${more.textContent.trim().slice(0, 60)}`);
  }
  return problems;
}

/** Every figure of the report is there, with size, title, description and table. */
export function figures(report) {
  const problems = [];
  const expect = { scenario: ['ledger', 'expectations', 'checks'], comparison: ['paths', 'interval', 'distribution', 'shift', 'windows', 'hops', 'resources', 'checks'] };
  for (const line of report.summary.results) {
    const record = line.kind === 'scenario' ? report.scenarios[line.index] : report.comparisons[line.index];
    const measured = line.kind === 'comparison' || record.trial;
    const names = measured ? [...expect[line.kind]] : ['nothing'];
    if (measured && line.kind === 'scenario') names.push('timeline', 'phases');
    for (const name of names) {
      const figure = document.getElementById(`${line.id}-${name}`);
      if (!figure) { problems.push(`no figure ${line.id}-${name}`); continue; }
      const box = figure.getBoundingClientRect();
      if (box.width < 200 || box.height < 60) problems.push(`figure ${figure.id} is ${box.width} × ${box.height}`);
      if (!figure.querySelector('h3')?.textContent) problems.push(`figure ${figure.id} states nothing`);
      const hole = figure.querySelector('.hole');
      if (hole) {
        if (hole.textContent.length < 20) problems.push(`${figure.id} is empty without a reason`);
        if (/accounted for|had to/.test(figure.querySelector('h3').textContent)) problems.push(`${figure.id} is empty, and finds that ${figure.querySelector('h3').textContent}`);
        continue;
      }
      if (!figure.querySelector('table')) problems.push(`figure ${figure.id} has no table`);
      for (const svg of figure.querySelectorAll('svg.fl')) {
        if (svg.getAttribute('role') !== 'img' || !svg.querySelector('title')?.textContent || !svg.querySelector('desc')?.textContent) problems.push(`${figure.id}: a drawing without title or description`);
      }
      if (report.stamp && !figure.querySelector('.stamp')) problems.push(`${figure.id} is not stamped`);
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  const twice = ids.find((id, n) => ids.indexOf(id) !== n);
  if (twice) problems.push(`the id ${twice} is there twice`);
  for (const a of document.querySelectorAll('a[href^="#"]')) if (!document.getElementById(a.hash.slice(1))) problems.push(`${a.hash} leads nowhere`);
  return problems;
}

/** What has the focus, and whether that can be seen. */
export function focus() {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const path = [];
  for (let at = e; at && at !== document.body; at = at.parentElement) path.unshift(`${at.tagName}${at.id ? `#${at.id}` : ''}:${[...at.parentElement.children].indexOf(at)}`);
  const style = getComputedStyle(e);
  return { path: path.slice(-4).join('>'), visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };
}

/** Targets are at least 24 pixels high and wide. */
export function targets() {
  const problems = [];
  for (const e of document.querySelectorAll('button,summary,input,nav a')) {
    const box = e.getBoundingClientRect();
    if (box.width && (box.height < 23.9 || box.width < 23.9)) problems.push(`a target of ${box.width} × ${box.height}: ${e.outerHTML.slice(0, 80)}`);
  }
  return problems;
}
