import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { isMainThread } from 'node:worker_threads'

// Loaded into the process that is measured, before it, with BENCH_LOOP_PORT: how long its event loop is kept busy at a
// time. A timer of 1 ms is late when a piece of work is long, but on a shared machine also when the thread waits for a
// core; the kernel counts both apart (Documentation/scheduler/sched-stats.rst: time on a core and on the run queue, in
// ns), so that what this process did can be told from what its neighbours did to it.
const port = Number(process.env.BENCH_LOOP_PORT)
const isMeasured = isMainThread && port > 0 && /main\.ts$/.test(process.argv[1] ?? '')

const counted = () => {
  try {
    return readFileSync('/proc/self/schedstat', 'latin1').split(' ').slice(0, 2).map(Number)
  } catch {
    return null // not Linux: only lateness can be told
  }
}

if (isMeasured) {
  let seen = fresh()
  let last = { at: performance.now(), counts: counted() }
  setInterval(() => {
    const next = { at: performance.now(), counts: counted() }
    const late = next.at - last.at - 1
    const busy = next.counts && last.counts ? (next.counts[0] - last.counts[0]) / 1e6 : null
    seen.ticks += 1
    seen.late.push(late)
    if (busy !== null) seen.busy.push(busy)
    last = next
  }, 1).unref()
  createServer((_req, res) => {
    res.end(JSON.stringify({ late: summary(seen.late), busy: seen.busy.length > 0 ? summary(seen.busy) : null }))
    seen = fresh()
  })
    .listen(port, '127.0.0.1')
    .unref()
}

function fresh() {
  return { ticks: 0, late: [], busy: [] }
}

function summary(values) {
  const sorted = values.sort((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1), count: sorted.length }
}
