import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type PublishedSchema, parseFile } from '../schemas/versions.ts'

export const VERSIONS = 'schemas/versions'

/** Every schema on file. Throws for a file whose name or content is not one: it would not be checked. */
export function publishedSchemas(
  folder = fileURLToPath(new URL(`../${VERSIONS}`, import.meta.url)),
): PublishedSchema[] {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const published = parseFile(name, readFileSync(`${folder}/${name}`, 'utf8'))
      if (!published) throw new Error(`${VERSIONS}/${name} is not named <type>.v<major>[.<revision>].json`)
      return published
    })
}
