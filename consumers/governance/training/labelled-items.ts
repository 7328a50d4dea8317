import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Wpk } from '../../../schemas/wpk.ts'
import { readPackage } from '../read-package.ts'

/** One entry of `index.json` in a folder of labelled packages; the folder's README describes it. */
export type Item = {
  file: string
  kind: string
  family: string
  tier: string | null
  labels: string[]
  negative_for: string[]
  negative_disputed?: Record<string, string>
  pointers: Record<string, string[]>
  source: { repo: string }
}

export type LabelledItem = { item: Item; content: Uint8Array; wpk: Wpk }

/** Every package of a labelled folder in the order of its index, and the hash of index and packages. Throws where one cannot be read. */
export function labelledItems(directory: string): { items: LabelledItem[]; sha256: string } {
  const index = readFileSync(join(directory, 'index.json'))
  const hash = createHash('sha256').update(index)
  const items = (JSON.parse(index.toString('utf8')) as Item[]).map((item) => {
    const content = readFileSync(join(directory, item.file))
    hash.update(content)
    const read = readPackage(content)
    if (!read.ok) throw new Error(`${item.file}: ${read.errors[0]?.detail}`)
    return { item, content, wpk: read.wpk }
  })
  return { items, sha256: hash.digest('hex') }
}
