import { parentPort } from 'node:worker_threads'

// Stands in for the analysis worker: the package's text tells it to hang, to die, to fill its memory or to answer.
const kept = []
parentPort.on('message', ({ id, content }) => {
  const text = Buffer.from(content).toString()
  if (text === 'die') process.exit(7)
  while (text === 'hang') Math.sqrt(2)
  while (text === 'fill') kept.push(new Array(1_000_000).fill(text))
  parentPort.postMessage({ id, kind: 'failed', detail: `read ${text}` })
})
parentPort.postMessage({ kind: 'ready' })
