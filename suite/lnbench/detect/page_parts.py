"""How page.html looks, and what it does when it is sorted: the text of its style and its script."""

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:1.5rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem;margin:.9rem 0 .3rem}small{color:#666}
section{content-visibility:auto;contain-intrinsic-size:auto 160px}
.grid{display:flex;flex-wrap:wrap;gap:.5rem}figure{margin:0;width:104px;font-size:11px}
figure img{display:block;border:4px solid #ddd;border-radius:4px;object-fit:contain;image-rendering:pixelated}
figure.suspect img{border-color:#d55e00}figcaption{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:#444}
table{border-collapse:collapse;font-size:13px}th,td{padding:.15rem .5rem;border-bottom:1px solid #ddd;text-align:left}
td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}#suspects th{cursor:pointer}.wide{overflow-x:auto}
.own{color:#888}.h1{background:#fff3e6}.h2{background:#ffdcb8}.h3{background:#ffbd80}.h4{background:#ff9a40}
.controls label{margin-right:1.5rem}[hidden]{display:none}
"""

SCRIPT = """
'use strict';
const order = (a, b) => {
  const x = parseFloat(a), y = parseFloat(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
};
const by = document.getElementById('sort'), find = document.getElementById('find');
if (by) by.addEventListener('change', () => document.querySelectorAll('.grid').forEach(grid =>
  [...grid.children].sort((a, b) => by.value === 'name' ? a.dataset.name.localeCompare(b.dataset.name)
    : order(a.dataset[by.value], b.dataset[by.value])).forEach(one => grid.append(one))));
if (find) find.addEventListener('input', () => document.querySelectorAll('section').forEach(part => {
  let left = 0;
  part.querySelectorAll('figure').forEach(one => {
    one.hidden = !one.dataset.name.toLowerCase().includes(find.value.toLowerCase());
    left += !one.hidden;
  });
  part.hidden = !left;
}));
const table = document.getElementById('suspects');
let last = -1, turn = 1;
table.querySelectorAll('th').forEach((head, column) => head.addEventListener('click', () => {
  turn = column === last ? -turn : 1;
  last = column;
  const body = table.tBodies[0];
  [...body.rows].sort((a, b) => turn * order(a.cells[column].textContent, b.cells[column].textContent))
    .forEach(row => body.append(row));
}));
"""
