import { readFileSync } from 'node:fs'
import { expect } from 'chai'

const IMPORT = /^(?:import|export)\s+(?!type\b)(?:([^'"]*?)\s+from\s+)?'([^']+)'/gm

/** Everything a program loads, ours and foreign, without what is only there for its types. */
function loaded(file: URL, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file.href)) return seen
  seen.add(file.href)
  for (const [, names = '', from = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    const wanted = names
      .replace(/[{}]/g, '')
      .split(',')
      .filter((name) => name.trim() !== '')
    if (wanted.length > 0 && wanted.every((name) => /^\s*type\s/.test(name))) continue
    if (from.startsWith('.')) loaded(new URL(from, file), seen)
    else seen.add(from)
  }
  return seen
}

describe('the analysis worker', () => {
  const room = new URL('../../../consumers/governance/', import.meta.url)

  it('loads no native library: a worker ended in the middle of its call would end the whole process', () => {
    const all = loaded(new URL('analysis-worker.ts', room))
    expect([...all].filter((one) => one.endsWith('/rules/index.ts'))).to.have.length(1)
    expect(all.has('onnxruntime-node')).to.equal(false)
    expect(loaded(new URL('model.ts', room)).has('onnxruntime-node'), 'the check can fail').to.equal(true)
  })
})
