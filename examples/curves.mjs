// Draws what `examples/load` prints as pictures for documents:
//
//   cargo run --release --example load people > people.jsonl
//   STORE=postgres://user@host/empty cargo run --release --example load people >> people.jsonl
//   node examples/curves.mjs people.jsonl docs/img
//
// Each curve of the input becomes FOLDER/curve-NAME.svg, readable on a light and on a dark page. Needs Node, and no packages.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const WIDTH = 760
const PANEL = { width: 300, height: 150, left: 60, top: 64, apart: { x: 370, y: 226 } }
const STORES = { sqlite: 'SQLite', postgres: 'PostgreSQL' }
const CURVES = {
  people: { title: 'Sign-ins of known people, 8 at a time, by the number of people in the store', x: 'people', of: 'people', only: (line) => line.scenario === 'sign-in' || line.people === 0 },
  parallel: { title: 'Sign-ins of known people, by how many are under way at a time', x: 'at a time', of: 'parallel', only: (line) => line.scenario === 'sign-in' },
}
/** What is drawn: the title of the panel, and its lines. `server` is the server of the database. */
const PANELS = [
  { title: 'sign-ins per second', lines: [{ field: 'per_second' }] },
  { title: 'milliseconds for a sign-in: p50, and dashed p99', lines: [{ field: 'p50_ms' }, { field: 'p99_ms', dashed: true }] },
  { title: "CPU ms per sign-in: broker, and dashed the database's", lines: [{ field: 'broker_cpu_ms' }, { field: 'server_cpu_ms', dashed: true }] },
  { title: "MiB of memory of the broker's process", lines: [{ field: 'broker_resident_mib' }] },
]
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-size: 15px; font-weight: 600 } .small { fill: #57606a }
  .grid { stroke: #d0d7de; fill: none } .line { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 5 4 }
  .sqlite { stroke: #0969da; fill: #0969da } .postgres { stroke: #bc4c00; fill: #bc4c00 } .paper { fill: #ffffff }
  .dot { stroke: none } text.sqlite, text.postgres { stroke: none } .line.sqlite, .line.postgres { fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d } .paper { fill: #0d1117 }
    .sqlite { stroke: #58a6ff; fill: #58a6ff } .postgres { stroke: #f0883e; fill: #f0883e }
  }
`

const short = (number) => (number >= 1e6 ? `${number / 1e6}M` : number >= 1e3 ? `${number / 1e3}k` : String(number))

/** The end of a scale that begins at 0: the next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten. */
function end(most) {
  const power = 10 ** Math.floor(Math.log10(most || 1))
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((times) => times * power >= most * 0.9999)
}

function panel({ title, lines }, { x, y }, steps, stores, of, xTitle) {
  const top = end(Math.max(...lines.flatMap(({ field }) => Object.values(stores).flat().map((point) => point[field] ?? 0))))
  const at = (step) => x + (steps.length > 1 ? steps.indexOf(step) / (steps.length - 1) : 0.5) * PANEL.width
  const up = (value) => y + PANEL.height - (value / top) * PANEL.height
  const drawn = [`<text x="${x}" y="${y - 12}">${title}</text>`]
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    drawn.push(`<path class="grid" d="M${x} ${up(part * top)}h${PANEL.width}"/><text class="small" x="${x - 8}" y="${up(part * top) + 4}" text-anchor="end">${short(Number((part * top).toPrecision(3)))}</text>`)
  }
  for (const step of steps) drawn.push(`<text class="small" x="${at(step)}" y="${y + PANEL.height + 18}" text-anchor="middle">${short(step)}</text>`)
  drawn.push(`<text class="small" x="${x + PANEL.width / 2}" y="${y + PANEL.height + 34}" text-anchor="middle">${xTitle}</text>`)
  for (const [store, points] of Object.entries(stores)) {
    for (const { field, dashed } of lines) {
      const known = points.filter((point) => typeof point[field] === 'number')
      if (known.length === 0) continue
      const path = known.map((point, n) => `${n ? 'L' : 'M'}${at(point[of]).toFixed(1)} ${up(point[field]).toFixed(1)}`).join('')
      drawn.push(`<path class="line ${store}${dashed ? ' dashed' : ''}" d="${path}"/>`)
      for (const point of known) drawn.push(`<circle class="dot ${store}" cx="${at(point[of]).toFixed(1)}" cy="${up(point[field]).toFixed(1)}" r="3"><title>${STORES[store]}, ${short(point[of])}: ${point[field]}</title></circle>`)
    }
  }
  return drawn.join('\n')
}

/** The picture of one curve, from the lines of `load`. A point that was measured several times is the median. */
function picture({ title, x, of, only }, lines) {
  const stores = {}
  for (const line of lines.filter(only)) {
    const points = (stores[line.store] ??= new Map())
    points.set(line[of], [...(points.get(line[of]) ?? []), line])
  }
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
  for (const [store, points] of Object.entries(stores)) {
    stores[store] = [...points].sort(([a], [b]) => a - b).map(([step, measured]) => ({
      [of]: step,
      ...Object.fromEntries(PANELS.flatMap(({ lines: all }) => all.map(({ field }) => [field, measured.map((line) => line[field]).filter((value) => typeof value === 'number')])).filter(([, values]) => values.length > 0).map(([field, values]) => [field, median(values)])),
    }))
  }
  const steps = [...new Set(Object.values(stores).flat().map((point) => point[of]))].sort((a, b) => a - b)
  const places = PANELS.map((_, n) => ({ x: PANEL.left + (n % 2) * PANEL.apart.x, y: PANEL.top + 30 + Math.floor(n / 2) * PANEL.apart.y }))
  const height = PANEL.top + 2 * PANEL.apart.y
  const legend = Object.keys(stores).map((store, n) => `<path class="line ${store}" d="M${PANEL.left + n * 120} 47h24"/><text class="${store}" x="${PANEL.left + 30 + n * 120}" y="51">${STORES[store]}</text>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${title}">
<style>${STYLE}</style>
<rect class="paper" width="${WIDTH}" height="${height}" rx="6"/>
<text class="title" x="${PANEL.left}" y="28">${title}</text>
${legend.join('\n')}
${PANELS.map((each, n) => panel(each, places[n], steps, stores, of, x)).join('\n')}
</svg>
`
}

const [input, folder] = process.argv.slice(2)
if (!input || !folder) {
  process.stderr.write('usage: node curves.mjs LINES FOLDER\n')
  process.exit(2)
}
const lines = readFileSync(input, 'utf8').split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
const failed = lines.filter(({ errors }) => errors > 0)
if (failed.length > 0) {
  process.stderr.write(`${failed.length} of the lines have errors; the first is ${JSON.stringify(failed[0])}\n`)
  process.exit(1)
}
const drawn = Object.entries(CURVES).filter(([name]) => lines.some(({ curve }) => curve === name))
if (drawn.length === 0) {
  process.stderr.write(`${input} has no lines of a curve: make them with \`load people\` or \`load parallel\`\n`)
  process.exit(1)
}
for (const [name, curve] of drawn) {
  const path = join(folder, `curve-${name}.svg`)
  writeFileSync(path, picture(curve, lines.filter((line) => line.curve === name)))
  process.stdout.write(`${path}\n`)
}
